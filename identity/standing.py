"""Rows of the crosswalk and of the hierarchy that stand as they are: those whose customers, and every reason for their being so,
are what they were when the store's row was written. Their evidence is neither made nor read again.

A row's evidence is a function of the links at its record, or of those between its two customers, told by the keys of the records
they link. The memory keeps one number a row, the seal of its customers and of its links; it tells no value. It is the memory of
one run, the one that `hub.identity_run` names last, and of one state of the rules; beside any other it counts for nothing.
Losing it costs time only.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import duckdb

from identity import crosswalk, hierarchy
from identity.extract import read_store
from identity.hierarchy import HIERARCHY
from identity.versions import read_open_of
from store.duck import literal

_LAST_RUN = "select seq, data_seq, extract, ran_at::text as ran_at from hub.identity_run order by seq desc limit 1"
NONE = "create or replace temp table standing (node integer)"
_SEALS = """
create or replace temp table crosswalk_seal as
with named as (
    select node, hash(system, province, customer_key) as name from node
), told as (
    select a as node, b as other, hash(rule, value) as said from edge
    union all select b, a, hash(rule, value) from edge
    union all select a, b, hash(why) from scored_pair where band = 'merge'
    union all select b, a, hash(why) from scored_pair where band = 'merge'
), linked as (
    select told.node, sum(hash(said, named.name)) as digest from told join named on named.node = told.other group by told.node
)
select node, named.name, hash(number, digest) as seal from named join customer_of using (node) left join linked using (node)
"""
_STANDING = """
create or replace temp table standing as
select seal.node from crosswalk_seal seal join {kept} kept using (name)
join past on past.node = seal.node and past.is_open
join customer_of now on now.node = seal.node
where kept.seal = seal.seal and past.number = now.number
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


def find(connection: duckdb.DuckDBPyConnection, memory: Path | None) -> None:
    """Makes `standing` (`node`): the source customers whose row of the crosswalk stands; none without a `memory`. With one, also
    `crosswalk_seal`, for `remember`."""
    connection.execute(NONE)
    if memory:
        connection.execute(_SEALS)
        _compare(connection, _STANDING, _file_of(connection, memory, "crosswalk"))


def find_pairs(connection: duckdb.DuckDBPyConnection, memory: Path | None) -> None:
    """Makes `standing_pair` (`child_id, parent_id`): the edges of `upward` whose row of the hierarchy stands; none without a
    `memory`. With one, also `hierarchy_seal`, for `remember`. After `find`."""
    connection.execute(_NO_PAIRS)
    if memory:
        connection.execute(_PAIR_SEALS)
        _compare(connection, _STANDING_PAIRS, _file_of(connection, memory, "hierarchy"))


def read_pairs(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `customer_hierarchy_current`, the store's open rows and their evidence, but for those of `standing_pair`."""
    read_store(connection, "hierarchy_key", "select child_id, parent_id from core.customer_hierarchy where recorded_to is null")
    others = "select child_id from hierarchy_key anti join standing_pair using (child_id, parent_id)"
    read_open_of(connection, HIERARCHY, "child_id", others)
    connection.execute(
        "delete from customer_hierarchy_current where (child_id, parent_id) in (select (child_id, parent_id) from standing_pair)"
    )


def remember(connection: duckdb.DuckDBPyConnection, memory: Path) -> None:
    """Keeps the seals under the name of the store's last run: to be called once the run that made them is written for good."""
    for what, columns in (("crosswalk", "name, seal"), ("hierarchy", "seal")):
        file = _file_of(connection, memory, what)
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(".tmp")
        connection.execute(f"copy (select {columns} from {what}_seal) to {literal(draft)} (format parquet)")
        draft.replace(file)
        for other in file.parent.glob(f"{what}-*.parquet"):
            if other != file:
                other.unlink(missing_ok=True)


def _compare(connection: duckdb.DuckDBPyConnection, statement: str, file: Path) -> None:
    if file.exists():
        try:
            connection.execute(statement.format(kept=f"read_parquet({literal(file)})"))
        except duckdb.Error:
            # A file that cannot be read costs time, never a result.
            file.unlink(missing_ok=True)


@cache
def _rules() -> str:
    """What tells one state of the rules from another: the source of the evidence, and how DuckDB hashes."""
    return duckdb.__version__ + "".join(
        Path(str(module.__file__)).read_text(encoding="utf-8") for module in (crosswalk, hierarchy)
    )


def _file_of(connection: duckdb.DuckDBPyConnection, memory: Path, what: str) -> Path:
    read_store(connection, "last_run", _LAST_RUN)
    run = connection.execute("select seq, data_seq, extract, ran_at from last_run").fetchone()
    return memory / f"{what}-{hashlib.sha256(f'{run}{_rules()}'.encode()).hexdigest()[:16]}.parquet"
