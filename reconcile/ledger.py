"""The life of a break: seen first and last, closed when the data agrees again, opened again when it does not.

A break's id follows from its rule and its subject, so every run finds the same break. It is closed only by a run of its rule
over its province and month in which the subject agreed and no row of it was in quarantine; that a rule did not run proves
nothing. What a person said of a break (state, owner) stays.
"""

from __future__ import annotations

import duckdb

from identity.versions import Changes, Versioned, find_changes, read_open

BREAKS = Versioned(
    table="recon.breaks",
    key=("break_id",),
    values=(
        "rule_id", "severity", "province", "subject", "left_value", "right_value", "money_fen", "state", "owner", "due_at",
        "first_seen_cycle", "last_seen_cycle", "reopened", "details",
    ),
    json=("subject", "details"),
)  # fmt: skip
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


def age(connection: duckdb.DuckDBPyConnection, cycle: str) -> Changes:
    """Carries the ledger's breaks over to what was `found`; makes the changes to write (`identity.versions`)."""
    read_open(connection, BREAKS)
    connection.execute("create or replace table breaks_known as select *, subject ->> '$.month' as month from breaks_current")
    connection.execute(_WANTED.format(cycle=cycle))
    return find_changes(connection, BREAKS, "breaks_new", partial=True)
