"""A simulated world's clean rows as an extract: what loads would leave in `core.*` after a night, told by the simulator."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations
from typing import Any

import duckdb
import pyarrow as pa
from sqlalchemy import Engine

from identity.extract import IDENTITY_COLUMNS, LINEAGE, RECONCILE_COLUMNS, Extract, merged, store_session
from schemas.contract import Contract
from schemas.contracts import CONTRACTS
from schemas.entities import ENTITIES, FACTS
from simulator import expected, truth
from simulator.world import World

COLUMNS = merged(IDENTITY_COLUMNS, RECONCILE_COLUMNS)
_TYPES = {
    "integer": "bigint",
    "fen": "bigint",
    "yuan": "bigint",
    "date": "date",
    "timestamp": "timestamptz",
    "boolean": "boolean",
}


def feeds_of(entity: str) -> Iterator[Contract]:
    return (contract for contract in CONTRACTS.values() if contract.entity == entity)


def fill(connection: duckdb.DuckDBPyConnection, world: World, night: str, months: Sequence[str]) -> None:
    """Makes the entities of identity and reconciliation in schema `core`."""
    connection.execute("create schema if not exists core")
    for entity, names in COLUMNS.items():
        types = {column.name: _TYPES.get(column.type.value, "varchar") for column in ENTITIES[entity].columns}
        columns = [*LINEAGE, *names] if entity in FACTS else [*LINEAGE, "source_version", *names]
        fixed = {"batch_id": "bigint", "row_no": "bigint", "source_version": "timestamptz"}
        declared = ", ".join(f"{name} {fixed.get(name) or types.get(name, 'varchar')}" for name in columns)
        connection.execute(f"create or replace table core.{entity} ({declared})")
        for contract in feeds_of(entity):
            periods = months if contract.period == "monthly" else [night]
            for batch, period in enumerate(periods, start=1):
                rows = [_row(contract, raw, batch, n) for n, raw in enumerate(_clean(contract, world, period), start=1)]
                if rows:
                    given = pa.table({name: pa.array([_text(row.get(name)) for row in rows], pa.string()) for name in columns})
                    connection.register("given", given)
                    connection.execute(f"insert into core.{entity} by name select * from given")
                    connection.unregister("given")
    shared = (
        "select system, province, source_key, number_group from core.product "
        "where number_group is not null qualify count(*) over (partition by province, number_group) > 1"
    )
    connection.execute(f"create or replace table product_number_group as {shared}")
    connection.execute("alter table core.product drop column number_group")


@contextmanager
def extract(world: World, engine: Engine, night: str, months: Sequence[str]) -> Iterator[Extract]:
    """The world's rows beside a real store, as `open_extract` would give them."""
    with store_session(engine) as connection:
        fill(connection, world, night, months)
        yield Extract(connection, 0, tuple(COLUMNS))


def pairs(groups: dict[tuple[str, str, str], object]) -> set[frozenset[tuple[str, str, str]]]:
    """Every pair of source customers that share a group."""
    members: dict[object, list[tuple[str, str, str]]] = {}
    for key, group in groups.items():
        members.setdefault(group, []).append(key)
    return {frozenset(pair) for keys in members.values() for pair in combinations(keys, 2)}


def true_groups(world: World, night: str) -> dict[tuple[str, str, str], object]:
    return {
        (str(row["system"]), str(row["province"]), str(row["source_key"])): row["firm_id"]
        for row in truth.customers(world, night)
    }


def _clean(contract: Contract, world: World, period: str) -> Iterator[dict[str, Any]]:
    for province in world.provinces:
        for row in expected.rows(world, contract.feed_id, province, period):
            if not row.get("deleted"):
                yield row


def _row(contract: Contract, raw: dict[str, Any], batch: int, number: int) -> dict[str, Any]:
    row = {column.name: raw.get(column.source, raw.get(f"{column.source}_fen")) for column in contract.columns}
    if contract.entity == "product":
        row["number_group"] = raw["service_no"] and hashlib.md5(raw["service_no"].encode()).hexdigest()
    return {
        **row, "system": contract.system, "province": raw["province"], "source_key": "|".join(str(row[k]) for k in contract.key),
        "source_version": row.get("updated_at"), "batch_id": batch, "row_no": number,
    }  # fmt: skip


def _text(value: object) -> str | None:
    return None if value is None else str(value)
