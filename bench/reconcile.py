"""`make bench-reconcile`: every rule over a store of `ROWS` bill items, a fifth as many products, a fiftieth as many customers.

`full`: the first run, from the store's rows to breaks written and aged. `night`: the run after loads that change one row in a
hundred (products, orders, accounts, bill items), reading parts that the run before kept; `RUNS` times from the same state, of
which the first finds the store's memory as the loads left it. The heaviest comparison (subscriptions
against what they were charged and against what was ordered) beside datacompy (Polars, decimals) and reladiff on the same data,
and the bare joins of DuckDB and PostgreSQL as limits. `ROWS` (10,000,000) and `RUNS` (3) by the environment.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from bench.measure import Measured, measure, median_seconds, result_line
from bench.reconcile_peers import Comparison
from bench.reconcile_world import BASE_SEQ, NEXT_NIGHT, NEXT_SEQ, NIGHT, ReconcileWorld
from identity.extract import RECONCILE_COLUMNS, open_extract
from reconcile.run import ReconcileSummary, reconcile
from store import sequence
from store.migrate import upgrade
from store.server import EmbeddedServer, embedded_server, ensure_databases

FULL_WITHIN_S, NIGHT_WITHIN_S, PEAK_WITHIN_MB, TIMES_FASTER = 45, 15, 2048, 3


class Bench:
    """A filled store, and the folder of the extract's parts."""

    def __init__(self, server: EmbeddedServer, root: Path, items: int) -> None:
        ensure_databases(server.url("postgres"), ["bench"])
        self.url = server.url("bench")
        self.engine = sa.create_engine(self.url)
        upgrade(self.engine)
        self.world = ReconcileWorld(self.url, items)
        self.kept, self.set_aside = root / "parts", root / "set-aside"
        self.last: ReconcileSummary | None = None

    def run(self, seq: int, night: str, batches: list[int]) -> ReconcileSummary:
        began = time.perf_counter()
        with open_extract(self.engine, seq, RECONCILE_COLUMNS, batches, kept=self.kept) as extract:
            read = time.perf_counter() - began
            self.last = reconcile(self.engine, seq, night, batches, extract=extract)
        print(f"  read {read:.1f} s, judged and written {time.perf_counter() - began - read:.1f} s, {self.last.breaks} breaks")
        return self.last

    def full(self) -> None:
        self.run(BASE_SEQ, NIGHT, self.world.fact_batches)

    def night(self) -> None:
        self.run(NEXT_SEQ, NEXT_NIGHT, [*self.world.fact_batches, *self.world.correction_batches])

    def keep(self) -> int:
        """Sets aside what the run before left, for `return_to`."""
        shutil.copytree(self.kept, self.set_aside, copy_function=os.link)
        with self.engine.connect() as store:
            return sequence.current(store)

    def return_to(self, seq: int) -> None:
        """As `keep` left it: the parts, and the breaks of sequence `seq`."""
        shutil.rmtree(self.kept)
        shutil.copytree(self.set_aside, self.kept, copy_function=os.link)
        with self.engine.begin() as store:
            for undone in (
                "delete from recon.breaks where recorded_from > :seq",
                "update recon.breaks set recorded_to = null where recorded_to > :seq",
                "delete from recon.rule_run where seq > :seq",
            ):
                store.execute(sa.text(undone), {"seq": seq})

    def forget(self) -> None:
        """As before the first run: no part is kept, no break is known."""
        shutil.rmtree(self.kept, ignore_errors=True)
        with self.engine.begin() as store:
            store.execute(sa.text("truncate recon.breaks, recon.rule_run"))

    def rows(self) -> dict[str, int]:
        tables = ("customer", "product", "product_order", "work_order", "bill", "bill_item")
        with self.engine.connect() as store:
            return {name: int(store.execute(sa.text(f"select count(*) from core.{name}")).scalar_one()) for name in tables}


def main() -> None:
    rows, runs = int(os.environ.get("ROWS") or 10_000_000), int(os.environ.get("RUNS") or 3)
    root = Path(tempfile.mkdtemp(prefix="bsshub-bench-reconcile-"))
    try:
        with embedded_server(root / "pg") as server:
            bench = Bench(server, root, rows)
            timed("setting up", bench.world.fill)
            held = bench.rows()
            print(", ".join(f"{number:,} {name}" for name, number in held.items()))
            full = []
            for number in range(runs):
                bench.forget()
                full.append(timed(f"full {number + 1}", bench.full))
            comparison = Comparison(bench.engine, bench.kept, root)
            bench.world.change()
            before, night = bench.keep(), []
            for number in range(runs):
                bench.return_to(before)
                night.append(timed(f"night {number + 1}, 1 % changed", bench.night))
            limits, peers = comparison.timings(runs)
            bench.engine.dispose()
        report(held["bill_item"], full, night, limits, peers)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def report(rows: int, full: list[Measured], night: list[Measured], limits: dict[str, Measured], peers: dict[str, float]) -> None:
    """Says how the figures stand to their bounds, and ends with the result line."""
    ours = peers["bsshub, the comparison"]
    least = min(peers[name] for name in ("datacompy (Polars)", "reladiff")) / ours
    peak = max(run.peak_mb for run in (*full, *night))
    for said, figure, bound in (
        ("full, s", median_seconds(full), FULL_WITHIN_S),
        ("night of 1 %, s", median_seconds(night), NIGHT_WITHIN_S),
        ("peak, MB", peak, PEAK_WITHIN_MB),
    ):
        print(f"{said}: {figure:.1f} (bound {bound}){'' if figure <= bound else ' MISSED'}")
    print(f"the comparison is {least:.1f} times faster than the quicker peer (bound {TIMES_FASTER})")
    line = json.loads(result_line("reconcile", rows, full, [limits["bare DuckDB joins"]], peers))
    print(json.dumps({**line, "night_seconds": round(median_seconds(night), 3), "peak_mb": round(peak)}))


def timed(name: str, work: Callable[[], object]) -> Measured:
    measured = measure(work)
    print(f"{name}: {measured.seconds:.2f} s, peak {measured.peak_mb:.0f} MB", flush=True)
    return measured


if __name__ == "__main__":
    main()
