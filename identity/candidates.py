"""Every value a customer's attribute could have taken, best first: the sources' rows as they were, ranked again as declared.

Nothing of this is kept; what is kept is enough to make it again: the rows' versions, the crosswalk's, the codes found to be
junk or contested (signals), the hierarchy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
from sqlalchemy import Connection, text

from identity import folding
from identity.golden import merit, rank
from identity.hierarchy import KINDS
from identity.survivorship import survivorship
from schemas.entities import ENTITIES

PERSONAL = ENTITIES["customer"].personal
_COLUMNS = (
    "entity", "system", "province", "customer_key", "source_key", "source_version", "batch_id", "row_no", "customer_name",
    "short_name", "uscc", "org_code", "licence_no", "customer_category", "list_status", "industry", "address", "phone",
    "manager_id", "manager_name", "customer_status",
)  # fmt: skip
_TYPES = {"source_version": "timestamptz", "batch_id": "bigint", "row_no": "bigint"}


@dataclass(frozen=True)
class Candidate:
    """A value that had a say; masked where it is personal. `place` 1 is the one the sources would choose."""

    attribute: str
    place: int
    value: str | None
    system: str
    province: str
    source_key: str
    entity: str
    version: str


_ROWS = f"""
select {", ".join(f"s.{name}" for name in _COLUMNS)}
from core.source_customer s
join core.crosswalk x using (system, province, customer_key)
where x.customer_id = :id and hub.visible(x.recorded_from, x.recorded_to, :at)
    and hub.visible(s.recorded_from, s.recorded_to, :data) and not s.is_deleted
order by s.system, s.province, s.customer_key, s.source_key, s.entity
"""
_TRUST = """
select split_part(detail, ' ', 1) as kind, split_part(detail, ' ', 2) as code, replace(kind, '_code', '') as trust
from core.identity_signal
where kind in ('junk_code', 'contested_code') and hub.visible(recorded_from, recorded_to, :at)
"""
_PARENTS = """
select split_part(said ->> 'child', '/', 1) as system, split_part(said ->> 'child', '/', 2) as province,
    split_part(said ->> 'child', '/', 3) as customer_key, h.parent_id,
    min(coalesce(array_position(cast(:kinds as text[]), said ->> 'kind'), 99)) as place
from core.customer_hierarchy h, jsonb_array_elements(h.evidence) as said
where h.child_id = :id and h.is_parent and hub.visible(h.recorded_from, h.recorded_to, :at)
group by 1, 2, 3, 4
"""


def data_sequence(store: Connection, at: int) -> int:
    """The sequence of the data that what was derived at `at` was made from."""
    statement = """
    select coalesce(
        (select seq from hub.publication where derived_seq = :at order by publication_id desc limit 1),
        (select data_seq from hub.identity_run where seq <= :at order by seq desc limit 1), :at)"""
    return int(store.execute(text(statement), {"at": at}).scalar_one())


def candidates(store: Connection, customer_id: str, at: int) -> tuple[Candidate, ...]:
    """Of every attribute, the values the customer's records gave at sequence `at`, best first."""
    rows = store.execute(text(_ROWS), {"id": customer_id, "at": at, "data": data_sequence(store, at)}).all()
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    try:
        connection.execute("set TimeZone = 'Asia/Shanghai'")
        _table(connection, "source_row", [(name, _TYPES.get(name, "varchar")) for name in _COLUMNS], rows)
        _surroundings(connection, store, customer_id, at)
        rank(connection)
        return tuple(_ranked(connection))
    finally:
        connection.close()


def _surroundings(connection: duckdb.DuckDBPyConnection, store: Connection, customer_id: str, at: int) -> None:
    """The tables the ranking reads beside the rows, for this one customer."""
    connection.execute("""
        create table node as select row_number() over (order by system, province, customer_key)::integer as node, *
        from (select distinct system, province, customer_key from source_row)
    """)
    connection.execute(
        "create or replace table source_row as select node.node, row.rowid as source, row.* from source_row row "
        "join node using (system, province, customer_key)"
    )
    connection.execute("create table customer_group as select node, 1 as component from node")
    connection.execute("create table group_id as select 1 as component, ? as customer_id", [customer_id])
    folding.fold_all(connection, {folding.USCCS: "select uscc from source_row"})
    folding.fold_all(connection, {folding.ORG_CODES: "select org_code from source_row"})
    trust = store.execute(text(_TRUST), {"at": at}).all()
    _table(connection, "code_trust", [(name, "varchar") for name in ("kind", "code", "trust")], trust)
    parents = store.execute(text(_PARENTS), {"id": customer_id, "at": at, "kinds": list(KINDS)}).all()
    keys = [(name, "varchar") for name in ("system", "province", "customer_key", "parent_id")]
    _table(connection, "parent_by_key", [*keys, ("place", "bigint")], parents)
    connection.execute("create table parent_of as from parent_by_key join node using (system, province, customer_key)")


def _table(
    connection: duckdb.DuckDBPyConnection, name: str, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]
) -> None:
    connection.execute(f"create table {name} ({', '.join(f'{column} {type_}' for column, type_ in columns)})")
    given = pa.table(
        {
            column: pa.array([None if row[place] is None else str(row[place]) for row in rows], pa.string())
            for place, (column, _) in enumerate(columns)
        }
    )
    connection.register("given", given)
    connection.execute(f"insert into {name} by name select * from given")
    connection.unregister("given")


def _ranked(connection: duckdb.DuckDBPyConnection) -> Iterator[Candidate]:
    from_golden = {"uscc": "folded_uscc", "org_code": "folded_org_code"}
    for name, how in survivorship().items():
        rows = connection.execute(
            f"select {from_golden.get(name, name)}, system, province, source_key, entity, "
            f"strftime(source_version, '%Y-%m-%d %H:%M') from (select *, {merit(name, how)} as merit from golden_source) "
            "where merit is not null order by merit"
        ).fetchall()
        for place, (value, system, province, source_key, entity, version) in enumerate(rows, start=1):
            shown = f"{value[:1]}****" if name in PERSONAL else str(value)
            yield Candidate(name, place, shown, system, province, source_key, entity, version or "")
