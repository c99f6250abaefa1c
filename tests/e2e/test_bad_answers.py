"""Servers and a database that answer badly: passing faults pass unseen, lasting ones end in a typed error, and the next good
answer leaves the store as if nothing had happened."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from adapters.transports.patience import Patience
from adapters.transports.sql import url_of
from hub.errors import FixConnection, FixContract, HubError, RefuseDelivery, RetryLater
from hub.settings import connection_id
from pipeline import Hub
from schemas.contract import ErrorClass
from schemas.contracts import CONTRACTS
from simulator.dirt import DirtRates
from simulator.servers.faults import Fault, FaultKind
from simulator.servers.rudeness import Rudeness
from tests.e2e.conftest import BuildRig
from tests.e2e.spoilt import (
    assert_discreet,
    assert_kept,
    assert_sound,
    batches,
    last_attempt,
    quarantined,
    run,
    state_of,
)
from tests.e2e.world import Rig

pytestmark = pytest.mark.postgres
REST, SOAP, ORDERS, SFTP = "crm.product_instance", "group.production_job", "orders.product_order", "billing.bill_item"
PROVINCES = {REST: "gd", SOAP: "gd", ORDERS: "gd", SFTP: "js"}
TOLD_BY_A_STRANGER = "13912345678"
"""A value in a column nobody agreed on: it may be anyone's number."""
State = list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def rig(build_rig: BuildRig) -> Rig:
    """A world without dirt of its own."""
    rig = build_rig(customers=40, dirt=DirtRates.clean(), rudeness=replace(Rudeness.none(), retry_after_s=0))
    rig.play("20260305")
    return rig


@pytest.fixture(scope="module")
def undisturbed(rig: Rig) -> Mapping[str, State]:
    """What `core` holds after good answers."""
    hub = rig.new_hub()
    for feed_id, province in PROVINCES.items():
        run(hub, feed_id, province)
    return {feed_id: state_of(hub.engine, feed_id, province) for feed_id, province in PROVINCES.items()}


@pytest.fixture(autouse=True)
def _small_pages_and_no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.transports.rest.PAGE_ROWS", 50)
    monkeypatch.setattr("adapters.transports.soap.PAGE_ROWS", 20)
    monkeypatch.setattr("adapters.feeds.Patience", partial(Patience, attempts=3, sleep=lambda _seconds: None))


@pytest.fixture
def hub(rig: Rig) -> Iterator[Hub]:
    yield rig.new_hub()
    rig.simulation.clear_faults()


def _faulty(rig: Rig, feed_id: str, kind: FaultKind, **more: Any) -> int:
    system, province = CONTRACTS[feed_id].system, PROVINCES[feed_id]
    # Where a login, a file or a database fails, the server does not know which feed is read.
    feed = feed_id if feed_id in {REST, SOAP} and kind is not FaultKind.REFUSE_LOGIN else None
    return rig.simulation.fault(Fault(kind, system, province, feed, **more))


def _password(hub: Hub, feed_id: str) -> list[str]:
    connection = hub.connections(connection_id(CONTRACTS[feed_id].system, PROVINCES[feed_id]))
    secret = connection.password.get_secret_value()
    return [secret] if secret else []


def _made_good(rig: Rig, hub: Hub, feed_id: str, good: State, told: str) -> None:
    rig.simulation.clear_faults()
    [row] = run(hub, feed_id, PROVINCES[feed_id])
    assert row["state"] == "loaded"
    assert state_of(hub.engine, feed_id, PROVINCES[feed_id]) == good
    assert_sound(hub)
    assert_discreet(hub, told, rig.world, TOLD_BY_A_STRANGER, *_password(hub, feed_id))


PASSING = [
    *((feed_id, FaultKind.REPEAT_PAGE, {"skip": 1}) for feed_id in (REST, SOAP)),
    *((feed_id, FaultKind.SERVER_ERROR, {"skip": 2}) for feed_id in (REST, SOAP)),
    *((feed_id, FaultKind.BUSY, {"skip": 1}) for feed_id in (REST, SOAP)),
    *((feed_id, FaultKind.DROP_CONNECTION, {"skip": 1}) for feed_id in (REST, SOAP)),
    (REST, FaultKind.EXPIRE_TOKEN, {"skip": 2}),
    (REST, FaultKind.STUCK_CURSOR, {"skip": 1}),
    (ORDERS, FaultKind.DROP_CONNECTION, {"after_bytes": 12_000}),
    (SFTP, FaultKind.DROP_CONNECTION, {"after_bytes": 40_000}),
]


