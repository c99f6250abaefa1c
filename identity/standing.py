"""Rows of the crosswalk that stand as they are: those whose customer, and every reason for being its, are what they were when the
store's row was written. Their evidence is neither made nor read again.

A row's evidence is a function of the links at its record, told by the keys of the records at their other ends. The memory keeps
one number a record, the seal of its customer and of its links; it tells no value. It is the memory of one run, the one that
`hub.identity_run` names last, and of one state of the rules; beside any other it counts for nothing. Losing it costs time only.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import duckdb

from identity import crosswalk
from identity.extract import read_store
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
select node, named.name, hash(customer_id, digest) as seal from named join customer_of using (node) left join linked using (node)
"""
_STANDING = """
create or replace temp table standing as
select seal.node from crosswalk_seal seal join {kept} kept using (name)
join (select node, 'BC' || lpad(number::varchar, 8, '0') as customer_id from past where is_open) before on before.node = seal.node
join customer_of now on now.node = seal.node
where kept.seal = seal.seal and before.customer_id = now.customer_id
"""


def find(connection: duckdb.DuckDBPyConnection, memory: Path | None) -> None:
    """Makes `standing` (`node`): the source customers whose row of the crosswalk stands; none without a `memory`. With one, also
    `crosswalk_seal`, for `remember`."""
    connection.execute(NONE)
    if memory is None:
        return
    connection.execute(_SEALS)
    file = _file_of(connection, memory)
    if file.exists():
        try:
            connection.execute(_STANDING.format(kept=f"read_parquet({literal(file)})"))
        except duckdb.Error:
            # A file that cannot be read costs time, never a result.
            file.unlink(missing_ok=True)


def remember(connection: duckdb.DuckDBPyConnection, memory: Path) -> None:
    """Keeps the seals under the name of the store's last run: to be called once the run that made them is written for good."""
    file = _file_of(connection, memory)
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".tmp")
    connection.execute(f"copy (select name, seal from crosswalk_seal) to {literal(draft)} (format parquet)")
    draft.replace(file)
    for other in file.parent.glob("crosswalk-*.parquet"):
        if other != file:
            other.unlink(missing_ok=True)


@cache
def _rules() -> str:
    """What tells one state of the rules from another: the source of the evidence, and how DuckDB hashes."""
    return duckdb.__version__ + Path(crosswalk.__file__).read_text(encoding="utf-8")


def _file_of(connection: duckdb.DuckDBPyConnection, memory: Path) -> Path:
    read_store(connection, "last_run", _LAST_RUN)
    run = connection.execute("select seq, data_seq, extract, ran_at from last_run").fetchone()
    return memory / f"crosswalk-{hashlib.sha256(f'{run}{_rules()}'.encode()).hexdigest()[:16]}.parquet"
