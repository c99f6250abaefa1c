"""`check` tells a stopped server, a wrong password and a drifted schema apart; `explain` leads each attribute to its bytes."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import make_url, text

from adapters.transports.patience import Patience
from hub.settings import Connection, ConnectionSource
from identity.explain import Cell, explain
from pipeline import Hub, check_sources
from schemas.contracts import CONTRACTS
from schemas.entities import ENTITIES
from simulator import expected, faults
from simulator.layouts import CRLF
from simulator.servers.faults import Fault, FaultKind
from store import ledger
from store.server import EmbeddedServer
from tests.e2e.conftest import BuildRig
from tests.e2e.published import Published, publish_twice
from tests.e2e.spoilt import NIGHT, SHORTEST_TOLD, assert_discreet, period_of, personal_values, private_drop

pytestmark = pytest.mark.postgres
PASSWORD = "a-password-nobody-may-see"
FEEDS = {
    "directory": ("billing.bill", "gd"),
    "sftp": ("billing.bill", "js"),
    "sql": ("orders.work_order", "gd"),
    "rest": ("crm.contract", "gd"),
    "soap": ("group.group_customer", "js"),
}


@pytest.fixture(scope="module")
def published(build_rig: BuildRig) -> Published:
    return publish_twice(build_rig)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.feeds.Patience", partial(Patience, attempts=2, sleep=lambda _seconds: None))


@pytest.fixture(scope="module")
def sources(published: Published, pg_server: EmbeddedServer) -> Iterator[ConnectionSource]:
    """Every connection; the orders database asks for a password, as a real one does."""
    rig = published.rig
    wired = rig.new_hub().connections
    database = wired("bss_orders_gd").schema
    url = make_url(pg_server.tcp_url(database))
    admin = psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True)
    admin.execute("create role checker login")
    admin.execute(f"alter role checker password '{PASSWORD}'")
    admin.execute("grant select on all tables in schema public to checker")
    secret = SecretStr(PASSWORD)
    orders = Connection("bss_orders_gd", "postgres", str(url.host), url.port, "checker", secret, database)
    yield lambda conn_id: orders if conn_id == "bss_orders_gd" else wired(conn_id)
    admin.execute("drop owned by checker")
    admin.execute("drop role checker")
    admin.close()


def _closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _state(transport: str, sources: ConnectionSource) -> str:
    """The state of the transport's feed, checked; no answer tells a password."""
    feed_id, province = FEEDS[transport]
    found = check_sources(CONTRACTS[feed_id].system, sources)
    assert PASSWORD not in "".join(each.detail for each in found)
    [state] = [each.state for each in found if (each.feed_id, each.province) == (feed_id, province)]
    return state


def _changed(sources: ConnectionSource, transport: str, **fields: object) -> ConnectionSource:
    feed_id, province = FEEDS[transport]
    mine = f"bss_{CONTRACTS[feed_id].system}_{province}"

    def find(conn_id: str) -> Connection:
        return replace(sources(conn_id), **fields) if conn_id == mine else sources(conn_id)  # type: ignore[arg-type]

    return find


@pytest.mark.parametrize("transport", FEEDS)
def test_a_source_that_is_well_is_ok(transport: str, sources: ConnectionSource) -> None:
    assert _state(transport, sources) == "ok"


@pytest.mark.parametrize("transport", ["sftp", "sql", "rest", "soap"])
def test_a_stopped_server_cannot_be_connected(transport: str, sources: ConnectionSource) -> None:
    assert _state(transport, _changed(sources, transport, port=_closed_port())) == "cannot connect"


@pytest.mark.parametrize("transport", ["directory", "sftp"])
def test_a_directory_that_is_not_there_is_said_so(transport: str, sources: ConnectionSource, tmp_path: Path) -> None:
    assert _state(transport, _changed(sources, transport, schema=str(tmp_path / "unmounted"))) == "no directory"


@pytest.mark.parametrize("transport", ["sftp", "sql", "rest", "soap"])
def test_a_wrong_password_is_refused(transport: str, sources: ConnectionSource) -> None:
    wrong = SecretStr(f"{PASSWORD}-wrong")
    assert _state(transport, _changed(sources, transport, password=wrong)) == "refused"


def _drift_directory(published: Published, sources: ConnectionSource, tmp_path: Path) -> ConnectionSource:
    good = published.rig.simulation.drop_directory("gd")
    drop = private_drop(published.hub, good, tmp_path / "drop")
    faults.extra_column(drop.file("01002"))
    return _changed(sources, "directory", schema=str(drop.path))


def test_a_drifted_layout_is_told_from_both(published: Published, sources: ConnectionSource, tmp_path: Path) -> None:
    assert _state("directory", _drift_directory(published, sources, tmp_path)) == "drifted"


def test_a_drifted_file_behind_sftp_is_told(published: Published, sources: ConnectionSource) -> None:
    [data] = published.rig.simulation.drop_directory("js").glob("i_js_*_01002_00_001.dat")
    good = data.read_bytes()
    faults.extra_column(data)
    try:
        assert _state("sftp", sources) == "drifted"
    finally:
        data.write_bytes(good)


