"""Connected components as set-based SQL, the same whatever the order of the edges: each is named by its smallest node."""

from __future__ import annotations

import duckdb

# Each round takes the smallest label among the neighbours, then the label of that label; the second step halves the way
# still to go, so that the rounds grow with the logarithm of a chain's length.
_HOOK = """
create or replace temp table next_label as
with reached as (
    select edge.a as node, min(label.component) as component
    from (select a, b from {edges} union all select b, a from {edges}) edge join label on label.node = edge.b
    group by edge.a
)
select label.node, least(label.component, coalesce(reached.component, label.component)) as component
from label left join reached using (node)
"""
_JUMP = """
create or replace temp table label as
select own.node, least(own.component, further.component) as component
from next_label own join next_label further on further.node = own.component
"""


def components(connection: duckdb.DuckDBPyConnection, nodes: str, edges: str, into: str) -> None:
    """Makes table `into` (`node, component`) from the column `node` of `nodes` and the columns `a`, `b` of `edges`."""
    connection.execute(f"create or replace temp table label as select node, node as component from {nodes}")
    weight = _weight(connection)
    while True:
        connection.execute(_HOOK.format(edges=edges))
        connection.execute(_JUMP)
        lighter = _weight(connection)
        if lighter == weight:
            break
        weight = lighter
    connection.execute(f"create or replace table {into} as select node, component from label order by node")
    connection.execute("drop table label; drop table next_label")


def _weight(connection: duckdb.DuckDBPyConnection) -> int:
    """Sum of the labels: it falls with every round that changes anything."""
    row = connection.execute("select coalesce(sum(component), 0)::hugeint from label").fetchone()
    return int(row[0]) if row else 0
