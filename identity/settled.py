"""Golden records that need not be made again: those whose every input is what it was when the store's version was made.

A golden record is a function of its customer's rows, of how far their codes are believed, of the parent, of what stewards gave,
and of the rules. The memory keeps one number a customer, the seal of its inputs and its record together; it tells no value.
Where the seal of tonight's inputs and the store's record is the one kept, the record stands. Losing it costs time only.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import duckdb

from identity import digests, folding, golden, survivorship, versions
from store.duck import literal

# A row's codes in comparable form follow from what it says; how far they are believed does not, nor does who its parent is.
_INPUTS = """
create or replace temp table golden_input as
with given as (
    select customer_id, sum(hash(attribute, value, decision_id)) as digest from pinned group by customer_id
), told as (
    select component, sum(shown) as digest from node_digest join customer_group using (node) group by component
), doubted as (
    select component, sum(hash(entity, source_key, code_trust.kind, trust)) as digest
    from source_row join customer_group using (node)
    join uscc_fold uscc on uscc.text = source_row.uscc
    join code_trust on code_trust.kind = 'uscc' and code_trust.code = uscc.code
    where trust in ('junk', 'contested') group by component
    union all
    select component, sum(hash(entity, source_key, code_trust.kind, trust))
    from source_row join customer_group using (node)
    join org_fold org on org.text = source_row.org_code
    join code_trust on code_trust.kind = 'org_code' and code_trust.code = org.code
    where trust in ('junk', 'contested') group by component
), under as (
    select component, sum(hash(name, parent_id, place)) as digest
    from parent_of join customer_group using (node) join crosswalk_seal using (node) group by component
), beside as (
    select component, sum(digest) as digest from (from doubted union all from under) group by component
)
select component, customer_id, hash(customer_id, told.digest, beside.digest, given.digest) as digest
from told join group_id using (component) left join beside using (component) left join given using (customer_id)
"""
_SETTLED = """
create or replace temp table settled as
select component, customer_id from golden_input join golden_customer_current now using (customer_id)
join {kept} kept using (customer_id) where kept.seal = {seal}
"""
_NONE = "create or replace temp table settled (component integer, customer_id varchar)"
_REMEMBERED = """
copy (
    select customer_id, {seal} as seal from golden_input join (
        select customer_id, row_hash, lineage_hash from golden_customer_new
        union all
        select customer_id, row_hash, lineage_hash from golden_customer_current semi join settled using (customer_id)
    ) now using (customer_id)
) to {file} (format parquet)
"""
_SEAL = "hash(golden_input.digest, now.row_hash, now.lineage_hash)"


def find(connection: duckdb.DuckDBPyConnection, memory: Path | None) -> None:
    """Makes `golden_customer_current`, what the store holds, and `settled` (`component, customer_id`): the groups whose golden
    record is among it already; none without a `memory`. With one, also `golden_input` (each group's digest), for `remember`,
    from `node_digest` (`identity.digests`), which is dropped."""
    versions.read_open(connection, golden.GOLDEN)
    connection.execute(_NONE)
    if memory is None:
        return
    connection.execute(_INPUTS)
    connection.execute("drop table node_digest")
    file = _file_of(memory)
    if not file.exists():
        return
    try:
        connection.execute(_SETTLED.format(kept=f"read_parquet({literal(file)})", seal=_SEAL))
    except duckdb.Error:
        # A file that cannot be read costs time, never a result.
        file.unlink(missing_ok=True)


def remember(connection: duckdb.DuckDBPyConnection, memory: Path) -> None:
    """Keeps the seals of this run's records. Written before the store is: a seal only counts where the store's record fits it."""
    file = _file_of(memory)
    file.parent.mkdir(parents=True, exist_ok=True)
    for other in file.parent.glob("golden-*.parquet"):
        if other != file:
            other.unlink(missing_ok=True)
    draft = file.with_suffix(".tmp")
    connection.execute(_REMEMBERED.format(seal=_SEAL, file=literal(draft)))
    draft.replace(file)


@cache
def _rules() -> str:
    """What tells one state of the rules from another: their source, what is declared, and how DuckDB hashes."""
    files = (Path(golden.__file__), Path(digests.__file__), Path(survivorship.__file__), survivorship.DEFAULT)
    text = duckdb.__version__ + folding.rules() + "".join(file.read_text(encoding="utf-8") for file in files)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _file_of(memory: Path) -> Path:
    return memory / f"golden-{_rules()}.parquet"
