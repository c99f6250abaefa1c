"""`core`: lineage and history that hang together (2, 5), and rows that equal what landing says (5)."""

from __future__ import annotations

import duckdb
from sqlalchemy import Connection, text

from schemas.contracts import CONTRACTS
from schemas.entities import FACTS
from store.duck import ATTACHED, literal
from store.finding import SHOWN, Finding, named
from store.ledger import Batch
from store.staged import StagedRows, entity_columns, fact_rows, state_rows
from store.tables import ENTITY_TABLES

_KEY = "t.system || ' ' || t.province || ' ' || t.source_key"


def check_history(connection: Connection) -> list[Finding]:
    findings: list[Finding] = []
    for entity in ENTITY_TABLES:
        feeds = [contract.feed_id for contract in CONTRACTS.values() if contract.entity == entity]
        checks = _fact_checks(entity) if entity in FACTS else _state_checks(entity)
        for detail, invariant, query in checks:
            subjects = list(connection.execute(text(query), {"feeds": feeds} if ":feeds" in query else {}).scalars())
            findings += named(invariant, f"core.{entity}", subjects, detail)
    return findings


def _state_checks(entity: str) -> list[tuple[str, int, str]]:
    lineage = f"""
    select {_KEY} || ' at ' || t.recorded_from from core.{entity} t left join hub.batch b using (batch_id)
    where b.loaded_seq is distinct from t.recorded_from or (b.system, b.province) is distinct from (t.system, t.province)
        or (t.row_no > 0 and t.valid_from <> t.source_version)
        or t.valid_to is distinct from case when t.is_deleted then t.source_version end"""
    versions = f"""
    select {_KEY} || ' at ' || t.recorded_from
    from (select *, lead(recorded_from) over (partition by system, province, source_key order by recorded_from) as next
          from core.{entity}) t
    where t.recorded_to is distinct from t.next"""
    content = ", ".join(column.name for column in ENTITY_TABLES[entity].columns if column.name not in _OF_VERSION)
    gone = f"""
    select {_KEY} || ' at ' || t.recorded_from from core.{entity} t
    left join core.{entity} o on (o.system, o.province, o.source_key, o.recorded_to)
        = (t.system, t.province, t.source_key, t.recorded_from)
    where t.row_no = 0 and (not t.is_deleted or t.row_hash is distinct from md5(o.row_hash || ' vanished')
        or row({_each("t", content)}) is distinct from row({_each("o", content)}))"""
    return [
        ("its batch did not write it at this sequence, or its business time was changed", 5, lineage),
        ("its versions do not follow each other", 2, versions),
        ("its removal is not the version before it, removed", 5, gone),
    ]


_OF_VERSION = frozenset({"is_deleted", "valid_to", "recorded_from", "recorded_to", "row_hash", "batch_id", "row_no"})


def _each(alias: str, columns: str) -> str:
    return ", ".join(f"{alias}.{name}" for name in columns.split(", "))


