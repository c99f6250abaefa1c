"""The ledger of breaks as it stands now, for the command line and the pages: listings, sums, root causes, trend.

Money at stake (`counted_fen`, view `audit.break_now`) counts the money that several rules look at once; settled and waived breaks
add nothing. Every row is a dict of stable plain keys; money is fen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from sqlalchemy import Connection, Engine, text

from hub.errors import NotFound
from reconcile.signoff import IN_THE_WAY

Bind = Engine | Connection
Record = dict[str, object]

STATES = ("open", "explained", "accepted", "corrected", "closed")
SEVERITIES = ("critical", "major", "minor")
AGES = """case when age_days is null then '-' when age_days < 2 then '0-1' when age_days < 8 then '2-7'
    when age_days < 31 then '8-30' else '31+' end"""
DIMENSIONS: Mapping[str, str] = {
    "rule": "rule_id",
    "customer": "customer_id",
    "system": "system",
    "age": AGES,
    "owner": "owner",
    "severity": "severity",
    "province": "province",
    "state": "state",
}
"""What sums are made by: name → SQL. A break counts under one value of each, so that every column adds up to the whole."""

_SUBJECT = "(select string_agg(key || '=' || value, ' ' order by key) from jsonb_each_text(subject))"
LEDGER = f"""
select break_id, rule_id as rule, severity, province, {_SUBJECT} as subject, left_value, right_value, money_fen, counted_fen,
    state, owner, due_at, age_days, first_seen_cycle as first_seen, last_seen_cycle as last_seen, reopened, returned, customer_id,
    system, shared as cause, waiver_id
from audit.break_now
"""
# By the clock of `age_days`: the end of the last judged night. Today's would call late what no night has looked at since.
_OVERDUE = """at_stake and state = 'open' and due_at < (
    select timezone('Asia/Shanghai', to_date(max(cycle), 'YYYYMMDD') + interval '1 day') from audit.rule_run)"""
CAUSES = """
select shared as cause, count(*) as breaks, string_agg(distinct rule_id, ', ' order by rule_id) as rules,
    string_agg(distinct owner, ', ' order by owner) as owners, min(opened_cycle) as since,
    coalesce(sum(counted_fen), 0)::bigint as counted_fen, min(break_id) as example
from audit.break_now where at_stake group by shared
order by counted_fen desc, breaks desc, cause limit :limit
"""
ACTS = """
select act_id, break_id, act, acted_by, acted_at, said, owner, state_before, state_after from audit.break_act order by act_id
"""
_TREND = """
select r.cycle, sum(r.breaks)::bigint as breaks, sum(r.money_fen)::bigint as money_fen, sum(r.waived)::bigint as waived,
    count(*) filter (where not r.passed) as rules_above
from (
    select distinct on (cycle, rule_id) * from recon.rule_run order by cycle, rule_id, seq desc
) r group by r.cycle order by r.cycle desc limit :limit
"""
_MONTHS = """
select subject ->> 'month' as period, count(*) as breaks, count(*) filter (where state <> 'closed') as standing,
    count(*) filter (where state in ('open', 'explained')) as unsettled, coalesce(sum(counted_fen), 0)::bigint as counted_fen
from audit.break_now where subject ->> 'month' is not null group by 1 order by 1 desc limit :limit
"""
_PERIODS = f"""
with held as (
    select period from audit.batch where state = 'loaded' and length(period) = 6
    union select to_char(timezone('Asia/Shanghai', paid_at), 'YYYYMM') from portal_v1.payment
    union select subject ->> 'month' from audit.break_now where subject ->> 'month' is not null
    union select period from audit.period_signature
), found as (
    select subject ->> 'month' as period, count(*) filter (where state in ('open', 'explained')) as unsettled,
        count(*) filter (where {IN_THE_WAY}) as critical,
        count(*) filter (where state <> 'closed' and rule_id = 'signed_figure_changed') as changed,
        sum(counted_fen)::bigint as counted_fen
    from audit.break_now group by 1
)
select h.period, coalesce(f.unsettled, 0) as unsettled, coalesce(f.critical, 0) as critical,
    coalesce(f.counted_fen, 0) as counted_fen, s.signature_id, s.signed_by, s.signed_at, s.note, s.publication_id,
    case when s.signature_id is not null then coalesce(f.changed, 0) end as changed
from held h
left join found f using (period)
left join audit.period_signature s on s.period = h.period and s.stands
order by h.period desc
"""
SIGNATURES = """
select s.signature_id, s.period, s.signed_by, s.signed_at, s.note, s.publication_id, s.stands, s.figures_digest,
    (select count(*) from audit.break_now b where b.rule_id = 'signed_figure_changed' and b.state <> 'closed'
        and b.subject ->> 'month' = s.period) as changed
