"""The ledger: accounts that add up (invariant 1), a chain that nobody rewrote (5), order (3)."""

from __future__ import annotations

from sqlalchemy import Connection, text

from hub.periods import following
from schemas.contracts import CONTRACTS
from schemas.entities import FACTS
from store.finding import Finding, named
from store.journal import JOURNALED, subject_sql
from store.tables import ENTITY_TABLES

_ACCOUNTS = """
    select batch_id,
        received = accepted + quarantined + duplicate + refused as rows_add_up,
        received_fen = accepted_fen + quarantined_fen + duplicate_fen + refused_fen as money_adds_up,
        inserted is null or accepted = inserted + updated + unchanged + stale + deleted as loaded_rows_add_up,
        inserted is null or accepted_fen = inserted_fen + updated_fen + unchanged_fen + stale_fen + deleted_fen
            as loaded_money_adds_up,
        (state in ('loaded', 'superseded')) = (inserted is not null and loaded_seq is not null) as state_fits,
        state <> 'gated' or received is not null as was_judged,
        gate_digest is null or gate_digest = hub.gate_digest(batch_id) as gate_unchanged,
        received is null or state = 'refused'
            or quarantined = (select count(*) from hub.quarantine q where q.batch_id = b.batch_id and q.outcome = 'quarantined')
            as quarantine_is_whole
    from hub.batch b order by batch_id"""

_SAID = {
    "rows_add_up": (1, "received is not accepted + quarantined + duplicate + refused, in rows"),
    "money_adds_up": (1, "received is not accepted + quarantined + duplicate + refused, in fen"),
    "loaded_rows_add_up": (1, "accepted is not inserted + updated + unchanged + stale + deleted, in rows"),
    "loaded_money_adds_up": (1, "accepted is not inserted + updated + unchanged + stale + deleted, in fen"),
    "state_fits": (2, "its state does not fit what the ledger says of its load"),
    "was_judged": (1, "it is gated, but has no account"),
    "gate_unchanged": (5, "its gate results or its quarantine were changed after the gate"),
    "quarantine_is_whole": (1, "its quarantine does not hold as many rows as its account says"),
}


def check_accounts(connection: Connection) -> list[Finding]:
    """Every batch's account, and the rows `core` holds in its name."""
    findings = [
        Finding(_SAID[check][0], f"batch {row['batch_id']}", _SAID[check][1])
        for row in connection.execute(text(_ACCOUNTS)).mappings()
        for check in _SAID
        if row[check] is False
    ]
    findings += named(
        1, "hub.quarantine", _quarantined_of_nothing(connection), "it holds rows of a batch that the ledger does not know"
    )
    for entity in ENTITY_TABLES:
        findings += _check_held(connection, entity)
    return findings


def _quarantined_of_nothing(connection: Connection) -> list[str]:
    unknown = "select distinct batch_id from hub.quarantine except select batch_id from hub.batch order by batch_id"
    return [f"batch {batch_id}" for batch_id in connection.execute(text(unknown)).scalars()]


def _check_held(connection: Connection, entity: str) -> list[Finding]:
    """As many rows, with as much money, as the loads said they wrote."""
    contracts = [contract for contract in CONTRACTS.values() if contract.entity == entity]
    money = {contract.money for contract in contracts}
    fen = f"coalesce(sum({name}) filter (where row_no > 0), 0)" if len(money) == 1 and (name := money.pop()) else "null::bigint"
    written = "b.accepted" if entity in FACTS else "b.inserted + b.updated + b.deleted"
    written_fen = "b.accepted_fen" if entity in FACTS else "b.inserted_fen + b.updated_fen + b.deleted_fen"
    statement = f"""
    with held as (
        select batch_id, count(*) filter (where row_no > 0) as rows, count(*) filter (where row_no = 0) as vanished, {fen} as fen
        from core.{entity} group by batch_id
    ), written as (
        select b.* from hub.batch b where b.system || '.' || b.feed = any (:feeds) and b.loaded_seq is not null
    )
    select coalesce(b.batch_id, h.batch_id) from written b full join held h using (batch_id)
    where b.batch_id is null or coalesce(h.rows, 0) <> {written} or coalesce(h.vanished, 0) <> b.vanished
        or (h.fen is not null and h.fen <> {written_fen})"""
    wrong = connection.execute(text(statement), {"feeds": [contract.feed_id for contract in contracts]}).scalars()
    detail = "does not hold the rows and the money that the ledger says its load wrote"
    return named(1, f"core.{entity}", [f"batch {batch_id}" for batch_id in wrong], detail)