def _fact_checks(entity: str) -> list[tuple[str, int, str]]:
    """A fact row stops counting at its batch's own load or at a correction of its month; each load says how many it stopped."""
    same_month = "(c.system, c.feed, c.province, c.period) = (b.system, b.feed, b.province, b.period)"
    lineage = f"""
    select {_KEY} from core.{entity} t left join hub.batch b using (batch_id)
    where b.loaded_seq is null or (b.system, b.province) is distinct from (t.system, t.province)"""
    removed = f"""
    select {_KEY} from core.{entity} t join hub.batch b using (batch_id)
    join hub.batch c on {same_month} and c.kind = 'correction_delete' and c.loaded_seq is not null
        and (c.loaded_seq > b.loaded_seq or b.kind not like 'correction%')
        and (b.superseded_seq is null or b.superseded_seq > c.loaded_seq)
    join core.{entity} k on k.batch_id = c.batch_id and k.source_key = t.source_key
    where t.recorded_to is null"""
    double = f"""
    select min({_KEY}) from core.{entity} t join hub.batch b using (batch_id)
    where t.recorded_to is null and b.superseded_seq is null and exists (
        select from hub.batch c where {same_month} and c.kind like 'correction%' and c.loaded_seq is not null)
    group by b.system, b.feed, b.province, b.period, t.source_key having count(*) > 1"""
    stopped = f"""
    with stops as (
        select b.system, b.feed, b.province, b.period, t.recorded_to as at, t.batch_id, count(*) as rows
        from core.{entity} t join hub.batch b using (batch_id) where t.recorded_to is not null group by 1, 2, 3, 4, 5, 6
    )
    select 'batch ' || coalesce(c.batch_id::text, 'unknown, at sequence ' || s.at)
    from (select * from hub.batch where loaded_seq is not null and system || '.' || feed = any (:feeds)) c
    full join stops s on (s.system, s.feed, s.province, s.period, s.at) = (c.system, c.feed, c.province, c.period, c.loaded_seq)
    group by c.batch_id, s.at, c.kind, c.accepted, c.stale, c.unchanged, c.updated, c.deleted
    having c.batch_id is null
        or coalesce(sum(s.rows) filter (where s.batch_id = c.batch_id), 0)
            <> case c.kind when 'correction_delete' then c.accepted when 'correction_insert' then c.unchanged else c.stale end
        or coalesce(sum(s.rows) filter (where s.batch_id <> c.batch_id), 0) <> c.updated + c.deleted"""
    return [
        ("its batch is not loaded, or is another instance's", 5, lineage),
        ("a correction removed it, and it counts", 3, removed),
        ("it counts twice in its month", 2, double),
        ("not as many rows stopped counting at its load as the ledger says", 2, stopped),
    ]


def check_rows(connection: duckdb.DuckDBPyConnection, batch: Batch, rows: str) -> list[Finding]:
    """The batch's rows in `core` against its landed bytes, staged again as `rows` (a glob)."""
    contract = batch.contract
    staged = StagedRows(rows, None)
    facts = contract.entity in FACTS
    columns = ["source_key", *entity_columns(contract), *([] if facts else ["source_version", "is_deleted", "row_hash"])]
    query = _fact_select(batch, staged) if facts else state_rows(contract, batch.period, batch.delivery.kind, staged)
    names = ", ".join(columns)
    held = f"select row_no, {names} from core.{contract.entity} where batch_id = {batch.batch_id} and row_no > 0"
    differing = ", ".join(f"case when c.{name} is distinct from s.{name} then {literal(name)} end" for name in columns)
    found = connection.execute(f"""
        with held as (select * from postgres_query({literal(ATTACHED)}, {literal(held)})), staged as ({query})
        select c.source_key, c.row_no, s.row_no is null, list_filter([{differing}], x -> x is not null), count(*) over ()
        from held c left join staged s using (row_no)
        where s.row_no is null or len(list_filter([{differing}], x -> x is not null)) > 0
        order by c.row_no limit {SHOWN}""").fetchall()
    where = f"core.{contract.entity} {batch.system} {batch.province}"
    findings = [
        Finding(
            5,
            f"{where} {key} (batch {batch.batch_id}, row {row_no})",
            "its landed bytes hold no such row" if absent else f"differs from its landed bytes in {', '.join(names)}",
        )
        for key, row_no, absent, names, _ in found
    ]
    if found and found[0][4] > SHOWN:
        findings.append(Finding(5, f"{where} batch {batch.batch_id}", f"{found[0][4] - SHOWN} more rows differ from landing"))
    return findings + _check_received(connection, batch, rows)


def _check_received(connection: duckdb.DuckDBPyConnection, batch: Batch, rows: str) -> list[Finding]:
    received = connection.execute(f"select count(*) from read_parquet({literal(rows)})").fetchone()
    if batch.account is None or received is None or received[0] == batch.account.received:
        return []
    detail = f"landing holds {received[0]} rows, its account says {batch.account.received}"
    return [Finding(6, f"batch {batch.batch_id}", detail)]


def _fact_select(batch: Batch, staged: StagedRows) -> str:
    columns = ", ".join(
        ("system", "province", "source_key", *entity_columns(batch.contract), "recorded_to", "batch_id", "row_no")
    )
    rows = fact_rows(batch.contract, batch.system, batch.province, batch.batch_id, staged)
    return f"select * from ({rows}) t({columns})"
