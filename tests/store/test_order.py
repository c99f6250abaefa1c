"""Order and ledger: what may come when, what is recorded, and how windows follow each other."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from hub.errors import HubError, InvariantBroken, NotYetDelivered, RefuseDelivery
from hub.periods import ends_at
from schemas.batch import Account, Kind, Window
from schemas.contracts import contract_of
from store import ledger, order
from store.attempts import attempt
from tests.store.conftest import TestStore, account_row, at, item_row

pytestmark = pytest.mark.postgres
MONTH = "billing.bill_item"


def refused_code(store: TestStore, *args: object, **options: object) -> object:
    with pytest.raises(HubError) as refused:
        store.deliver(*args, **options)  # type: ignore[arg-type]
    return refused.value.facts["code"]


def state(store: TestStore) -> list[tuple[object, ...]]:
    return store.rows("select last_period, expected_period from hub.feed_state")


def test_the_expected_period_advances_with_each_load_and_never_back(store: TestStore) -> None:
    store.put("billing.account", "20260301", [account_row(1, at(1))])
    assert state(store) == [("20260301", "20260302")]
    store.put("billing.account", "20260305", [account_row(1, at(5))])
    store.put("billing.account", "20260303", [account_row(1, at(3))])
    assert state(store) == [("20260305", "20260306")]
    missing = store.rows("select period, reason, came_batch_id from hub.missing_feed order by 1")
    assert missing == [("20260302", "skipped", None), ("20260303", "skipped", 3), ("20260304", "skipped", None)]


def test_a_refused_gate_does_not_advance(store: TestStore) -> None:
    contract = contract_of("billing.account")
    delivery = store.delivery(contract, "20260301", [account_row(1, at(1))], kind=None, resend=0)
    with store.engine.begin() as connection:
        batch = ledger.receive(connection, contract, "gd", "20260301", delivery)
        account = Account(received=1, refused=1)
        ledger.record_gate(connection, batch.batch_id, account, [], refusal=("mass_failure", "too many bad rows"))
    assert state(store) == []
    assert store.rows("select state, refusal_code, refused from hub.batch") == [("refused", "mass_failure", 1)]


def test_resend_numbers_only_grow(store: TestStore) -> None:
    store.put(MONTH, "202602", [item_row(1)], resend=1)
    assert refused_code(store, MONTH, "202602", [item_row(2)], resend=0) == "bad_resend"
    assert refused_code(store, MONTH, "202602", [item_row(2)], resend=1) == "duplicate"
    assert store.rows("select state, refusal_code from hub.batch order by batch_id") == [
        ("loaded", None),
        ("refused", "bad_resend"),
        ("refused", "duplicate"),
    ]


def test_corrections_stay_inside_their_month(store: TestStore) -> None:
    assert refused_code(store, MONTH, "202602", [item_row(1)], kind=Kind.CORRECTION_INSERT) == "correction_ahead"
    store.put(MONTH, "202602", [item_row(1)])
    assert store.put(MONTH, "202602", [item_row(1)], kind=Kind.CORRECTION_INSERT).unchanged == 1
    assert refused_code(store, MONTH, "202602", [item_row(3)], kind=Kind.CORRECTION_INSERT) == "duplicate"
    store.put(MONTH, "202603", [item_row(2)])
    assert refused_code(store, MONTH, "202602", [item_row(9)], kind=Kind.CORRECTION_DELETE) == "correction_across_month"


def test_an_incremental_window_follows_the_last_one_over_a_gap_and_is_asked_again_as_it_was(store: TestStore) -> None:
    contract = contract_of("crm.customer")

    def window(period: str) -> Window | None:
        with store.engine.connect() as connection:
            return order.window_for(connection, contract, "gd", period)

    assert window("20260301") == Window(since=None, before=ends_at("20260301"))
    row = {"customer_key": "C001", "customer_status": "active", "updated_at": at(1)}
    store.put("crm.customer", "20260301", [row], window=window("20260301"))
    after_gap = Window(since=ends_at("20260301") - timedelta(minutes=15), before=ends_at("20260304"))
    assert window("20260304") == after_gap
    store.put("crm.customer", "20260304", [{**row, "updated_at": at(4)}], window=after_gap)
    assert window("20260304") == after_gap
    late = window("20260302")
    assert late is not None
    assert late.since == ends_at("20260301") - timedelta(minutes=15)
    with store.engine.connect() as connection:
        assert order.window_for(connection, contract_of("billing.account"), "gd", "20260301") is None


def test_the_same_content_is_the_same_batch_and_a_refused_order_may_be_right_later(store: TestStore) -> None:
    rows = [item_row(1)]
    assert refused_code(store, MONTH, "202602", rows, kind=Kind.CORRECTION_DELETE) == "correction_ahead"
    store.put(MONTH, "202602", rows)
    assert store.put(MONTH, "202602", rows, kind=Kind.CORRECTION_DELETE).deleted == 1
    assert store.value("select count(*) from hub.batch") == 2


def test_a_feed_that_did_not_come_is_named_once_and_its_arrival_too(store: TestStore) -> None:
    contract = contract_of("billing.account")
    for _ in range(2):
        with store.engine.begin() as connection:
            order.note_missing(connection, contract, "gd", "20260301", cycle="20260301")
    store.put("billing.account", "20260301", [account_row(1, at(1))])
    assert store.rows("select reason, cycle, came_batch_id from hub.missing_feed") == [("not_come", "20260301", 1)]
    with store.engine.begin() as connection:
        order.note_missing(connection, contract, "js", "20260301", cycle="20260301")
    assert store.rows("select province from hub.missing_feed where came_batch_id is null") == [("js",)]


def test_judging_a_loaded_batch_again_must_find_the_same(store: TestStore) -> None:
    rows = [account_row(1, at(1)), account_row(2, at(1))]
    batch = store.deliver("billing.account", "20260301", rows)
    store.load(batch)
    assert store.deliver("billing.account", "20260301", rows) == batch
    with pytest.raises(InvariantBroken, match="differently"):
        store.deliver("billing.account", "20260301", rows, quarantined=[1])


@pytest.mark.parametrize(
    ("error", "outcome", "message"),
    [
        (RefuseDelivery("rows differ, password=hunter2", code="rows"), "refused", "rows differ, password=***"),
        (NotYetDelivered("not there"), "waiting", "not there"),
        (ValueError("a row of somebody"), "failed", None),
    ],
)
def test_a_try_is_recorded_however_it_ends(store_engine: Engine, error: Exception, outcome: str, message: str | None) -> None:
    store = TestStore(store_engine, None, None)  # type: ignore[arg-type]

    def failing() -> None:
        with attempt(
            store_engine, "pull", period="20260301", system="billing", feed="account", province="gd", run_id="r1"
        ) as trying:
            trying.batch_ids.append(7)
            raise error

    with pytest.raises(type(error)):
        failing()
    assert store.rows("select step, run_id, outcome, error_kind, message, batch_ids from hub.attempt") == [
        ("pull", "r1", outcome, type(error).__name__, message, [7])
    ]
    with attempt(store_engine, "pull", period="20260301"):
        assert store.value("select count(*) from hub.attempt where finished_at is null") == 1
    assert store.value("select count(*) from hub.attempt where outcome = 'done'") == 1
