"""The heaviest comparison of a run, ours and others': subscriptions against what they were charged and what was ordered.

Three sides a subscription: CRM's monthly price, the rent billing charged for the month, the price that was ordered; whoever
compares has to name every subscription of which two sides differ, or one lacks the subscription. All start from the same three
tables: ours and bare DuckDB from Parquet, datacompy from Polars frames in memory, reladiff and PostgreSQL from its tables.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import reladiff
import sqlalchemy as sa
from datacompy import PolarsCompare

from bench.measure import Measured, measure, median_seconds
from store import duck

SIDES = ("crm", "billed", "ordered")
_SIDES = {
    "crm": "select province || '-' || product_id_crm as id, monthly_price_fen as fen "
    "from read_parquet('{parts}/product-*.parquet') where product_status in ('active', 'suspended')",
    "billed": "select province || '-' || product_id_crm as id, sum(amount_fen)::bigint as fen "
    "from read_parquet('{parts}/rent-*.parquet') group by province, product_id_crm",
    "ordered": "select province || '-' || product_id_crm as id, max(price_fen) as fen "
    "from read_parquet('{parts}/product_order-*.parquet') where order_state = 'completed' group by province, product_id_crm",
}
_JOIN = """
select id, crm.fen as crm_fen, billed.fen as billed_fen, ordered.fen as ordered_fen
from {crm} crm full join {billed} billed using (id) full join {ordered} ordered using (id)
where crm.fen is distinct from billed.fen or crm.fen is distinct from ordered.fen
"""
# What a rule writes of a difference: its subject, both sides as text, the money at stake.
_RULE = """
select split_part(id, '-', 1) as province, to_json({'product_id_crm': split_part(id, '-', 2)})::varchar as subject,
    crm_fen::varchar as left_value, concat_ws(', ', billed_fen, ordered_fen) as right_value,
    greatest(abs(coalesce(billed_fen, 0) - coalesce(crm_fen, 0)), abs(coalesce(ordered_fen, 0) - coalesce(crm_fen, 0)))
        as money_fen
"""


class Comparison:
    """The three sides of a run's data, for everyone who compares."""

    def __init__(self, engine: sa.Engine, parts: Path, folder: Path) -> None:
        self.engine = engine
        self.files = {side: folder / f"{side}.parquet" for side in SIDES}
        self.found: dict[str, int] = {}
        self.frames: dict[str, pl.DataFrame] = {}
        with duck.session(engine.url, threads=2, memory="2GB") as connection:
            for side, query in _SIDES.items():
                connection.execute(f"copy ({query.format(parts=parts)}) to '{self.files[side]}' (format parquet)")
                connection.execute(f"create table {duck.ATTACHED}.public.{side} as from '{self.files[side]}'")
        with engine.begin() as store:
            for side in SIDES:
                store.execute(sa.text(f"alter table public.{side} add primary key (id)"))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as store:
            store.execute(sa.text("vacuum analyze crm, billed, ordered"))

    def timings(self, runs: int) -> tuple[dict[str, Measured], dict[str, float]]:
        """Limits, and everyone's seconds; the peers once each, since they take long."""
        self.frames = {
            side: pl.read_parquet(file).with_columns(pl.col("fen").cast(pl.Decimal(18, 2)) / 100)
            for side, file in self.files.items()
        }
        limits = {"bare DuckDB joins": self._timed("bare DuckDB joins", self.bare_duckdb)}
        peers = {
            "bsshub, the comparison": median_seconds([self._timed("bsshub, the comparison", self.ours) for _ in range(runs)]),
            "bare DuckDB joins": limits["bare DuckDB joins"].seconds,
            "bare PostgreSQL joins": self._timed("bare PostgreSQL joins", self.bare_postgresql).seconds,
            "datacompy (Polars)": self._timed("datacompy (Polars)", self.datacompy).seconds,
            "reladiff": self._timed("reladiff", self.reladiff).seconds,
        }
        print(f"differing subscriptions found: {self.found}")
        return limits, peers

    def ours(self) -> int:
        with duckdb.connect(config={"threads": 2, "memory_limit": "1GB"}) as connection:
            connection.execute(f"create table finding as {_RULE} from ({self._joined()}) differing")
            return _one(connection.execute("select count(*) from finding").fetchone())

    def bare_duckdb(self) -> int:
        with duckdb.connect(config={"threads": 2, "memory_limit": "1GB"}) as connection:
            return _one(connection.execute(f"select count(*) from ({self._joined()}) differing").fetchone())

    def bare_postgresql(self) -> int:
        with self.engine.connect() as store:
            query = _JOIN.format(**{side: f"public.{side}" for side in SIDES})
            return int(store.execute(sa.text(f"select count(*) from ({query}) differing")).scalar_one())

    def datacompy(self) -> int:
        """CRM against each of the others; decimals, no tolerance."""
        logging.getLogger("datacompy").setLevel(logging.ERROR)
        ids: set[str] = set()
        for other in ("billed", "ordered"):
            compared = PolarsCompare(self.frames["crm"], self.frames[other], join_columns=["id"], cast_column_names_lower=False)
            for rows in (compared.df1_unq_rows, compared.df2_unq_rows, compared.all_mismatch()):
                ids.update(rows["id"].to_list())
        return len(ids)

    def reladiff(self) -> int:
        """CRM against each of the others, both in one PostgreSQL, as it chooses to."""
        logging.getLogger("reladiff").setLevel(logging.ERROR)
        url = self.engine.url
        host, port = url.query.get("host", url.host), url.query.get("port", url.port)
        known = {"driver": "postgresql", "host": host, "user": url.username, "dbname": url.database, "port": port}
        ids: set[object] = set()
        crm = reladiff.connect_to_table(known, "crm", "id", thread_count=2)
        for other in ("billed", "ordered"):
            table = reladiff.connect_to_table(known, other, "id", thread_count=2)
            ids.update(row[0] for _, row in reladiff.diff_tables(crm, table, extra_columns=("fen",), max_threadpool_size=2))
        return len(ids)

    def _joined(self) -> str:
        return _JOIN.format(**{side: f"read_parquet('{file}')" for side, file in self.files.items()})

    def _timed(self, name: str, work: Callable[[], int]) -> Measured:
        measured = measure(lambda: self.found.__setitem__(name, work()))
        print(f"{name}: {measured.seconds:.2f} s, peak {measured.peak_mb:.0f} MB", flush=True)
        return measured


def _one(row: tuple[int, ...] | None) -> int:
    return int(row[0]) if row else 0
