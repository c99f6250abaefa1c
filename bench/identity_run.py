"""`make bench-identity`: four systems' records from `core.*` in PostgreSQL to golden customers, ids and provenance.

Ours is the road's own `resolve`: extract, normalising, tiers, Splink model, hierarchy, ids, golden record, written in one
transaction. Timed: the first run over an empty crosswalk, and a night on which 1 % of the records changed. The limit is bare
Splink on the same records in the same run: exact comparisons, three blocking rules, no training, and clusters of what it
predicts; it gives no ids, golden record or history. `ROWS` is records in all (800,000); a quarter of them is measured too, for
the growth. The simulator makes its world first, in a process of its own (about two minutes for 800,000). `RUNS` (1); `WORLDS`,
a folder that keeps the worlds from one benchmark to the next.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import sqlalchemy as sa
from splink import DuckDBAPI, SettingsCreator, block_on
from splink import Linker as SplinkLinker
from splink.comparison_library import ExactMatch

from bench.measure import Measured, measure, result_line
from identity.extract import IDENTITY_COLUMNS
from identity.resolve import ResolveSummary, resolve
from store import duck
from store.migrate import upgrade
from store.server import EmbeddedServer, embedded_server, ensure_databases

CHANGED = 100  # one record in so many changes overnight
LINEAGE = ("system", "province", "source_key", "batch_id", "row_no", "source_version")


def main() -> None:
    rows, runs = int(os.environ.get("ROWS", "800000")), int(os.environ.get("RUNS", "1"))
    home = Path(tempfile.mkdtemp(prefix="bsshub-bench-identity-"))
    worlds = Path(os.environ.get("WORLDS") or home)
    try:
        with embedded_server(home / "pg") as server:
            small = _run(server, worlds, home, rows // 4)
            runs_ = [_run(server, worlds, home, rows) for _ in range(runs)]
    finally:
        shutil.rmtree(home, ignore_errors=True)
    ours, nights, bare = ([run[place] for run in runs_] for place in range(3))
    growth = ours[0].seconds / small[0].seconds
    allowed = 4 * math.log(rows) / math.log(rows / 4)
    print(
        json.dumps(
            {
                "growth_of_4x": round(growth, 2),
                "n_log_n": round(allowed, 2),
                "night_seconds": nights[0].seconds,
                "night_peak_mb": round(nights[0].peak_mb),
                "bare_splink_share": round(bare[0].seconds / ours[0].seconds, 3),
            }
        )
    )
    print(result_line("identity", rows, ours, bare, {"night_of_1_percent": nights[0].seconds, "quarter": small[0].seconds}))


def _run(server: EmbeddedServer, worlds: Path, home: Path, rows: int) -> tuple[Measured, Measured, Measured]:
    """(first run, a night of 1 %, bare Splink)."""
    world, name = worlds / f"world-{rows}", f"bench_identity_{rows}"
    if not world.exists():
        subprocess.run([sys.executable, "-m", "bench.identity_world", str(rows), str(world)], check=True)
    ensure_databases(server.url("postgres"), [name])
    engine = sa.create_engine(server.url(name))
    try:
        _load(engine, world)
        memory = home / f"memory-{rows}"
        shutil.rmtree(memory, ignore_errors=True)
        first = _resolved(engine, 1, memory, f"{rows} records, first run")
        _change(engine)
        night = _resolved(engine, 10, memory, f"{rows} records, a night of 1 %")
        bare = measure(lambda: _bare_splink(world))
        print(f"{rows} records, bare Splink: {bare.seconds:.1f} s, {bare.peak_mb:.0f} MB", flush=True)
    finally:
        engine.dispose()
    return first, night, bare


def _load(engine: sa.Engine, world: Path) -> None:
    upgrade(engine)
    with duck.session(engine.url, threads=2, memory="1GB") as connection:
        for entity, names in IDENTITY_COLUMNS.items():
            columns = ", ".join(dict.fromkeys((*LINEAGE, *names)))
            connection.execute(
                f"insert into store.core.{entity} ({columns}, is_deleted, valid_from, recorded_from, row_hash) select {columns}, "
                f"false, source_version, 1, md5(source_key) from '{world}/{entity}.parquet'"
            )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as store:
        store.execute(sa.text("update hub.clock set seq = 5"))
        store.execute(sa.text("vacuum analyze"))


def _change(engine: sa.Engine) -> None:
    """A new version of one record in a hundred: half move, half change how their name is written."""
    with engine.begin() as store:
        for entity, key in (("customer", "customer_name"), ("account", "customer_name"), ("product_order", "customer_name")):
            columns = _columns(store, entity)
            copied = ", ".join(name for name in columns if name not in {key, "recorded_from", "recorded_to", "row_hash"})
            chosen = f"recorded_to is null and hashtext(source_key || system || province) % {CHANGED} = 0"
            store.execute(sa.text(f"create temp table changed on commit drop as select * from core.{entity} where {chosen}"))
            store.execute(sa.text(f"update core.{entity} set recorded_to = 9 where {chosen}"))
            store.execute(sa.text(
                f"insert into core.{entity} ({copied}, {key}, recorded_from, row_hash) select {copied}, "
                f"replace(replace({key}, '有限公司', ''), '（', '('), 9, md5(source_key || '9') from changed"
            ))  # fmt: skip
            store.execute(sa.text("drop table changed"))
        store.execute(sa.text("update hub.clock set seq = greatest(seq, 9)"))


def _columns(store: sa.Connection, entity: str) -> list[str]:
    return [
        str(row[0])
        for row in store.execute(
            sa.text("select column_name from information_schema.columns where table_schema = 'core' and table_name = :name"),
            {"name": entity},
        )
    ]


def _resolved(engine: sa.Engine, seq: int, memory: Path, what: str) -> Measured:
    found: list[ResolveSummary] = []
    measured = measure(lambda: found.append(resolve(engine, seq, memory=memory)))
    said = found[0]
    print(f"{what}: {measured.seconds:.1f} s, {measured.peak_mb:.0f} MB, {said.source_customers} source customers, "
          f"{said.customers} customers, {said.new} new, {said.merged} merged", flush=True)  # fmt: skip
    return measured


def _bare_splink(world: Path) -> None:
    connection = duckdb.connect(config={"threads": 2, "memory_limit": "2GB"})
    connection.execute(f"""
        create table record as select row_number() over () as unique_id, * from (
            select customer_name, uscc, address, phone from '{world}/customer.parquet'
            union all select customer_name, uscc, address, contact_phone from '{world}/account.parquet'
            union all select customer_name, uscc, null, null from '{world}/product_order.parquet')""")
    api = DuckDBAPI(connection)
    columns = ("customer_name", "uscc", "address", "phone")
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[
            ExactMatch(column).configure(m_probabilities=[0.9, 0.1], u_probabilities=[0.00001, 0.99999]) for column in columns
        ],
        blocking_rules_to_generate_predictions=[block_on("customer_name"), block_on("uscc"), block_on("address")],
        probability_two_random_records_match=0.00001,
    )  # fmt: skip
    linker = SplinkLinker(api.register("record"), settings)
    predicted = linker.inference.predict(threshold_match_probability=0.9)
    linker.clustering.cluster_pairwise_predictions_at_threshold(predicted, threshold_match_probability=0.9)
    connection.close()
