"""What lies on the steward's desk: the queue of pairs, a pair in full, decisions, signals. Read only; rows are plain dicts.

No row holds an unmasked personal value. Firms' names are not personal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Engine, text

from hub.errors import NotFound
from identity.decisions import Record
from identity.wording import compared, sentence

Row = dict[str, Any]
STATES = ("open", "unsure", "proposed", "decided")
DECISION_KINDS = ("pair", "value")

# The newest decision on a pair that nobody has withdrawn says what state it is in.
_PAIRS = """
select 'P' || left(md5(concat_ws('/', p.a_system, p.a_province, p.a_key, p.b_system, p.b_province, p.b_key)), 10) as pair,
    concat_ws('/', p.a_system, p.a_province, p.a_key) as a, concat_ws('/', p.b_system, p.b_province, p.b_key) as b,
    p.weight, p.probability, p.why, one.customer_id as customer_a, other.customer_id as customer_b,
    case when d.verdict is null then 'open' when d.verdict = 'unsure' then 'unsure'
        when d.effective_from is null then 'proposed' else 'decided' end as state,
    d.decision_id, p.recorded_from as since
from core.review_pair p
left join lateral (
    select * from hub.steward_decision d
    where d.kind = 'pair' and d.withdrawn_at is null
        and (d.a_system, d.a_province, d.a_key, d.b_system, d.b_province, d.b_key)
            = (p.a_system, p.a_province, p.a_key, p.b_system, p.b_province, p.b_key)
    order by d.decision_id desc limit 1
) d on true
left join core.crosswalk one on (one.system, one.province, one.customer_key) = (p.a_system, p.a_province, p.a_key)
    and one.recorded_to is null
left join core.crosswalk other on (other.system, other.province, other.customer_key) = (p.b_system, p.b_province, p.b_key)
    and other.recorded_to is null
where p.recorded_to is null
"""
_QUEUE = f"""
select * from ({_PAIRS}) pairs
where (cast(:state as text) is null and state <> 'decided') or state = :state
order by state = 'unsure', weight desc, a, b
limit :limit
"""
_DECISIONS = """
select decision_id, kind, verdict, nullif(concat_ws('/', a_system, a_province, a_key), '') as a,
    nullif(concat_ws('/', b_system, b_province, b_key), '') as b, customer_id, attribute,
    case when withdrawn_at is not null then 'withdrawn' when needs_second and confirmed_by is null then 'proposed'
        else 'standing' end as state,
    decided_by, decided_at, reason, confirmed_by, withdrawn_by, withdrawn_reason, effective_from, effective_to
from hub.steward_decision
where (cast(:kind as text) is null or kind = :kind)
    and (cast(:customer as text) is null or customer_id = :customer or exists (
        select from core.crosswalk x where x.customer_id = :customer and x.recorded_to is null
            and ((x.system, x.province, x.customer_key) = (a_system, a_province, a_key)
                or (x.system, x.province, x.customer_key) = (b_system, b_province, b_key))))
order by decision_id desc
limit :limit
"""
_SIGNALS = """
select kind, nullif(system, '') as system, nullif(province, '') as province, nullif(customer_key, '') as customer_key,
    nullif(detail, '') as detail, times, recorded_from as since
from core.identity_signal
where recorded_to is null and (cast(:kind as text) is null or kind = :kind)
order by kind, system, province, customer_key, detail
limit :limit
"""
_RECORDS = """
select distinct on (s.system, s.province, s.customer_key) concat_ws('/', s.system, s.province, s.customer_key) as record,
    s.customer_name, s.short_name, s.uscc, s.org_code, s.licence_no, hub.masked(s.address) as address,
    hub.masked(s.phone) as phone, s.customer_status, x.customer_id
from unnest(cast(:systems as text[]), cast(:provinces as text[]), cast(:keys as text[])) as w(system, province, customer_key)
join core.source_customer s using (system, province, customer_key)
left join core.crosswalk x on (x.system, x.province, x.customer_key) = (s.system, s.province, s.customer_key)
    and x.recorded_to is null