@pytest.mark.parametrize(("feed_id", "kind", "more"), PASSING, ids=[f"{feed}-{kind}" for feed, kind, _ in PASSING])
def test_a_fault_that_passes_leaves_no_trace(
    feed_id: str, kind: FaultKind, more: dict[str, Any], rig: Rig, hub: Hub, undisturbed: Mapping[str, State]
) -> None:
    number = _faulty(rig, feed_id, kind, **more)
    [row] = run(hub, feed_id, PROVINCES[feed_id])
    assert rig.simulation.struck(number) == 1
    assert (row["state"], row["error"]) == ("loaded", "")
    assert state_of(hub.engine, feed_id, PROVINCES[feed_id]) == undisturbed[feed_id]


@dataclass(frozen=True)
class Lasting:
    """A fault that stays: the error it ends in, and, where a delivery was refused, its code."""

    feed_id: str
    kind: FaultKind
    error: type[HubError]
    says: str
    code: str | None = None
    more: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        return f"{self.feed_id}-{self.kind}"


RENAMED = (("field", "status"), ("value", "state_new"))
NEW = (("field", "vip_phone"), ("value", TOLD_BY_A_STRANGER))
LASTING = (
    Lasting(REST, FaultKind.REPEAT_PAGE, RefuseDelivery, "and again when read anew", "repeated_page", (("skip", 1),)),
    Lasting(SOAP, FaultKind.REPEAT_PAGE, RefuseDelivery, "and again when read anew", "repeated_page", (("skip", 1),)),
    Lasting(REST, FaultKind.STUCK_CURSOR, RefuseDelivery, "and again when read anew", "repeated_page"),
    Lasting(REST, FaultKind.WRONG_TOTAL, RefuseDelivery, "where the sender counts", "rows"),
    Lasting(SOAP, FaultKind.WRONG_TOTAL, RefuseDelivery, "where the sender counts", "rows"),
    Lasting(REST, FaultKind.RENAME_FIELD, FixContract, "new state_new; missing status", "contract", RENAMED),
    Lasting(
        SOAP,
        FaultKind.RENAME_FIELD,
        FixContract,
        "new stateNew; missing state",
        "contract",
        (("field", "state"), ("value", "stateNew")),
    ),
    Lasting(REST, FaultKind.NEW_FIELD, FixContract, "new vip_phone", "contract", NEW),
    Lasting(SOAP, FaultKind.NEW_FIELD, FixContract, "new vip_phone", "contract", NEW),
    Lasting(REST, FaultKind.SERVER_ERROR, RetryLater, "answered 500", more=(("skip", 2),)),
    Lasting(SOAP, FaultKind.SERVER_ERROR, RetryLater, "answered 500", more=(("skip", 2),)),
    Lasting(REST, FaultKind.BUSY, RetryLater, "answered 429"),
    Lasting(SOAP, FaultKind.BUSY, RetryLater, "answered"),
    Lasting(REST, FaultKind.DROP_CONNECTION, RetryLater, "the connection broke", more=(("skip", 1),)),
    Lasting(SOAP, FaultKind.DROP_CONNECTION, RetryLater, "the connection broke", more=(("skip", 1),)),
    Lasting(REST, FaultKind.EXPIRE_TOKEN, FixConnection, "answered 401"),
    Lasting(REST, FaultKind.REFUSE_LOGIN, FixConnection, "token request: answered 401"),
    Lasting(SOAP, FaultKind.REFUSE_LOGIN, FixConnection, "answered"),
    Lasting(SFTP, FaultKind.REFUSE_LOGIN, FixConnection, "the server refuses the login"),
    Lasting(SFTP, FaultKind.DROP_CONNECTION, RetryLater, "connection broke", more=(("after_bytes", 40_000),)),
    Lasting(ORDERS, FaultKind.DROP_CONNECTION, RetryLater, "the connection broke", more=(("after_bytes", 12_000),)),
)


@pytest.mark.parametrize("case", LASTING, ids=str)
def test_a_fault_that_lasts_ends_in_a_clear_error_and_is_made_good(
    case: Lasting, rig: Rig, hub: Hub, undisturbed: Mapping[str, State]
) -> None:
    _faulty(rig, case.feed_id, case.kind, times=None, **dict(case.more))
    with pytest.raises(case.error, match=case.says) as raised:
        run(hub, case.feed_id, PROVINCES[case.feed_id])
    assert state_of(hub.engine, case.feed_id, PROVINCES[case.feed_id]) == []
    attempt = last_attempt(hub.engine)
    assert (attempt["error_kind"], attempt["message"]) == (case.error.__name__, raised.value.message)
    kept = batches(hub.engine)
    assert [(batch.state, batch.refusal_code) for batch in kept] == ([("refused", case.code)] if case.code else [])
    for batch in kept:
        assert_kept(hub, batch)
    _made_good(rig, hub, case.feed_id, undisturbed[case.feed_id], str(raised.value))