from audit.period_signature s order by s.period desc, s.signature_id desc
"""


def listing(
    bind: Bind,
    *,
    limit: int | None = 50,
    overdue: bool = False,
    waived: bool = False,
    older_than: int | None = None,
    **wanted: str | None,
) -> list[Record]:
    """Breaks as they stand, most money at stake first. `wanted`: `rule`, `state`, `severity`, `owner`, `province`, `customer`,
    `system` and their values. `older_than`: open for more than so many days; `waived`: only those under a waiver.

    Raises NotFound for a value no break has, which names those there are.
    """
    conditions, values = ["true"], dict[str, object](limit=limit)
    for name, value in wanted.items():
        if value is not None:
            _check_known(bind, name, value)
            conditions.append(f"{DIMENSIONS[name]} = :{name}")
            values[name] = value
    if overdue:
        conditions.append(_OVERDUE)
    if waived:
        conditions.append("waiver_id is not null and state <> 'closed'")
    if older_than is not None:
        conditions.append("age_days > :older_than")
        values["older_than"] = older_than
    listed = LEDGER.replace("waiver_id\n", f"waiver_id, coalesce({_OVERDUE}, false) as overdue\n")
    order = "order by state = 'closed', counted_fen desc, money_fen desc nulls last, break_id limit :limit"
    return _rows(bind, f"{listed} where {' and '.join(conditions)} {order}", **values)


def sums(bind: Bind, by: str) -> list[Record]:
    """Breaks and money by one dimension: `breaks` not closed, `unsettled` of them open or explained, `counted_fen` at stake.

    Raises NotFound for another dimension.
    """
    if by not in DIMENSIONS:
        raise NotFound(f"breaks cannot be summed by {by!r}; allowed: {', '.join(DIMENSIONS)}")
    statement = f"""
    select coalesce({DIMENSIONS[by]}, '-') as {by}, count(*) filter (where state <> 'closed') as breaks,
        count(*) filter (where state in ('open', 'explained')) as unsettled,
        count(*) filter (where {_OVERDUE}) as overdue,
        count(*) filter (where waiver_id is not null and state <> 'closed') as waived,
        count(*) filter (where state = 'closed') as closed, coalesce(sum(counted_fen), 0)::bigint as counted_fen
    from audit.break_now group by 1 order by counted_fen desc, breaks desc, 1"""
    return _rows(bind, statement)


def causes(bind: Bind, limit: int = 20) -> list[Record]:
    """Breaks at stake by what they have in common, most money first; `example` is one of them, to explain."""
    return _rows(bind, CAUSES, limit=limit)


def trend(bind: Bind, limit: int = 30) -> list[Record]:
    """What each night's newest runs found, newest night first."""
    return _rows(bind, _TREND, limit=limit)


def months(bind: Bind, limit: int = 12) -> list[Record]:
    """Breaks of each month that rules judge by month, newest first."""
    return _rows(bind, _MONTHS, limit=limit)


def periods(bind: Bind) -> list[Record]:
    """Every month of which something is loaded, paid, found or signed, newest first, with the signature that stands, if one does.

    `critical`: breaks that stand in the way of signing; `changed`: signed figures that no longer hold.
    """
    return _rows(bind, _PERIODS)


def signatures(bind: Bind) -> list[Record]:
    """Every signature of every month, newest first; `stands`: the one that counts; `changed`: figures that no longer hold."""
    return _rows(bind, SIGNATURES)


def figures(bind: Bind, period: str) -> list[Record]:
    """The signed figures of a month, of the signature that stands."""
    statement = """
    select f.province, f.figure, f.value, s.signed_by, s.signed_at
    from audit.signed_figure f join audit.period_signature s using (signature_id)
    where s.period = :period and s.stands order by f.province, f.figure"""
    return _rows(bind, statement, period=period)


def waivers(bind: Bind) -> list[Record]:
    """Every waiver, newest first; `covers` counts the breaks under it now."""
    statement = """
    select w.waiver_id, w.rule_id as rule, w.province, w.customer_id, w.subject, w.starts_cycle as starts, w.expires_cycle as
        expires, w.reason, w.announced_by, w.announced_at, w.withdrawn_by,
        (select count(*) from audit.break_now b where b.waiver_id = w.waiver_id and b.state <> 'closed') as covers
    from audit.waiver w order by w.waiver_id desc"""
    return _rows(bind, statement)


def requests(bind: Bind, break_id: str | None = None) -> list[Record]:
    """Requests to the systems, newest first: corrections that were decided, and whether they were sent.

    Raises NotFound for a break that never was."""
    if break_id is not None and not _rows(bind, "select 1 from audit.breaks where break_id = :id limit 1", id=break_id):
        raise NotFound(f"no break {break_id!r}; `bsshub breaks` lists them", break_id=break_id)
    statement = """
    select outbox_id, target_system, province, kind, break_id, state, requested_by, requested_at, payload
    from audit.outbox where cast(:break_id as text) is null or break_id = :break_id order by outbox_id desc"""
    return _rows(bind, statement, break_id=break_id)


def _check_known(bind: Bind, name: str, value: str) -> None:
    fixed = {"state": STATES, "severity": SEVERITIES}.get(name)
    known = fixed or [
        str(row["v"]) for row in _rows(bind, f"select distinct {DIMENSIONS[name]} as v from audit.break_now order by 1")
    ]
    if value not in known:
        shown = ", ".join(known[:30]) + (f" and {len(known) - 30} more" if len(known) > 30 else "")
        raise NotFound(f"no break has {name} {value!r}; known: {shown or 'none'}")


def _rows(bind: Bind, statement: str, **values: object) -> list[Record]:
    if isinstance(bind, Engine):
        with bind.connect() as connection:
            return _rows(connection, statement, **values)
    return [cast("Record", dict(row)) for row in bind.execute(text(statement), values).mappings()]
