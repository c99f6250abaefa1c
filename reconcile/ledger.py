"""The life of a break: seen first and last, closed when the data agrees again, opened again when it does not.

A break's id follows from its rule and its subject, so every run finds the same break. It is closed only by a run of its rule
over its province and month in which the subject agreed and no row of it was in quarantine; that a rule did not run proves
nothing. What a person said of a break (state, owner) stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta

import duckdb

from hub.periods import SHANGHAI, first_day
from identity.versions import Changes, Versioned, find_changes, read_open
from reconcile.rule import Rule

BREAKS = Versioned(
    table="recon.breaks",
    key=("break_id",),
    values=(
        "rule_id", "severity", "province", "subject", "left_value", "right_value", "money_fen", "state", "owner", "due_at",
        "first_seen_cycle", "last_seen_cycle", "reopened", "details",
    ),
    json=("subject", "details"),
)  # fmt: skip
DEADLINE = time(16)

_FOUND = """
create or replace table found (
    rule_id varchar, severity varchar, province varchar, month varchar, subject varchar, left_value varchar,
    right_value varchar, money_fen bigint, owner varchar, due_at timestamptz, details varchar, undetermined boolean
);
create or replace table judged (rule_id varchar, province varchar, subjects bigint);
"""
_JUDGE = """
insert into found
select '{rule_id}', '{severity}', province, {month}, {subject}::varchar, left_value, right_value, money_fen, '{owner}',
    timestamptz '{due_at}', {details}::varchar, undetermined
from ({found}) where province in (select province from judged where rule_id = '{rule_id}')
"""
# A province whose feed never came holds no rows of it; that no break, or every break, is found there proves nothing.
_JUDGED = """
insert into judged
select '{rule_id}', province, subjects from ({base}) where {present}
"""
_WANTED = """
create or replace table breaks_new as
with seen as (
    select 'B' || sha256(rule_id || '|' || province || '|' || subject)[:16] as break_id, * from found
), open_breaks as (
    select seen.break_id, seen.rule_id, seen.severity, seen.province, seen.subject, seen.left_value, seen.right_value,
        seen.money_fen, case when known.state is null or known.state = 'closed' then 'open' else known.state end as state,
        coalesce(known.owner, seen.owner) as owner,
        case when known.state is null or known.state = 'closed' then seen.due_at else known.due_at end as due_at,
        coalesce(known.first_seen_cycle, '{cycle}') as first_seen_cycle,
        greatest(known.last_seen_cycle, '{cycle}') as last_seen_cycle,
        coalesce(known.reopened, 0) + case when known.state = 'closed' then 1 else 0 end as reopened, seen.details
    from seen left join breaks_known known using (break_id) where not seen.undetermined
), agreed as (
    select known.* replace ('closed' as state)
    from breaks_known known semi join judged using (rule_id, province) anti join seen using (break_id)
    where known.state <> 'closed'
        and (known.month is null or (known.province, known.month) in (select (province, month) from kept))
)
select * from open_breaks union all by name select * exclude (month) from agreed
"""


def judge(connection: duckdb.DuckDBPyConnection, rules: Iterable[Rule], cycle: str) -> None:
    """Makes `found`, what each rule finds, and `judged` (`rule_id, province, subjects`), what each rule looked at."""
    connection.execute(_FOUND)
    for rule in rules:
        present = " and ".join(f"province in (select province from core.{entity})" for entity in rule.needs)
        connection.execute(_JUDGED.format(rule_id=rule.rule_id, base=rule.base, present=present))
        connection.execute(
            _JUDGE.format(
                rule_id=rule.rule_id,
                severity=rule.severity.value,
                month="month" if rule.by_month else "null",
                subject=_json(rule.subject),
                details=_json(rule.details),
                owner=rule.owner,
                due_at=_deadline(cycle, rule.deadline_days).isoformat(),
                found=rule.found,
            )
        )


def age(connection: duckdb.DuckDBPyConnection, cycle: str) -> Changes:
    """Carries the ledger's breaks over to what was `found`; makes the changes to write (`identity.versions`)."""
    read_open(connection, BREAKS)
    connection.execute("create or replace table breaks_known as select *, subject ->> '$.month' as month from breaks_current")
    connection.execute(_WANTED.format(cycle=cycle))
    return find_changes(connection, BREAKS, "breaks_new", partial=True)


def _json(columns: Iterable[str]) -> str:
    """An SQL expression for a JSON object, its keys in the order jsonb keeps them: shorter first, then by bytes."""
    fields = ", ".join(f"'{name}': {name}" for name in sorted(columns, key=lambda name: (len(name), name)))
    return f"to_json({{{fields}}})" if fields else "'{}'"


def _deadline(cycle: str, days: int) -> datetime:
    return datetime.combine(first_day(cycle) + timedelta(days=days), DEADLINE, SHANGHAI)