where s.recorded_to is null and not s.is_deleted
order by s.system, s.province, s.customer_key, s.source_version desc, s.source_key
"""


def queue(bind: Engine | Connection, *, state: str | None = None, limit: int | None = 50) -> list[Row]:
    """Pairs the model would not decide alone, likeliest first, those a person could not tell last; what is decided leaves it.
    `state`: open, unsure, proposed (waits for a second person), decided."""
    if state is not None and state not in STATES:
        raise NotFound(f"no state {state!r}; known: {', '.join(STATES)}", state=state)
    pairs = _rows(bind, _QUEUE, state=state, limit=limit)
    names = {row["record"]: row["customer_name"] for row in _records(bind, (row[side] for row in pairs for side in "ab"))}
    return [_told(row, names) for row in pairs]


def pair(bind: Engine | Connection, *subject: str) -> Row:
    """A pair in full: both records, masked, every comparison with its weight, what was decided of it. `subject`: the pair's name
    in the queue, or its two records. Raises NotFound."""
    one, other = subject_records(bind, *subject)
    found = _rows(bind, f"select * from ({_PAIRS}) pairs where a = :a and b = :b", a=str(one), b=str(other))
    records = {row["record"]: row for row in _records(bind, (str(one), str(other)))}
    if len(records) < 2:
        missing = next(str(record) for record in (one, other) if str(record) not in records)
        raise NotFound(f"no source record {missing}", asked=missing)
    decided = [row for row in decisions(bind, kind="pair", limit=None) if (row["a"], row["b"]) == (str(one), str(other))]
    shown = found[0] if found else {}
    return {
        "pair": shown.get("pair"),
        "state": shown.get("state", "not in the review band"),
        "weight": shown.get("weight"),
        "probability": shown.get("probability"),
        "records": [records[str(one)], records[str(other)]],
        "compared": [
            {"field": c.label.en, "field_zh": c.label.zh, "weight": c.weight, "says": c.said.en, "says_zh": c.said.zh}
            for c in compared(shown.get("why"))
        ],
        "decisions": decided,
    }


def subject_records(bind: Engine | Connection, *subject: str) -> tuple[Record, Record]:
    """The two records a steward means, in the order of their keys: by a pair's name in the queue, or one by one."""
    if len(subject) == 1 and subject[0].startswith("P"):
        found = _rows(bind, f"select a, b from ({_PAIRS}) pairs where pair = :pair", pair=subject[0])
        if not found:
            raise NotFound(f"no pair {subject[0]} in the review band; `bsshub steward queue` lists them", asked=subject[0])
        return Record.parse(found[0]["a"]), Record.parse(found[0]["b"])
    if len(subject) != 2:
        raise NotFound("give a pair of the queue (P…), or two records system/province/key", asked=" ".join(subject))
    one, other = sorted(Record.parse(text_) for text_ in subject)
    return one, other


def decisions(
    bind: Engine | Connection, *, kind: str | None = None, customer: str | None = None, limit: int | None = 50
) -> list[Row]:
    """Everything stewards decided, newest first, withdrawn or not. A value itself is not shown: it may be personal.

    Raises NotFound for a kind there is not, or a customer that never was."""
    if kind is not None and kind not in DECISION_KINDS:
        raise NotFound(f"no kind {kind!r} of decision; known: {', '.join(DECISION_KINDS)}", kind=kind)
    if customer is not None and not _rows(bind, "select 1 from core.crosswalk where customer_id = :id limit 1", id=customer):
        raise NotFound(f"no customer {customer!r}; ids look like BC00000001", customer_id=customer)
    return _rows(bind, _DECISIONS, kind=kind, customer=customer, limit=limit)


def signals(bind: Engine | Connection, *, kind: str | None = None, limit: int | None = 50) -> list[Row]:
    """What identity saw and did not act upon: junk and contested codes, cross-references that other facts deny, …

    Raises NotFound for a kind that was never seen."""
    if kind is not None:
        seen = [row["kind"] for row in _rows(bind, "select distinct kind from core.identity_signal order by kind")]
        if kind not in seen:
            raise NotFound(f"no signal of kind {kind!r} was ever seen; seen were: {', '.join(seen) or 'none'}", kind=kind)
    return _rows(bind, _SIGNALS, kind=kind, limit=limit)


def _told(row: Row, names: Mapping[str, str | None]) -> Row:
    said, weighed = sentence(row["why"]), compared(row["why"])
    told = {"a_name": names.get(row["a"]), "b_name": names.get(row["b"]), "why": said.en, "why_zh": said.zh}
    return {**row, **told, "compared": [asdict(one) for one in weighed]}


def _records(bind: Engine | Connection, named: Iterable[str]) -> list[Row]:
    records = [Record.parse(name) for name in sorted(set(named))]
    columns = {
        "systems": [record.system for record in records],
        "provinces": [record.province for record in records],
        "keys": [record.key for record in records],
    }
    return _rows(bind, _RECORDS, **columns) if records else []


def _rows(bind: Engine | Connection, statement: str, **values: object) -> list[Row]:
    if isinstance(bind, Engine):
        with bind.connect() as connection:
            return _rows(connection, statement, **values)
    return [dict(row) for row in bind.execute(text(statement), values).mappings()]
