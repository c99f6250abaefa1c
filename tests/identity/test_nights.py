"""Nights of a dirty simulated world: what a run with a memory leaves in the store, a run that computes everything would leave."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from sqlalchemy import Engine, text

from cli.identity_world import clientele_of, fill
from identity.extract import IDENTITY_COLUMNS, LINEAGE
from identity.resolve import resolve
from simulator.dirt import DirtRates
from store import duck

pytestmark = pytest.mark.postgres
WORLD = clientele_of(22, 150, DirtRates().tripled())
DERIVED = (
    "crosswalk", "identity_event", "customer_hierarchy", "review_pair", "identity_signal", "golden_customer", "golden_provenance",
)  # fmt: skip
# Some are written otherwise, some lose their code, some come from another address, some are gone; a column is left as it was
# where its entity has none.
_WRITTEN = {
    1: {"customer_name": "replace(replace(customer_name, '有限公司', ''), '（', '(')"},
    2: {"uscc": "null"},
    3: {"address": "'天河路3号'", "customer_name": "customer_name || '广州分公司'"},
}


def begin(engine: Engine, folder: Path) -> None:
    world = duckdb.connect()
    world.execute("set TimeZone = 'Asia/Shanghai'")
    fill(world, WORLD)
    with duck.session(engine.url) as connection:
        for entity, names in IDENTITY_COLUMNS.items():
            file = folder / f"{entity}.parquet"
            world.execute(f"copy core.{entity} to {duck.literal(file)} (format parquet)")
            columns = ", ".join(dict.fromkeys((*LINEAGE, "source_version", *names)))
            connection.execute(
                f"insert into store.core.{entity} ({columns}, is_deleted, valid_from, recorded_from, row_hash) select {columns}, "
                f"false, source_version, 1, md5(source_key) from read_parquet({duck.literal(file)})"
            )
    world.close()


def change(engine: Engine, seq: int) -> None:
    with engine.begin() as store:
        store.execute(text("update hub.clock set seq = greatest(seq, :seq)"), {"seq": seq})
        for entity in ("customer", "account", "product_order"):
            store.execute(text(
                f"create temp table changed on commit drop as select *, abs(hashtext(source_key || '{seq}') % 40) as way "
                f"from core.{entity} where recorded_to is null and abs(hashtext(source_key || '{seq}') % 40) < 5"
            ))  # fmt: skip
            store.execute(text(
                f"update core.{entity} row set recorded_to = {seq} from changed where row.recorded_to is null "
                "and (row.system, row.province, row.source_key) = (changed.system, changed.province, changed.source_key)"
            ))  # fmt: skip
            known = set(store.execute(text("select * from changed limit 0")).keys())
            for way, written in _WRITTEN.items():
                for column, value in written.items():
                    if column in known:
                        store.execute(text(f"update changed set {column} = {value} where way = {way}"))
            store.execute(text(f"update changed set recorded_from = {seq}, row_hash = md5(source_key || '{seq}')"))
            columns = ", ".join(sorted(known - {"way"}))
            store.execute(text(f"insert into core.{entity} ({columns}) select {columns} from changed where way > 0"))
            store.execute(text("drop table changed"))


def derived(engine: Engine) -> list[list[str]]:
    with engine.connect() as store:
        return [
            [str(row[0]) for row in store.execute(text(f"select t::text from core.{table} t order by 1"))] for table in DERIVED
        ]


def test_a_night_with_a_memory_leaves_nothing_that_a_full_run_would_write(store_engine: Engine, tmp_path: Path) -> None:
    begin(store_engine, tmp_path)
    memory = tmp_path / "memory"
    first = resolve(store_engine, 1, memory=memory)
    assert first.new > 100
    seq = first.seq
    for _ in range(3):
        change(store_engine, seq + 1)
        night = resolve(store_engine, seq + 1, memory=memory)
        assert seq < night.seq
        left = derived(store_engine)
        full = resolve(store_engine, seq + 1)
        assert derived(store_engine) == left
        assert (full.seq, full.new, full.customers) == (night.seq, 0, night.customers)
        seq = night.seq
    assert all(left)