@pytest.mark.parametrize("transport", ["rest", "soap"])
def test_a_drifted_answer_is_told(transport: str, published: Published, sources: ConnectionSource) -> None:
    feed_id, province = FEEDS[transport]
    new = Fault(FaultKind.NEW_FIELD, CONTRACTS[feed_id].system, province, feed_id, times=None, field="vip", value="1")
    published.rig.simulation.fault(new)
    try:
        assert _state(transport, sources) == "drifted"
    finally:
        published.rig.simulation.clear_faults()


def test_a_drifted_table_is_told(sources: ConnectionSource, pg_server: EmbeddedServer) -> None:
    database = sources("bss_orders_gd").schema
    address = make_url(pg_server.url(database)).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as admin:
        admin.execute("alter table t_work_order rename department to team")
        try:
            assert _state("sql", sources) == "drifted"
        finally:
            admin.execute("alter table t_work_order rename team to department")


def test_a_missing_connection_is_told(published: Published) -> None:
    """`js` is not configured in the hub that published."""
    found = check_sources("crm", published.hub.connections)
    assert {each.state for each in found if each.province == "js"} == {"not configured"}


def _landed_record(hub: Hub, cell: Cell) -> str:
    """The record that a cell names, read from the landed file it names, as text."""
    with hub.engine.connect() as connection:
        batch = ledger.get(connection, cell.batch_id)
    [item] = [item for item in batch.delivery.objects if item.name == cell.file]
    content = b"".join(hub.landing.get(item).chunks())
    if batch.system != "billing":
        return content.decode()
    assert len(batch.delivery.objects) == 1, "rows are numbered over all splits; here there is one"
    return content.split(CRLF)[cell.row_no - 1].decode("gb18030")


def _truth(published: Published) -> Callable[[Cell], dict[str, object]]:
    rows: dict[str, dict[str, dict[str, object]]] = {}

    def of(cell: Cell) -> dict[str, object]:
        [feed_id] = [c.feed_id for c in CONTRACTS.values() if c.entity == cell.entity and c.system == cell.system]
        if feed_id not in rows:
            key = expected.key_column(feed_id)
            found = expected.rows(published.rig.world, feed_id, "gd", period_of(feed_id))
            rows[feed_id] = {str(row[key]): row for row in found}
        return rows[feed_id][cell.source_key]

    return of


def test_every_attribute_leads_to_the_row_it_came_from(published: Published) -> None:
    """Of every customer: the value is the source's own, and the landed file named holds it in the row named."""
    hub, truth_of = published.hub, _truth(published)
    personal = ENTITIES["customer"].personal
    with hub.engine.connect() as connection:
        customers = connection.execute(text("select customer_id from portal_v1.customer order by 1")).scalars().all()
    told = 0
    for customer_id in customers[:12]:
        explained = explain(hub.engine, customer_id)
        assert explained.members
        for cell in explained.cells:
            assert (cell.province, cell.period) == ("gd", NIGHT)
            assert cell.source_key in _landed_record(hub, cell)
            if cell.attribute in personal:
                assert cell.value is None or cell.value.endswith("****")
            elif cell.value is not None and cell.attribute not in {"province", "parent_customer_id"}:
                assert cell.value in {str(value) for value in truth_of(cell).values()}
                told += 1
    assert told > len(customers[:12])


def test_a_source_key_leads_to_its_customer(published: Published) -> None:
    with published.hub.engine.connect() as connection:
        row = connection.execute(
            text("select system, province, customer_key, customer_id from core.crosswalk where recorded_to is null limit 1")
        ).one()
    asked = f"{row.system}/{row.province}/{row.customer_key}"
    assert explain(published.hub.engine, asked).customer_id == row.customer_id


def test_nothing_the_hub_tells_holds_a_secret_or_a_personal_value(published: Published) -> None:
    """GX results and Data Docs, the report, whatever else lies under the hub's home, and every text of the ledger."""
    hub = published.hub
    assert (hub.settings.report_dir / "index.html").exists()
    assert list(hub.settings.docs_dir.rglob("*.json"))
    secrets = [
        secret
        for name in ("billing", "crm", "group", "orders")
        if len(secret := hub.connections(f"bss_{name}_gd").password.get_secret_value()) >= SHORTEST_TOLD
    ]
    assert_discreet(hub, "", published.rig.world, *secrets)


def test_what_portals_and_auditors_read_holds_no_personal_value(published: Published) -> None:
    with published.hub.engine.connect() as connection:
        views = connection.execute(
            text("select schemaname || '.' || viewname from pg_views where schemaname in ('portal_v1', 'audit') order by 1")
        ).scalars()
        shown = {
            view: "\n".join(connection.execute(text(f"select to_jsonb(v)::text from {view} v")).scalars()) for view in views.all()
        }
    assert shown["portal_v1.resource"]
    assert shown["audit.batch"]
    personal = personal_values(published.rig.world)
    assert [(view, value) for view, said in shown.items() for value in personal if value in said] == []
