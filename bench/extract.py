"""`make bench-extract`: rows out of a relational source to staged Parquet, against bare `COPY … TO STDOUT` of the same table.

Ours is the road's own: the contract's columns checked, `COPY` into content-addressed landing, typed and staged as Parquet
while it lands. Both are timed over TCP, as a source is reached (its line is the last), and over the server's local socket, whose
small buffer lets a server run ahead of its reader by a millisecond only.
Peers end at Parquet too, over TCP, and check nothing. `ROWS` (2,000,000) and `RUNS` (5) by the environment.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import connectorx
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa
from pydantic import SecretStr

from adapters.protocol import PullRequest
from adapters.staging import StagingSink, take
from adapters.transports.patience import Patience
from adapters.transports.sql import SqlSource
from bench.measure import Measured, measure, median_seconds, result_line
from hub.settings import Connection
from schemas.batch import Layout
from schemas.contracts.orders import PRODUCT_ORDER
from store.landing import Landing
from store.server import EmbeddedServer, embedded_server

TABLE = "t_product_order"
PERIOD = "20260201"
COPY = f"COPY {TABLE} TO STDOUT"
FILL = """
create table t_product_order (
    order_no varchar(20) primary key, customer_no varchar(12), customer_name varchar(200), uscc varchar(30),
    crm_customer_id varchar(12), product_id varchar(16), offering_code varchar(8), service_kind varchar(2), action varchar(2),
    state varchar(8), channel varchar(8), ordered_at timestamp, completed_at timestamp, price_fen bigint,
    updated_at timestamp not null
);
insert into t_product_order
select 'PO' || lpad(i::text, 10, '0'), 'C' || lpad((i % 200000)::text, 8, '0'), '广东省第' || (i % 200000) || '实业有限公司',
    '91440300MA5' || lpad((i % 200000)::text, 7, '0'), 'CU' || lpad((i % 200000)::text, 8, '0'), 'P' || lpad(i::text, 10, '0'),
    (array['IPL', 'MPLS', 'IDC', 'CLOUD'])[1 + i % 4], (array['F', 'M', 'C'])[1 + i % 3], 'A',
    (array['DONE', 'PROC', 'NEW'])[1 + i % 3], 'YYT', timestamp '2026-01-01' + i * interval '1 second',
    case when i % 3 = 0 then timestamp '2026-01-02' + i * interval '1 second' end, 500000 + i % 1000,
    timestamp '2026-01-01' + (i + case when i % 20 = 0 then i * 7919 % 2592000 else 0 end) * interval '1 second'
