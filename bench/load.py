"""`make bench-load`: a GB18030 bill-item file from the drop into the partitioned core table, against bare `COPY` of that file.

Ours is the road's own (`pull`, `gate`, `load`): check file, landing by hash, staging, every rule and Great Expectations, the
ledger. The key and the attaching are timed apart. The limit is `COPY … ENCODING 'GB18030'` of the raw bytes into a table of
the same columns without index or constraint. The peer is dlt in its fastest way: Arrow → Parquet → append by ADBC, nothing
validated. `ROWS` (10,000,000) and `RUNS` (3) by the environment; a tenth of the rows is measured too.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import dlt
import duckdb
import psycopg
import pyarrow as pa
import pyarrow.csv as pc
import sqlalchemy as sa

from bench.measure import Measured, measure, median_seconds, result_line
from hub.settings import Connection, Settings
from pipeline.gate import gate
from pipeline.hub import Hub
from pipeline.load import load
from pipeline.pull import pull
from quality.rules import checks_of
from schemas.batch import LoadCounts
from schemas.contracts.billing import BILL_ITEM
from store import facts
from store.landing import Landing
from store.migrate import upgrade
from store.server import EmbeddedServer, embedded_server, ensure_databases

PERIOD = "202602"
FILE = "i_gd_202602_01003_00_001"
CHUNK = 1 << 22
LINES = """
    SELECT string_agg(concat_ws('|', 'IT202602' || lpad(i::VARCHAR, 10, '0'), 'BL202602' || lpad((i // 5)::VARCHAR, 8, '0'),
        'AC' || lpad((i // 50)::VARCHAR, 8, '0'), 'PI' || lpad((i // 3)::VARCHAR, 8, '0'),
        ['1001', '1002', '1003', '1005'][1 + i % 4],
        ['互联网专线月租费（含税）', '国际及港澳台通信费（含税）', '数据专线端口月租（含税）', '协议优惠减免（含税）'][1 + i % 4],
        '1860' || lpad((i * 7919 % 10000000)::VARCHAR, 7, '0'), (1 + i % 5)::VARCHAR, (100 * (i % 977))::VARCHAR,
        (100 * (i % 977) * (1 + i % 5))::VARCHAR, (6 * (i % 977))::VARCHAR, '202602' || lpad((1 + i % 28)::VARCHAR, 2, '0'),
        '20260228') || chr(13), chr(10) ORDER BY i) FROM range({first}, {last}) t(i)"""
COLUMNS = tuple(column.name for column in BILL_ITEM.columns)
INTEGERS = ("quantity", "price_fen", "amount_fen", "tax_fen")
DATES = ("charged_from", "charged_to")


@dataclass
class Apart:
    """Seconds spent in the steps that are timed apart, of the run under way."""

    seconds: dict[str, float] = field(default_factory=dict)

    def wrap(self, step: str) -> None:
        real: Callable[..., object] = getattr(facts, step)

        def timed_step(*args: object) -> object:
            began = time.perf_counter()
            try:
                return real(*args)
            finally:
                self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - began

        setattr(facts, step, timed_step)


@dataclass(frozen=True)
class Run:
    """One run of ours: `road` leaves the key and the attaching out."""

    whole: Measured
    steps: dict[str, float]
    key: float
    attach: float

    @property
    def road(self) -> Measured:
        return Measured(self.whole.seconds - self.key - self.attach, self.whole.peak_mb)


class Bench:
    """A drop with one month's file of so many rows, and an empty store for each run."""

    def __init__(self, server: EmbeddedServer, root: Path, rows: int, apart: Apart) -> None:
        self.server = server
        self.root = root / str(rows)
        self.drop = self.root / "drop"
        self.rows = rows
        self.apart = apart
        self.drop.mkdir(parents=True)
        self.file = self.drop / f"{FILE}.dat"
        self._write_file()

    def ours(self) -> Run:
        self._fresh("bench")
        settings = Settings(self.root / "home", self.server.url("bench"), (self.root / "landing").as_uri())
        engine = sa.create_engine(self.server.url("bench"))
        hub = Hub(settings, engine, Landing(settings.landing_url), self._connection)
        self.apart.seconds.clear()
        steps: dict[str, float] = {}

        def road() -> None:
            began = time.perf_counter()
            batches = pull(hub, BILL_ITEM.feed_id, "gd", PERIOD)
            steps["pull"] = time.perf_counter() - began
            gate(hub, batches)
            steps["gate"] = time.perf_counter() - began - steps["pull"]
            (counts,) = load(hub, batches)
            steps["load"] = time.perf_counter() - began - steps["pull"] - steps["gate"]
            self._is_whole(engine, counts)

        whole = measure(road)
        engine.dispose()
        return Run(whole, steps, self.apart.seconds["build_key"], self.apart.seconds["attach_partition"])

    def bare_copy(self) -> None:
        columns = ", ".join(COLUMNS)
        copy = f"copy bare ({columns}) from stdin (format text, delimiter '|', null '', encoding 'GB18030')"
        with psycopg.connect(self._dsn("bench")) as connection, self.file.open("rb") as file:
            cursor = connection.cursor()
            with cursor.copy(copy.encode()) as stream:
                while chunk := file.read(CHUNK):
                    stream.write(chunk)

    def prepare_bare(self) -> None:
        self._fresh("bench")
        with psycopg.connect(self._dsn("bench"), autocommit=True) as connection:
            connection.execute("create table bare (like core.bill_item)")
            for name in ("system", "province", "source_key", "batch_id", "row_no"):
                connection.execute(f"alter table bare alter {name} drop not null")

    def peer(self) -> Peer:
        self._fresh("bench")
        return Peer(self.server.tcp_url("bench").replace("+psycopg", ""), self.file, self.rows)

    def _fresh(self, name: str) -> None:
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"drop database if exists {name} with (force)".encode())
        ensure_databases(self.server.url("postgres"), [name])
        engine = sa.create_engine(self.server.url(name))
        upgrade(engine)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("checkpoint"))
        engine.dispose()
        for folder in ("home", "landing"):
            shutil.rmtree(self.root / folder, ignore_errors=True)

    def _is_whole(self, engine: sa.Engine, counts: LoadCounts) -> None:
        """Void unless every row is in an attached partition with its unique source key and its lineage."""
        with engine.connect() as connection:
            rows, named = connection.execute(
                sa.text("select count(*), count(*) filter (where batch_id is not null and row_no > 0) from core.bill_item_b1")
            ).one()
            keys = connection.execute(
                sa.text("select count(*) from pg_constraint where conrelid = 'core.bill_item_b1'::regclass and contype = 'u'")
            ).scalar_one()
            parts = connection.execute(sa.text("select count(*) from pg_inherits where inhparent = 'core.bill_item'::regclass"))
            if not (rows == named == counts.inserted == self.rows and keys == 1 and parts.scalar_one() == 1):
                raise SystemExit(f"void: {rows} rows, {named} with lineage, {counts}, {keys} keys")

    def _write_file(self) -> None:
        with duckdb.connect() as connection, self.file.open("wb") as file:
            for first in range(0, self.rows, 500_000):
                query = LINES.format(first=first, last=min(first + 500_000, self.rows))
                (text,) = connection.execute(query).fetchall()[0]
                file.write(text.encode("gb18030") + b"\n")
        size = self.file.stat().st_size
        check = f"{self.file.name:<40}{size:020d}{self.rows:020d}2026020120260303010203\r\n"
        (self.drop / f"{FILE}.verf").write_bytes(check.encode())
        print(f"{self.rows} rows, {size / 1e9:.2f} GB of GB18030", flush=True)

    def _connection(self, conn_id: str) -> Connection:
        return Connection(conn_id, "file", schema=str(self.drop))

    def _dsn(self, database: str) -> str:
        return sa.make_url(self.server.url(database)).set(drivername="postgresql").render_as_string(hide_password=False)


@dataclass(frozen=True)
class Peer:
    """dlt's way of the same file, by a process of its own: what it leaves in memory is not ours."""

    url: str
    file: Path
    rows: int

    def measured(self) -> Measured:
        return measure(self.append)

    def append(self) -> None:
        os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
        with tempfile.TemporaryDirectory(prefix="bsshub-bench-dlt-") as folder:
            pipeline = dlt.pipeline(
                "bench", destination=dlt.destinations.postgres(self.url), dataset_name="peer", pipelines_dir=folder
            )
            resource = dlt.resource(self._arrow(), name="bill_item", write_disposition="append")
            pipeline.run(resource, loader_file_format="parquet")
        with psycopg.connect(self.url) as connection:
            found = connection.execute("select count(*) from peer.bill_item").fetchone()
            if found is None or found[0] != self.rows:
                raise SystemExit(f"void: dlt wrote {found}")

    def _arrow(self) -> Iterator[pa.Table]:
        types = {name: pa.int64() for name in INTEGERS} | {name: pa.timestamp("s") for name in DATES}
        strings = {name: pa.string() for name in COLUMNS if name not in types}
        reader = pc.open_csv(
            self.file,
            read_options=pc.ReadOptions(column_names=list(COLUMNS), encoding="gb18030", block_size=1 << 24),
            parse_options=pc.ParseOptions(delimiter="|", quote_char=False),
            convert_options=pc.ConvertOptions(column_types={**types, **strings}, timestamp_parsers=["%Y%m%d"]),
        )
        for batch in reader:
            yield pa.Table.from_batches([batch])


def limit_of(bench: Bench, name: str) -> Measured:
    bench.prepare_bare()
    measured = measure(bench.bare_copy)
    print(f"{name}: {measured.seconds:.2f} s", flush=True)
    return measured


def ours_of(bench: Bench, name: str) -> Run:
    run = bench.ours()
    steps = ", ".join(f"{step} {seconds:.2f}" for step, seconds in run.steps.items())
    apart = f"key {run.key:.2f}, attach {run.attach:.2f}"
    print(f"{name}: {run.road.seconds:.2f} s ({steps}; of it apart: {apart}), peak {run.whole.peak_mb:.0f} MB", flush=True)
    return run


def peer_of(tenth: Bench, bench: Bench, name: str) -> Measured:
    """Ours has run before it is timed; so has the peer."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        process.submit(tenth.peer().measured).result()
        measured = process.submit(bench.peer().measured).result()
    print(f"{name}: {measured.seconds:.2f} s, peak {measured.peak_mb:.0f} MB", flush=True)
    return measured


def main() -> None:
    rows, runs = int(os.environ.get("ROWS") or 10_000_000), int(os.environ.get("RUNS") or 3)
    root = Path(tempfile.mkdtemp(prefix="bsshub-bench-load-"))
    apart = Apart()
    for step in ("build_key", "attach_partition"):
        apart.wrap(step)
    try:
        with embedded_server(root / "pg") as server:
            print(f"{len(checks_of(BILL_ITEM))} rules and Great Expectations", flush=True)
            tenth = Bench(server, root, max(rows // 10, 1000), apart)
            ours_of(tenth, "first use, with imports")
            small = ours_of(tenth, "a tenth of the rows")
            bench = Bench(server, root, rows, apart)
            limit, ours, peer = [], [], []
            for number in range(runs):
                limit.append(limit_of(bench, f"bare COPY {number + 1}"))
                ours.append(ours_of(bench, f"bsshub {number + 1}"))
                peer.append(peer_of(tenth, bench, f"dlt append {number + 1}"))
        summary(limit, ours, small, rows)
        print(result_line("load", rows, [run.road for run in ours], limit, {"dlt 1.31 append, ADBC": median_seconds(peer)}))
    finally:
        shutil.rmtree(root, ignore_errors=True)


def summary(limit: list[Measured], ours: list[Run], small: Run, rows: int) -> None:
    bare, whole = median_seconds(limit), median_seconds([run.whole for run in ours])
    per_row = median_seconds([run.road for run in ours]) / rows / (small.road.seconds / max(rows // 10, 1000))
    key = median_seconds([Measured(run.key, 0) for run in ours])
    attach = median_seconds([Measured(run.attach, 0) for run in ours])
    print(f"the key {key:.2f} s, attaching {attach:.2f} s; with both {whole:.2f} s, {whole / bare:.2f} times bare COPY")
    print(f"seconds a row, all rows against a tenth: {per_row:.2f}")


if __name__ == "__main__":
    main()
