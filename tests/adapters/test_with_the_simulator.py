"""Every feed of both provinces, fetched from the simulated systems at their rudest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.feeds import FEEDS, PROVINCES, open_source
from adapters.protocol import PullRequest
from adapters.transports import rest, soap
from adapters.transports.patience import Patience
from hub.errors import FixConnection, FixContract, HubError, RefuseDelivery, RetryLater
from hub.periods import ends_at, period_for_cycle
from hub.settings import connection_id, environment_connection
from schemas.batch import Delivery, Layout, Window
from schemas.contract import Mode
from simulator.servers.faults import Fault, FaultKind
from simulator.servers.rudeness import Rudeness
from simulator.simulation import Simulation
from simulator.world import BASE_NIGHT, World
from tests.adapters.sinks import DirectorySink

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def simulation(tmp_path_factory: pytest.TempPathFactory, new_database: Callable[..., str]) -> Iterator[Simulation]:
    urls = {province: new_database() for province in PROVINCES}
    rude = replace(Rudeness(), soap_delay_s=0.0, retry_after_s=0)
    with Simulation(tmp_path_factory.mktemp("simulated"), World(seed=3, customers=60), urls, rude) as running:
        running.play(BASE_NIGHT)
        yield running


def fetched(simulation: Simulation, feed_id: str, province: str, sink: DirectorySink, patience: Patience) -> Delivery:
    contract = FEEDS[feed_id].contract
    period = period_for_cycle(BASE_NIGHT, contract.period)
    window = Window(since=None, before=ends_at(period)) if contract.mode is Mode.INCREMENTAL else None
    source = open_source(feed_id, province, environment_connection(connection_id(contract.system, province)), patience)
    try:
        return source.fetch(PullRequest(contract, province, period, window), sink)[0]
    finally:
        source.close()


@pytest.fixture
def connected(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulation]:
    for name, value in simulation.connections().items():
        monkeypatch.setenv(name, value)
    yield simulation
    simulation.clear_faults()


@pytest.mark.parametrize("province", PROVINCES)
@pytest.mark.parametrize("feed_id", list(FEEDS))
def test_a_feed_is_fetched(connected: Simulation, feed_id: str, province: str, tmp_path: Path) -> None:
    sink = DirectorySink(tmp_path)
    base = fetched(connected, feed_id, province, sink, Patience(attempts=8, sleep=lambda _seconds: None))
    assert base.objects
    assert base.declared_rows
    if base.layout in {Layout.FIXED, Layout.DELIMITED}:
        assert sum(content.count(b"\r\n") for content in sink.contents(base)) == base.declared_rows
    if base.layout is Layout.CSV:
        assert sink.contents(base)[0].count(b"\n") > base.declared_rows


@pytest.mark.parametrize("feed_id", list(FEEDS))
def test_a_feed_is_probed(connected: Simulation, feed_id: str) -> None:
    contract = FEEDS[feed_id].contract
    connection = environment_connection(connection_id(contract.system, "js"))
    source = open_source(feed_id, "js", connection, Patience(attempts=8, sleep=lambda _seconds: None))
    detail = source.probe(contract).detail
    source.close()
    assert "agreed" in detail or "not among the first" in detail


KIND = FaultKind
PASSING: list[tuple[str, FaultKind, int]] = [
    *[("crm.contact", kind, 1) for kind in (KIND.REPEAT_PAGE, KIND.SERVER_ERROR, KIND.BUSY, KIND.EXPIRE_TOKEN, KIND.WRONG_TOTAL)],
    *[("crm.contact", kind, 1) for kind in (KIND.DROP_CONNECTION, KIND.HANG, KIND.STUCK_CURSOR)],
    *[("group.group_customer", kind, 1) for kind in (KIND.REPEAT_PAGE, KIND.SERVER_ERROR, KIND.BUSY, KIND.WRONG_TOTAL)],
    *[("group.group_customer", kind, 1) for kind in (KIND.DROP_CONNECTION, KIND.HANG)],
    *[("billing.bill_item", kind, 0) for kind in (KIND.DROP_CONNECTION, KIND.HANG)],
    ("orders.work_order", KIND.DROP_CONNECTION, 0),
]
LASTING: list[tuple[str, FaultKind, type[HubError]]] = [
    *[("crm.contact", kind, RefuseDelivery) for kind in (KIND.REPEAT_PAGE, KIND.STUCK_CURSOR, KIND.WRONG_TOTAL)],
    *[("crm.contact", kind, RetryLater) for kind in (KIND.SERVER_ERROR, KIND.BUSY, KIND.DROP_CONNECTION, KIND.HANG)],
    *[("crm.contact", kind, FixContract) for kind in (KIND.NEW_FIELD, KIND.RENAME_FIELD)],
    ("crm.contact", KIND.REFUSE_LOGIN, FixConnection),
    ("crm.contact", KIND.EXPIRE_TOKEN, FixConnection),
    *[("group.group_customer", kind, RefuseDelivery) for kind in (KIND.REPEAT_PAGE, KIND.WRONG_TOTAL)],
    *[("group.group_customer", kind, RetryLater) for kind in (KIND.SERVER_ERROR, KIND.BUSY, KIND.DROP_CONNECTION, KIND.HANG)],
    *[("group.group_customer", kind, FixContract) for kind in (KIND.NEW_FIELD, KIND.RENAME_FIELD)],
    ("group.group_customer", KIND.REFUSE_LOGIN, FixConnection),
    *[("billing.bill_item", kind, RetryLater) for kind in (KIND.DROP_CONNECTION, KIND.HANG)],
    ("billing.bill_item", KIND.REFUSE_LOGIN, FixConnection),
    ("orders.work_order", KIND.DROP_CONNECTION, RetryLater),
]
FIELDS = {"crm.contact": "customer_id", "group.group_customer": "groupName"}


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "PAGE_ROWS", 5)
    monkeypatch.setattr(soap, "PAGE_ROWS", 5)


def scripted(feed_id: str, kind: FaultKind, *, skip: int, times: int | None) -> Fault:
    renamed = {KIND.NEW_FIELD: ("surprise", "1"), KIND.RENAME_FIELD: (FIELDS.get(feed_id, ""), "surprise")}
    field, value = renamed.get(kind, ("", ""))
    # A connection to a database ends late enough for the table to have been described.
    after = 60_000 if feed_id == "orders.work_order" else 4_096
    asked = None if kind is KIND.REFUSE_LOGIN or feed_id.startswith(("orders", "billing")) else feed_id
    return Fault(kind, feed_id.split(".", maxsplit=1)[0], "js", asked, skip, times, field, value, after)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize(("feed_id", "kind", "skip"), PASSING)
def test_a_fault_that_passes_leaves_no_trace(
    connected: Simulation, feed_id: str, kind: FaultKind, skip: int, tmp_path: Path
) -> None:
    patience = Patience(attempts=8, read_seconds=2.0, sleep=lambda _seconds: None)
    undisturbed = fetched(connected, feed_id, "js", DirectorySink(tmp_path / "undisturbed"), patience)
    number = connected.fault(scripted(feed_id, kind, skip=skip, times=1))
    disturbed = fetched(connected, feed_id, "js", DirectorySink(tmp_path / "disturbed"), patience)
    assert connected.struck(number) == 1
    assert disturbed.declared_rows == undisturbed.declared_rows
    assert [landed.name for landed in disturbed.objects] == [landed.name for landed in undisturbed.objects]


# paramiko's read-ahead thread dies loudly with its connection; the reader gets its own error.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize(("feed_id", "kind", "error"), LASTING)
def test_a_fault_that_lasts_is_named(
    connected: Simulation, feed_id: str, kind: FaultKind, error: type[HubError], tmp_path: Path
) -> None:
    number = connected.fault(scripted(feed_id, kind, skip=0, times=None))
    with pytest.raises(error) as caught:
        fetched(
            connected, feed_id, "js", DirectorySink(tmp_path), Patience(attempts=4, read_seconds=0.3, sleep=lambda _seconds: None)
        )
    assert connected.struck(number)
    assert type(caught.value) is error
