"""`make bench-gate`: every rule of the bill items, Great Expectations, and a tenth of the rows quarantined with their bytes.

The limit is one bare DuckDB query that counts what the same predicates find, over the same Parquet; the peer is Great
Expectations alone on that Parquet. `ROWS` (10,000,000) and `RUNS` (3) by the environment; a tenth of the rows is measured
too, so that memory and time can be seen to grow as they should.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import sqlalchemy as sa

from adapters.staging import Staged, stage
from adapters.staging.session import session
from bench.measure import Measured, measure, median_seconds, result_line
from quality import judge, referee, write_quarantine
from quality.gate import workspace
from quality.render_gx import expectation, records_view
from quality.render_sql import predicate
from quality.rules import Check, UniqueKey, checks_of
from schemas.batch import Delivery, Kind, LandedObject, Layout
from schemas.contracts.billing import BILL_ITEM
from store import ledger
from store.migrate import upgrade
from store.server import embedded_server

PERIOD = "202602"
CHECKS = checks_of(BILL_ITEM)
ROW_CHECKS = [check for check in CHECKS if not isinstance(check.test, UniqueKey)]

# Every tenth row breaks something, each of ten ways in turn.
LINES = """
    SELECT CASE bad WHEN 1 THEN lower(item_no) ELSE item_no END, bill_no, CASE bad WHEN 2 THEN '' ELSE account_no END, product,
        CASE bad WHEN 3 THEN '9999' ELSE '1001' END, 'monthly fee of the leased line', service_no,
        CASE bad WHEN 4 THEN '-1' WHEN 5 THEN 'x' ELSE quantity END, price,
        CASE bad WHEN 6 THEN '99999999999' WHEN 7 THEN '5,000' ELSE amount END, '600',
        CASE bad WHEN 8 THEN '20260131' WHEN 9 THEN '20260228' ELSE '20260201' END,
        CASE bad WHEN 9 THEN '20260227' WHEN 10 THEN '20260301' ELSE '20260228' END
    FROM (SELECT 'ITEM' || lpad(i::VARCHAR, 16, '0') AS item_no, 'BILL202602' || lpad((i // 5)::VARCHAR, 10, '0') AS bill_no,
            'ACCT' || lpad((i // 5)::VARCHAR, 8, '0') AS account_no, 'P' || lpad((i // 3)::VARCHAR, 11, '0') AS product,
            '1860' || lpad((i % 10000000)::VARCHAR, 7, '0') AS service_no, (1 + i % 5)::VARCHAR AS quantity,
            (100 * (i % 977))::VARCHAR AS price, (100 * (i % 977) * (1 + i % 5))::VARCHAR AS amount,
            CASE WHEN i % 10 = 9 THEN 1 + i // 10 % 10 END AS bad
          FROM range({rows}) t(i))"""


@dataclass(frozen=True)
class OneFile:
    """The landed file, as the landing would give it."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def object(self) -> LandedObject:
        return LandedObject(name=self.name, sha256="0" * 64, bytes=self.path.stat().st_size)

    def chunks(self, size: int = 1 << 22) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            while chunk := file.read(size):
                yield chunk

    def local_path(self) -> AbstractContextManager[Path]:
        return nullcontext(self.path)


class Bench:
    """One staged batch of so many rows, and a store to quarantine into."""

    def __init__(self, url: str, root: Path, rows: int) -> None:
        self.rows = rows
        self.root = root / str(rows)
        self.root.mkdir()
        self.engine = sa.create_engine(url)
        self.file = OneFile(self.root / "items.dat")
        with session(os.cpu_count() or 1) as connection:
            connection.execute(f"COPY ({LINES.format(rows=rows)}) TO '{self.file.path}' (HEADER false, DELIMITER '|', QUOTE '')")
        self.staged: Staged = stage(BILL_ITEM, PERIOD, Layout.DELIMITED, [self.file], self.root / "rows")
        self.resends = count()

    def ours(self) -> None:
        """A batch of its own each time, as each resend is: judging one batch again takes its earlier quarantine away first."""
        delivery = Delivery(
            kind=Kind.FULL,
            resend=next(self.resends),
            layout=Layout.DELIMITED,
            objects=(self.file.object,),
            declared_rows=self.rows,
        )
        with self.engine.begin() as connection:
            batch_id = ledger.record_landed(connection, BILL_ITEM, "gd", PERIOD, delivery).batch_id
        verdict = judge(BILL_ITEM, PERIOD, self.staged, delivery, self.root / "gate")
        written = write_quarantine(self.engine, batch_id, BILL_ITEM, self.staged, verdict, [self.file])
        if not verdict.account.quarantined == written == self.rows // 10:
            raise SystemExit(f"void: {verdict.account}, {written} rows in quarantine")

    def bare_duckdb(self) -> None:
        counts = ", ".join(f"count(*) FILTER (WHERE {predicate(BILL_ITEM, check, PERIOD)})" for check in ROW_CHECKS)
        files = [str(path) for path in self.staged.files]
        with session(os.cpu_count() or 1) as connection:
            connection.execute(f"SELECT {counts}, count(DISTINCT item_no) FROM read_parquet($files)", {"files": files}).fetchall()

    def gx_alone(self) -> None:
        out = self.root / "gx"
        out.mkdir(exist_ok=True)
        files = ", ".join(f"'{path}'" for path in self.staged.files)
        with workspace(out) as (database, connection):
            connection.execute(f"CREATE VIEW staged AS SELECT * FROM read_parquet([{files}])")
            connection.execute(f"CREATE VIEW records AS {records_view(BILL_ITEM, CHECKS)}")
            referee.judge(database, "bench", [referee.Judged("records", [self._expected(check) for check in ROW_CHECKS])], {})

    def _expected(self, check: Check) -> object:
        return expectation(BILL_ITEM, check, PERIOD, self.rows)


def timed(name: str, bench: Bench, work: str) -> Measured:
    measured = measure(getattr(bench, work))
    print(f"{name}: {measured.seconds:.2f} s, peak {measured.peak_mb:.0f} MB", flush=True)
    return measured


def main() -> None:
    rows, runs = int(os.environ.get("ROWS") or 10_000_000), int(os.environ.get("RUNS") or 3)
    root = Path(tempfile.mkdtemp(prefix="bsshub-bench-gate-"))
    try:
        with embedded_server(root / "pg") as server:
            url = server.url("postgres")
            upgrade(sa.create_engine(url))
            tenth = Bench(url, root, rows // 10)
            timed("first use of Great Expectations, with its import", tenth, "ours")
            timed(f"{rows // 10} rows", tenth, "ours")
            bench = Bench(url, root, rows)
            print(f"{len(CHECKS)} rules, {rows} rows, {rows // 10} of them bad", flush=True)
            limit, ours = [], []
            for number in range(runs):
                limit.append(timed(f"bare DuckDB {number + 1}", bench, "bare_duckdb"))
                ours.append(timed(f"bsshub {number + 1}", bench, "ours"))
            peers = {"great_expectations on DuckDB, alone": median_seconds([timed("GX alone", bench, "gx_alone")])}
        print(result_line("gate", rows, ours, limit, peers))
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
