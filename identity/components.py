"""Connected components as set-based SQL, the same whatever the order of the edges: each is named by its smallest node."""

from __future__ import annotations

import duckdb

# Only what an edge ends at is walked; a group known before is walked as one node, its smallest.
_LINKS = """
create or replace temp table link as
select a as node, b as other from {edges} where a <> b union all select b, a from {edges} where a <> b
"""
_LINKS_BETWEEN = """
create or replace temp table link as
with between_groups as (
    select distinct one.component as a, other.component as b
    from {edges} edge join {within} one on one.node = edge.a join {within} other on other.node = edge.b
    where one.component <> other.component
)
select a as node, b as other from between_groups union all select b, a from between_groups
"""
_FIRST = "create or replace temp table label as select node, least(node, min(other)) as component from link group by node"
# Each round takes the smallest label among the neighbours, then the label of that label; the second step halves the way
# still to go, so that the rounds grow with the logarithm of a chain's length.
_HOOK = """
create or replace temp table next_label as
with reached as (
    select link.node, min(label.component) as component from link join label on label.node = link.other group by link.node
)
select label.node, least(label.component, reached.component) as component from label join reached using (node)
"""
_JUMP = """
create or replace temp table label as
select own.node, least(own.component, further.component) as component
from next_label own join next_label further on further.node = own.component
"""


def components(connection: duckdb.DuckDBPyConnection, nodes: str, edges: str, into: str, *, within: str | None = None) -> None:
    """Makes table `into` (`node, component`) from the column `node` of `nodes` and the columns `a`, `b` of `edges`.

    `within`: components already found (`node, component`, each named by its smallest node) of some of the same edges; `edges`
    then need be the others only."""
    connection.execute((_LINKS_BETWEEN if within else _LINKS).format(edges=edges, within=within))
    connection.execute(_FIRST)
    weight = _weight(connection)
    while weight:
        connection.execute(_HOOK)
        connection.execute(_JUMP)
        lighter = _weight(connection)
        if lighter == weight:
            break
        weight = lighter
    known, walked = (f"{within} known", "known.component") if within else (f"{nodes} known", "known.node")
    connection.execute(
        f"create or replace table {into} as select known.node, coalesce(label.component, {walked})::integer as component "
        f"from {known} left join label on label.node = {walked}"
    )
    connection.execute("drop table label; drop table if exists next_label; drop table link")


def _weight(connection: duckdb.DuckDBPyConnection) -> int:
    """Sum of the labels, or 0 where there is none: it falls with every round that changes anything."""
    row = connection.execute("select coalesce(sum(component), 0)::hugeint from label").fetchone()
    return int(row[0]) if row else 0
