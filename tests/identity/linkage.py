"""A scene linked in DuckDB alone: who is one customer, and what was signalled."""

from __future__ import annotations

import duckdb
from scene import Scene

from identity.linking import ModelLinker
from identity.sources import prepare

ONE, OTHER, THIRD = "91440101MA59P7XQ24", "91110000600037341L", "913200001347576158"


def linked(connection: duckdb.DuckDBPyConnection, scene: Scene, *, reverse: bool = False) -> set[frozenset[str]]:
    """The customers: sets of `system/province/key`."""
    scene.into_duck(connection, reverse=reverse)
    prepare(connection)
    ModelLinker().link(connection)
    rows = connection.execute(
        "select list(system || '/' || province || '/' || customer_key) "
        "from node join customer_group using (node) group by component"
    ).fetchall()
    return {frozenset(row[0]) for row in rows}


def signals(connection: duckdb.DuckDBPyConnection) -> set[str]:
    return {row[0] for row in connection.execute("select distinct kind from signal").fetchall()}
