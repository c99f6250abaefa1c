"""A night that computes only what changed ends where a run that computes everything ends; the order of rows means nothing."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from cli.identity_world import clientele_of, fill
from identity import comparing, contents, scoring
from identity.linking import ModelLinker
from identity.settings import IdentitySettings, load_settings
from identity.sources import prepare
from simulator.dirt import DirtRates

WORLD = clientele_of(21, 250, DirtRates().tripled())
CHANGED = "hash(source_key || system || province) % 100 = 7"
Linked = tuple[list[tuple[object, ...]], ...]


def extract(*, shuffled: bool = False, changed: bool = False) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'Asia/Shanghai'")
    fill(connection, WORLD)
    for entity in ("customer", "account", "product_order"):
        if changed:
            connection.execute(f"update core.{entity} set customer_name = replace(customer_name, '有限', '') where {CHANGED}")
            connection.execute(f"delete from core.{entity} where hash(source_key || system) % 100 = 8")
        if shuffled:
            connection.execute(f"create or replace table core.{entity} as from core.{entity} order by hash(source_key || 'x')")
    return connection


def linked(connection: duckdb.DuckDBPyConnection, memory: Path | None = None) -> Linked:
    prepare(connection, memory)
    ModelLinker(load_settings(), memory=memory).link(connection)
    found = tuple(
        connection.execute(query).fetchall()
        for query in (
            "from edge order by all", "from hierarchy_edge order by all", "from signal order by all",
            "select a, b, round(weight, 9), band, why from scored_pair order by all",
            "select node, component from customer_group order by all",
        )
    )  # fmt: skip
    connection.close()
    return found


def test_shuffled_rows_give_the_same_edges_weights_and_signals() -> None:
    first = linked(extract())
    assert linked(extract(shuffled=True)) == first
    assert len(first[3]) > 50


def test_a_night_that_remembers_equals_a_run_that_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = scoring.score_in_duckdb

    def counted(connection: duckdb.DuckDBPyConnection, settings: IdentitySettings) -> None:
        asked.extend(connection.execute("select count(*) from asked").fetchone() or ())
        real(connection, settings)

    monkeypatch.setattr("identity.linking.score_in_duckdb", counted)
    monkeypatch.setattr(ModelLinker.__init__, "__kwdefaults__", {"scorer": counted, "memory": None})
    linked(extract(), tmp_path)
    assert linked(extract(), tmp_path) == linked(extract())
    assert linked(extract(changed=True), tmp_path) == linked(extract(changed=True))
    first, again, _, night, _ = asked
    assert (again, night > 0, night < 0.2 * first) == (0, True, True)


def test_a_spoilt_memory_costs_time_and_no_result(tmp_path: Path) -> None:
    expected = linked(extract(), tmp_path)
    files = list(tmp_path.iterdir())
    assert {file.name.rpartition("-")[0] for file in files} >= {"name_fold", "uscc_fold", "weights"}
    for file in files:
        file.write_bytes(b"not parquet")
    assert linked(extract(), tmp_path) == expected


@pytest.mark.parametrize("changed", ["levels", "frequencies"])
def test_weights_of_another_state_of_the_model_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    memory = tmp_path / "memory"
    linked(extract(), memory)
    [before] = memory.glob("weights-*.parquet")
    linked(extract(), memory)
    assert list(memory.glob("weights-*.parquet")) == [before]
    file = Path(comparing.__file__) if changed == "levels" else contents.frequencies_file(load_settings())
    other = tmp_path / file.name
    other.write_bytes(file.read_bytes() + b"\n")
    scoring._levels.cache_clear()
    if changed == "levels":
        monkeypatch.setattr(comparing, "__file__", str(other))
    else:
        monkeypatch.setattr(scoring, "frequencies_file", lambda _: other)
    linked(extract(), memory)
    scoring._levels.cache_clear()
    [after] = memory.glob("weights-*.parquet")
    assert after != before
