"""Rows of the crosswalk and of the hierarchy that stand as they are: those whose customers, and every reason for their being so,
are what they were when the store's row was written. Their evidence is neither made nor read again.

A row's evidence is a function of the links at its record, or of those between its two customers, told by the keys of the records
they link. The memory keeps one number a row, the seal of its links, and whose the ids are; of people it tells nothing. Where
only a part was linked again (`identity.nights`), the seals of the rest are taken over, and the ids need not be traced through
every version of the crosswalk.

| file | a row is |
|---|---|
| `crosswalk` | a source customer: its `node` as that run numbered it, its id's `number`, a hash of its key (`name`), its `seal` |
| `home` | an id's `number`, and the source customer it was first given to: `node`, `system, province, customer_key` |
| `hierarchy` | the `seal` of a row, customers and all |

It is the memory of one run, the one that `hub.identity_run` names last, and of one state of the rules; beside any other it counts
for nothing. Losing it costs time only.
"""

from __future__ import annotations

import hashlib
import logging
from functools import cache
from pathlib import Path

import duckdb
from sqlalchemy import Connection, text

from identity import crosswalk, hierarchy
from identity.crosswalk import read_history
from identity.extract import read_store
from identity.hierarchy import HIERARCHY
from identity.versions import read_open_of
from store.duck import literal

_LAST_RUN = """
select concat_ws('|', seq, data_seq, extract, extract(epoch from ran_at)) as run from hub.identity_run order by seq desc limit 1
"""
NONE = "create or replace temp table standing (node integer)"
# What the last run left, by tonight's numbers of the nodes.
_RECALLED = """
create or replace temp table was_row as
select carried.node, stays, number, name, seal from {crosswalk} kept join carried on was = kept.node;

create or replace table home as
with known as (
    select number, carried.node, system, province, customer_key from {home} kept left join carried on was = kept.node
), here as (
    from known where node is not null
    union all
    select number, node.node, system, province, customer_key
    from (from known where node is null) left join node using (system, province, customer_key)
)
select 'BC' || lpad(number::varchar, 8, '0') as customer_id, * from here;

create or replace temp table past as select node, number from was_row
"""
_SEALS = """
create or replace temp table crosswalk_seal as
with named as (
    select node, hash(system, province, customer_key) as name from {nodes} node
), own_edge as (
    select a, b, hash(rule, value) as said from edge semi join named on named.node = a
), told as (
    select a as node, b as other, said from own_edge
    union all select b, a, said from own_edge
    union all select a, b, hash(why) from scored_pair where band = 'merge'
    union all select b, a, hash(why) from scored_pair where band = 'merge'
), linked as (
    select told.node, sum(hash(said, other.name)) as digest
    from told semi join named on named.node = told.node join named other on other.node = told.other group by told.node
)
select node, name, hash(digest) as seal from named left join linked using (node)
"""
# Who was linked again; whoever stays has links to such alone as stay.
_INSIDE = "(from node anti join (from was_row where stays) using (node))"
_SEALS_THAT_STAY = "insert into crosswalk_seal select node, name, seal from was_row where stays"
# Of who stays the seal is the one that is kept; `crosswalk_seal` has the others'.
_STANDING_RECALLED = """
create or replace temp table standing as
select kept.node from was_row kept join customer_of now on now.node = kept.node and now.number = kept.number
left join crosswalk_seal seal on seal.node = kept.node
where stays or seal.seal = kept.seal
"""
_STANDING = """
create or replace temp table standing as
select seal.node from crosswalk_seal seal join {kept} kept using (name)
join past on past.node = seal.node
join customer_of now on now.node = seal.node
where kept.seal = seal.seal and kept.number = now.number and past.number = now.number
"""
_CROSSWALK_KEPT = """
select node, number, name, seal from crosswalk_seal join customer_of using (node)
"""
_HOMES_KEPT = """
select number, node, system, province, customer_key from home
union all
select number, node, system, province, customer_key from (
    select number, min(node) as node from group_id join customer_group using (component) where minted group by number
) join node using (node)
"""
_PAIR_SEALS = """
create or replace temp table hierarchy_seal as
with told as (
    select child_id, parent_id, sum(hash(edge.place, edge.kind, evidence, child.name, parent.name)) as digest
    from customer_edge edge
    join crosswalk_seal child on child.node = edge.child join crosswalk_seal parent on parent.node = edge.parent
    group by child_id, parent_id
)
select child_id, parent_id, hash(child_id, parent_id, kind, is_parent, decision_id, digest) as seal
from upward left join told using (child_id, parent_id)
"""
_STANDING_PAIRS = """
create or replace temp table standing_pair as
select child_id, parent_id from hierarchy_seal semi join {kept} kept using (seal)
"""
_NO_PAIRS = "create or replace temp table standing_pair (child_id varchar, parent_id varchar)"