def check_chain(connection: Connection) -> list[Finding]:
    """The journal hangs together, and each ledger row is what the journal last said of it."""
    statement = """
    select seq from (
        select seq, lag(seq, 1, 0::bigint) over (order by seq) + 1 = seq as next,
            lag(hash, 1, repeat('0', 64)) over (order by seq) = previous as linked,
            hub.journal_hash(seq, at, event, subject, body, previous) = hash as whole
        from hub.journal) j
    where not (next and linked and whole) order by seq"""
    broken = [f"entry {seq}" for seq in connection.execute(text(statement)).scalars()]
    findings = named(5, "hub.journal", broken, "the chain is broken here: an entry was changed, added or taken out")
    for table in JOURNALED:
        findings += _check_against_chain(connection, table)
    return findings


def _check_against_chain(connection: Connection, table: str) -> list[Finding]:
    """Compared on the members the entry has, so that a column added later does not look like a change."""
    statement = f"""
    with said as (
        select distinct on (subject) subject, body::jsonb as body from hub.journal
        where subject like '{table}:%' order by subject, seq desc
    ), held as (
        select {subject_sql(table, "t")} as subject, hub.row_json(t) as row from hub.{table} t
    )
    select subject, case when s.body is null then 'it is in no entry of the journal'
                         when h.row is null then 'the journal speaks of it, but it is gone'
                         else 'it is not what the journal last said of it' end as detail
    from said s full join held h using (subject)
    where s.body is null or h.row is null
        or s.body <> (select jsonb_object_agg(key, value) from jsonb_each(h.row) where s.body ? key)
    order by subject"""
    return [
        Finding(5, f"hub.{table} {subject.partition(':')[2]}", detail) for subject, detail in connection.execute(text(statement))
    ]


def check_order(connection: Connection) -> list[Finding]:
    """A feed stands at its newest loaded period; what was superseded was superseded by a later load of the same month."""
    statement = """
    select s.system || '.' || s.feed || ' ' || s.province as feed, s.last_period, s.expected_period, max(b.period) as newest
    from hub.feed_state s
    left join hub.batch b on (b.system, b.feed, b.province) = (s.system, s.feed, s.province)
        and b.loaded_seq is not null and b.kind not like 'correction%'
    group by s.system, s.feed, s.province, s.last_period, s.expected_period"""
    findings = [
        Finding(3, f"feed {row.feed}", f"stands at {row.last_period}, expects {row.expected_period}; newest loaded {row.newest}")
        for row in connection.execute(text(statement))
        if row.newest != row.last_period or row.expected_period != following(row.last_period)
    ]
    superseded = """
    select o.batch_id from hub.batch o left join hub.batch n on n.batch_id = o.superseded_by
    where (o.state = 'superseded') <> (o.superseded_seq is not null)
        or (o.superseded_seq is not null and (n.loaded_seq is distinct from o.superseded_seq
            or (n.system, n.feed, n.province, n.period) is distinct from (o.system, o.feed, o.province, o.period)))"""
    wrong = [str(batch_id) for batch_id in connection.execute(text(superseded)).scalars()]
    return findings + named(3, "batch", wrong, "was not superseded by a later load of its month")


def check_clock(connection: Connection) -> list[Finding]:
    """The clock stands at or after every sequence given; behind one, it would give that one again."""
    statement = """
    select greatest((select max(loaded_seq) from hub.batch), (select max(derived_seq) from hub.publication)) as given,
        (select seq from hub.clock) as stands"""
    given, stands = connection.execute(text(statement)).one()
    if given is None or (stands is not None and stands >= given):
        return []
    return [Finding(3, "hub.clock", f"stands at {stands}, and sequence {given} was given")]