@pytest.mark.parametrize("feed_id", [REST, SOAP, SFTP])
def test_a_server_that_never_answers_is_given_up(feed_id: str, rig: Rig, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hasty = partial(Patience, attempts=2, connect_seconds=0.5, read_seconds=0.5, sleep=lambda _seconds: None)
    monkeypatch.setattr("adapters.feeds.Patience", hasty)
    _faulty(rig, feed_id, FaultKind.HANG, times=None)
    with pytest.raises(RetryLater):
        run(hub, feed_id, PROVINCES[feed_id])
    assert last_attempt(hub.engine)["outcome"] == "failed"
    assert batches(hub.engine) == []


@pytest.mark.parametrize(("feed_id", "source_name"), [(REST, "status"), (SOAP, "state")])
def test_an_unknown_code_in_an_answer_quarantines_its_row(
    feed_id: str, source_name: str, rig: Rig, hub: Hub, undisturbed: Mapping[str, State]
) -> None:
    contract = CONTRACTS[feed_id]
    [column] = [column for column in contract.columns if column.source == source_name]
    _faulty(rig, feed_id, FaultKind.SET_FIELD, field=source_name, value="77")
    run(hub, feed_id, "gd")
    [found] = quarantined(hub.engine)
    assert found.reason == contract.record_error(column.name, ErrorClass.CODE_SET)
    assert found.rule_id == f"{column.name}_codes"
    assert b"77" in found.raw
    [batch] = batches(hub.engine)
    landed = b"".join(b"".join(hub.landing.get(item).chunks()) for item in batch.delivery.objects)
    if feed_id == REST:
        assert json.loads(found.raw)["status"] == "77"
        assert json.loads(found.raw)["product_id"].encode() in landed
    assert len(set(undisturbed[feed_id]) - set(state_of(hub.engine, feed_id, "gd"))) == 1
    _made_good(rig, hub, feed_id, undisturbed[feed_id], "")


def _orders(hub: Hub, *statements: str) -> None:
    engine = sa.create_engine(url_of(hub.connections("bss_orders_gd")))
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


DRIFTS = {
    "renamed": ("rename channel to sales_channel", "rename sales_channel to channel", "new sales_channel; missing channel"),
    "new": ("add vip_phone text", "drop vip_phone", "new vip_phone"),
    "gone": ("rename uscc to hidden", "rename hidden to uscc", "missing uscc"),
    "retyped": (
        "alter price_fen type text using price_fen::text",
        "alter price_fen type bigint using price_fen::bigint",
        "price_fen is TEXT",
    ),
    "no table": ("rename to t_product_order_old", None, "no such table"),
}


@pytest.mark.parametrize("change", DRIFTS)
def test_a_changed_table_stops_the_feed_until_it_is_as_agreed(
    change: str, rig: Rig, hub: Hub, undisturbed: Mapping[str, State]
) -> None:
    there, back, says = DRIFTS[change]
    _orders(hub, f"alter table t_product_order {there}")
    try:
        with pytest.raises(FixContract, match=says) as raised:
            run(hub, ORDERS, "gd")
        assert (batches(hub.engine), last_attempt(hub.engine)["error_kind"]) == ([], "FixContract")
    finally:
        mended = f"t_product_order {back}" if back else "t_product_order_old rename to t_product_order"
        _orders(hub, f"alter table {mended}")
    _made_good(rig, hub, ORDERS, undisturbed[ORDERS], str(raised.value))


def test_an_unknown_code_in_the_database_quarantines_its_row(rig: Rig, hub: Hub, undisturbed: Mapping[str, State]) -> None:
    key = undisturbed[ORDERS][5][0]
    where = f"where order_no = '{key}'"
    _orders(hub, "create table kept as table t_product_order", f"update t_product_order set state = 'LOST' {where}")
    run(hub, ORDERS, "gd")
    [found] = quarantined(hub.engine)
    [batch] = batches(hub.engine)
    [extract] = batch.delivery.objects
    lines = b"".join(hub.landing.get(extract).chunks()).splitlines()
    assert found.raw in lines
    assert b"LOST" in found.raw
    assert found.reason == CONTRACTS[ORDERS].record_error("order_state", ErrorClass.CODE_SET)
    assert found.rule_id == "order_state_codes"
    assert set(undisturbed[ORDERS]) - set(state_of(hub.engine, ORDERS, "gd")) == {undisturbed[ORDERS][5]}
    _orders(hub, f"update t_product_order set state = (select state from kept {where}) {where}", "drop table kept")
    _made_good(rig, hub, ORDERS, undisturbed[ORDERS], "")