def read_past(connection: duckdb.DuckDBPyConnection, memory: Path | None) -> bool:
    """Makes `past` and `home` as `identity.crosswalk.trace` does: with a `memory` from what the last run left and `carried`
    (`identity.nights.link`), where that can be read; else from the store. Returns whether the memory served."""
    if memory:
        run = run_before(connection)
        files = {what: _file_of(memory, what, run) for what in ("crosswalk", "home")}
        kept = {what: f"read_parquet({literal(file)})" for what, file in files.items()}
        if _read(connection, _RECALLED.format(**kept), *files.values()):
            return True
    read_history(connection)
    return False


def find(connection: duckdb.DuckDBPyConnection, memory: Path | None, *, recalled: bool = False) -> None:
    """Makes `standing` (`node`): the source customers whose row of the crosswalk stands; none without a `memory`. With one, also
    `crosswalk_seal`, for `remember`. `recalled`: `read_past` read the memory."""
    connection.execute(NONE)
    if recalled:
        connection.execute(_SEALS.format(nodes=_INSIDE))
        connection.execute(_STANDING_RECALLED)
        connection.execute(_SEALS_THAT_STAY)
    elif memory:
        connection.execute(_SEALS.format(nodes="node"))
        file = _file_of(memory, "crosswalk", run_before(connection))
        _read(connection, _STANDING.format(kept=f"read_parquet({literal(file)})"), file)


def find_pairs(connection: duckdb.DuckDBPyConnection, memory: Path | None) -> None:
    """Makes `standing_pair` (`child_id, parent_id`): the edges of `upward` whose row of the hierarchy stands; none without a
    `memory`. With one, also `hierarchy_seal`, for `remember`. After `find`."""
    connection.execute(_NO_PAIRS)
    if memory:
        connection.execute(_PAIR_SEALS)
        file = _file_of(memory, "hierarchy", run_before(connection))
        _read(connection, _STANDING_PAIRS.format(kept=f"read_parquet({literal(file)})"), file)


def read_pairs(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `customer_hierarchy_current`, the store's open rows and their evidence, but for those of `standing_pair`."""
    read_store(connection, "hierarchy_key", "select child_id, parent_id from core.customer_hierarchy where recorded_to is null")
    others = "select child_id from hierarchy_key anti join standing_pair using (child_id, parent_id)"
    read_open_of(connection, HIERARCHY, "child_id", others)
    connection.execute(
        "delete from customer_hierarchy_current where (child_id, parent_id) in (select (child_id, parent_id) from standing_pair)"
    )


def remember(connection: duckdb.DuckDBPyConnection, memory: Path, run: str | None) -> None:
    """Keeps the seals, and which ids are whose, under the name of the `run` that made them: to be called once it is written for
    good."""
    kept = {"crosswalk": _CROSSWALK_KEPT, "home": _HOMES_KEPT, "hierarchy": "select seal from hierarchy_seal"}
    for what, query in kept.items():
        file = _file_of(memory, what, run)
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(".tmp")
        connection.execute(f"copy ({query}) to {literal(draft)} (format parquet)")
        draft.replace(file)
        for other in file.parent.glob(f"{what}-*.parquet"):
            if other != file:
                other.unlink(missing_ok=True)


def _read(connection: duckdb.DuckDBPyConnection, statement: str, *files: Path) -> bool:
    """Whether the statement, which reads these files, could be done."""
    if not all(file.exists() for file in files):
        return False
    try:
        connection.execute(statement)
    except duckdb.Error:
        # A file that cannot be read costs time, never a result.
        logging.getLogger(__name__).warning("what the last run kept of ids and evidence cannot be read: the store is asked")
        for file in files:
            file.unlink(missing_ok=True)
        return False
    return True


@cache
def _rules() -> str:
    """What tells one state of the rules from another: the source of the evidence, and how DuckDB hashes."""
    return duckdb.__version__ + "".join(
        file.read_text(encoding="utf-8") for file in map(Path, (crosswalk.__file__, hierarchy.__file__, __file__))
    )


def _file_of(memory: Path, what: str, run: str | None) -> Path:
    return memory / f"{what}-{hashlib.sha256(f'{run}{_rules()}'.encode()).hexdigest()[:16]}.parquet"


def last_run(store: Connection) -> str | None:
    """The name of the store's last run, within the transaction that wrote it: later it may be another's."""
    return store.execute(text(_LAST_RUN)).scalar_one_or_none()


def run_before(connection: duckdb.DuckDBPyConnection) -> str | None:
    """`last_run`, as a run asks for it that comes after."""
    read_store(connection, "last_run", _LAST_RUN)
    row = connection.execute("from last_run").fetchone()
    return str(row[0]) if row else None
