"""A database passes the standard suite twice: by PostgreSQL's COPY and by portable keyset pages."""

from __future__ import annotations

import csv
import io
import itertools
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from adapters.protocol import PullRequest, Source
from adapters.transports import sql, sql_copy, sql_pages
from adapters.transports.patience import Patience
from adapters.transports.sql import SqlSource
from hub.errors import FixContract, HubError, RetryLater
from hub.settings import Connection
from schemas.batch import Delivery
from schemas.contracts.orders import PRODUCT_ORDER
from store.server import EmbeddedServer
from tests.adapters.orders_table import fill, order
from tests.adapters.proxy import Door
from tests.adapters.sinks import DirectorySink
from tests.adapters.standard import SECRET, AdapterStandard, patient

pytestmark = pytest.mark.postgres
ROWS = 3000
MIDWAY = 150_000  # bytes of an extract of some 400,000; more than describing the table takes
_roles = itertools.count(1)


class SqlRig:
    cannot = frozenset({"miscount"})
    cut_short_error: type[HubError] = RetryLater
    request = PullRequest(PRODUCT_ORDER, "gd", "20260201")

    def __init__(self, server: EmbeddedServer, url: str, *, portable: bool) -> None:
        self.admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        self.portable = portable
        self.resumes = portable
        self.full_reads = 0
        self.password = SECRET
        self.database = sa.make_url(url).database or ""
        self.role = f"reader{next(_roles)}"
        rows = [order(number) for number in range(ROWS)]
        fill(url, rows)
        self.keys = [row["order_no"] for row in rows]
        self.run(f"create role {self.role} login password '{SECRET}'")
        self.run(f"grant select on t_product_order to {self.role}")
        self.door = Door(lambda: socket.create_connection(("127.0.0.1", server.port)))

    def run(self, statement: str) -> None:
        with self.admin.connect() as connection:
            connection.exec_driver_sql(statement)

    def source(self, patience: Patience) -> Source:
        connection = Connection(
            "bss_orders_gd", "postgres", "127.0.0.1", self.door.port, self.role, SecretStr(self.password), self.database
        )
        return SqlSource(connection, "t_product_order", patience, portable=self.portable)

    def keys_of(self, delivery: Delivery, sink: DirectorySink) -> list[str]:
        (content,) = sink.contents(delivery)
        return [row["order_no"] for row in csv.DictReader(io.StringIO(content.decode()))]

    def fail(self, times: int) -> None:
        self.door.refuse = times

    def break_midway(self) -> None:
        self.door.break_after, self.door.breaks = MIDWAY, 1

    def refuse_login(self) -> None:
        self.password = SECRET + "-wrong"

    def add_column(self) -> None:
        self.run("alter table t_product_order add surprise text")

    def rename_column(self) -> None:
        self.run("alter table t_product_order rename channel to surprise")

    def cut_short(self) -> None:
        self.door.break_after, self.door.breaks = MIDWAY // 3, 10_000

    def miscount(self) -> None:
        raise NotImplementedError

    def fall_silent(self) -> None:
        self.door.silent_after = MIDWAY // 3

    def stop(self) -> None:
        self.door.close()

    def close(self) -> None:
        self.door.close()
        self.run(f"drop owned by {self.role}; drop role {self.role}")
        self.admin.dispose()


@pytest.fixture
def open_rig(
    pg_server: EmbeddedServer, new_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[bool], SqlRig]]:
    """A rig on a database of its own; how often a read begins is counted where it begins."""
    rigs: list[SqlRig] = []
    monkeypatch.setattr(sql_pages, "PAGE_ROWS", 500)
    monkeypatch.setattr(sql_pages, "PART_ROWS", 100)
    copy_out, from_position = sql.copy_out, sql_pages.PagedRead._from_position

    def counted_copy(*args: Any) -> Any:
        rigs[0].full_reads += 1
        return copy_out(*args)

    def counted_pages(read: Any, position: sql_pages.Position) -> Any:
        rigs[0].full_reads += position == sql_pages.Position()
        return from_position(read, position)

    monkeypatch.setattr(sql, "copy_out", counted_copy)
    monkeypatch.setattr(sql_pages.PagedRead, "_from_position", counted_pages)

    def make(portable: bool) -> SqlRig:
        rigs.append(SqlRig(pg_server, new_database(), portable=portable))
        return rigs[0]

    yield make
    for rig in rigs:
        rig.close()