from generate_series(1, {rows}::bigint) i;
create index on t_product_order (updated_at, order_no);
vacuum analyze t_product_order;
"""


@dataclass(frozen=True)
class Way:
    """One way to the same server. connectorx knows only `tcp`."""

    name: str
    dsn: str
    connection: Connection


def tcp(server: EmbeddedServer) -> Way:
    url = sa.make_url(server.tcp_url("postgres")).set(drivername="postgresql")
    reached = Connection(
        "bss_orders_gd",
        "postgres",
        host=str(url.host),
        port=url.port,
        login=str(url.username),
        password=SecretStr(str(url.password)),
        schema="postgres",
    )
    return Way("tcp", url.render_as_string(hide_password=False), reached)


def local_socket(server: EmbeddedServer) -> Way:
    url = sa.make_url(server.url("postgres")).set(drivername="postgresql")
    where: dict[str, object] = {"host": str(server.socket_dir), "port": str(server.port)}
    reached = Connection("bss_orders_gd", "postgres", login="postgres", schema="postgres", extra=where)
    return Way("local socket", url.render_as_string(hide_password=False), reached)


class Bench:
    def __init__(self, way: Way, root: Path, rows: int) -> None:
        self.way = way
        self.root = root
        self.rows = rows

    def fill(self) -> None:
        with psycopg.connect(self.way.dsn, autocommit=True) as connection:
            for statement in FILL.format(rows=self.rows).split(";\n"):
                connection.execute(statement.encode()) if statement.strip() else None

    def bare_copy(self) -> None:
        """As psycopg reads it: a tenth quicker by the clock than libpq's own blocking read, for the client never sleeps."""
        with psycopg.connect(self.way.dsn) as connection, connection.cursor() as cursor, cursor.copy(COPY) as copy:
            for _ in copy:
                pass

    def ours(self, *, portable: bool = False) -> None:
        ahead = self.root / "stage" / "ahead"
        sink = StagingSink(Landing((self.root / "landing").as_uri()), PRODUCT_ORDER, PERIOD, Layout.CSV, ahead, "bench")
        source = SqlSource(self.way.connection, TABLE, Patience(), portable=portable)
        (delivery,) = source.fetch(PullRequest(PRODUCT_ORDER, "gd", PERIOD), sink)
        source.close()
        staged = take(ahead, "bench", delivery.objects, self.root / "stage" / "rows")
        if staged is None:
            raise SystemExit("void: nothing was staged while it landed")
        if not staged.rows == delivery.declared_rows == self.rows:
            raise SystemExit(f"void: {staged.rows} staged, {delivery.declared_rows} declared, {self.rows} in the table")

    def connectorx_to_parquet(self) -> None:
        query = f"select * from {TABLE} order by updated_at, order_no"
        table: pa.Table = connectorx.read_sql(self.way.dsn, query, return_type="arrow", protocol="binary")
        pq.write_table(table, self.root / "peer.parquet")

    def yield_per_to_parquet(self) -> None:
        engine = sa.create_engine(sa.make_url(self.way.dsn).set(drivername="postgresql+psycopg"))
        query = sa.text(f"select * from {TABLE} order by updated_at, order_no")
        writer: pq.ParquetWriter | None = None
        with engine.connect().execution_options(stream_results=True, yield_per=50_000) as connection:
            result = connection.execute(query)
            names = list(result.keys())
            for part in result.partitions():
                table = pa.table(dict(zip(names, zip(*part, strict=True), strict=True)))
                writer = writer or pq.ParquetWriter(self.root / "peer.parquet", table.schema)
                writer.write_table(table)
        if writer:
            writer.close()
        engine.dispose()

    def clean(self) -> None:
        for name in ("landing", "stage"):
            shutil.rmtree(self.root / name, ignore_errors=True)
        (self.root / "peer.parquet").unlink(missing_ok=True)


def main() -> None:
    rows, runs = int(os.environ.get("ROWS") or 2_000_000), int(os.environ.get("RUNS") or 5)
    root = Path(tempfile.mkdtemp(prefix="bsshub-bench-extract-"))
    try:
        with embedded_server(root / "pg") as server:
            bench, local = (Bench(way(server), root, rows) for way in (tcp, local_socket))
            bench.fill()
            bench.bare_copy()  # so that the limit, too, reads from memory
            timed(bench, "first use, with imports", bench.ours)
            over_tcp, over_socket = compared([bench, local], runs)
            peers = {
                "bsshub, keyset pages": median_seconds([timed(bench, "keyset pages", lambda: bench.ours(portable=True))]),
                "connectorx": median_seconds([timed(bench, "connectorx", bench.connectorx_to_parquet)]),
                "sqlalchemy yield_per": median_seconds([timed(bench, "yield_per", bench.yield_per_to_parquet)]),
            }
        print(result_line("extract over the local socket", rows, *over_socket, {}))
        print(result_line("extract", rows, *over_tcp, peers))
    finally:
        shutil.rmtree(root, ignore_errors=True)


def compared(benches: Sequence[Bench], runs: int) -> list[tuple[list[Measured], list[Measured]]]:
    """Ours and the limit of each, all in turn: the machine's speed changes within minutes."""
    found: list[tuple[list[Measured], list[Measured]]] = [([], []) for _ in benches]
    for number in range(1, runs + 1):
        for bench, (ours, limit) in zip(benches, found, strict=True):
            limit.append(timed(bench, f"{bench.way.name}: bare COPY {number}", bench.bare_copy))
            ours.append(timed(bench, f"{bench.way.name}: bsshub {number}", bench.ours))
    return found


def timed(bench: Bench, name: str, work: Callable[[], None]) -> Measured:
    bench.clean()
    measured = measure(work)
    print(f"{name}: {measured.seconds:.2f} s, peak {measured.peak_mb:.0f} MB", flush=True)
    return measured


if __name__ == "__main__":
    main()