class TestCopy(AdapterStandard):
    @pytest.fixture
    def rig(self, open_rig: Callable[[bool], SqlRig]) -> SqlRig:
        return open_rig(False)


class TestKeysetPages(AdapterStandard):
    @pytest.fixture
    def rig(self, open_rig: Callable[[bool], SqlRig]) -> SqlRig:
        return open_rig(True)


def test_a_column_of_another_type_is_drift(open_rig: Callable[[bool], SqlRig]) -> None:
    rig = open_rig(False)
    rig.run("alter table t_product_order alter price_fen type text, alter ordered_at type timestamptz")
    with pytest.raises(FixContract) as caught:
        rig.source(patient([])).probe(PRODUCT_ORDER)
    assert caught.value.facts["changed"] == {"price_fen": "TEXT", "ordered_at": "TIMESTAMP"}


def test_a_missing_table_is_drift(open_rig: Callable[[bool], SqlRig]) -> None:
    rig = open_rig(False)
    rig.run("alter table t_product_order rename to t_order")
    with pytest.raises(FixContract, match="no such table"):
        rig.source(patient([])).probe(PRODUCT_ORDER)


def test_a_column_ignored_by_name_is_no_drift(open_rig: Callable[[bool], SqlRig]) -> None:
    rig = open_rig(False)
    rig.add_column()
    tolerant = PRODUCT_ORDER.model_copy(update={"ignored": ("surprise",)})
    assert "surprise" in (rig.source(patient([])).probe(tolerant).columns or ())


def test_a_server_that_accepts_and_says_nothing_is_left(open_rig: Callable[[bool], SqlRig]) -> None:
    rig = open_rig(False)
    rig.door.silent_after = 0
    with pytest.raises(RetryLater):
        rig.source(Patience(attempts=1, connect_seconds=2)).probe(PRODUCT_ORDER)


def test_a_copy_that_the_server_breaks_off_lands_nothing(
    open_rig: Callable[[bool], SqlRig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = open_rig(False)
    columns = ", ".join(column.source for column in PRODUCT_ORDER.columns if column.name != "price_fen")
    rig.run("alter table t_product_order rename to t_order")
    price = "1 / (1500 - row_number() over (order by order_no)) as price_fen"
    rig.run(f"create view t_product_order as select {columns}, {price} from t_order; grant select on t_product_order to public")
    pieces: list[bytes] = []

    def seen(piece: bytes) -> bytes:
        pieces.append(piece)
        return piece

    class Watched(DirectorySink):
        def put(self, name: str, chunks: Any) -> Any:
            return super().put(name, map(seen, chunks))

    source = rig.source(patient([]))
    monkeypatch.setattr(sql_copy, "PIECE_BYTES", 1000)
    with pytest.raises(FixContract, match=r"refuses the query \(DivisionByZero 22012\)"):
        source.fetch(rig.request, Watched(tmp_path))
    assert pieces
    assert [file.name for file in tmp_path.iterdir()] == ["part"]  # the sink's own draft


def test_a_read_given_up_by_its_reader_leaves_no_query_behind(open_rig: Callable[[bool], SqlRig]) -> None:
    rig = open_rig(False)

    class FullSink(DirectorySink):
        def put(self, name: str, chunks: Any) -> Any:
            next(iter(chunks))
            raise OSError("no space left")

    source = rig.source(patient([]))
    with pytest.raises(OSError, match="no space left"):
        source.fetch(rig.request, FullSink.__new__(FullSink))
    source.close()
    with psycopg.connect(rig.admin.url.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        wait = "select pg_sleep(0.01) where exists (select from pg_stat_activity where usename = %s)"
        while connection.execute(wait, [rig.role]).fetchone():
            connection.rollback()
