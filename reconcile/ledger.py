"""The life of a break as data moves it: seen first and last, closed when the data agrees again, opened again when it does not.

A break's id follows from its rule and its subject, so every run finds the same break. It is closed only by a run of its rule
over its province and month, or night, in which the subject agreed and no row of it was in quarantine: none of the rows that the
break spoke of, and of the rule's other feeds none that names the whole subject; but a row that was missing and is there now
(`Rule.missing`) mends it whatever lies in quarantine. That a rule did not run proves nothing. What people said of
a break (`reconcile.life`: state, owner, deadline) stays, with one exception: it was explained, accepted or corrected as
the values showed it then, so that a break whose values change afterwards is open again.

A waiver (`reconcile.waivers`) covers breaks that open while it runs, in the nights it runs: they are listed, have no deadline
and count against no tolerance. When it ends, what is still found is due as if it had just been opened.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from identity.extract import read_store
from identity.versions import Changes, Versioned, find_changes, read_open
from reconcile.rule import Rule
from reconcile.rules.peers import DAY_SWING
from reconcile.shared import SHORTEST_KEY
from schemas.contracts import CONTRACTS

BREAKS = Versioned(
    table="recon.breaks",
    key=("break_id",),
    values=(
        "rule_id", "severity", "province", "subject", "left_value", "right_value", "money_fen", "state", "owner", "due_at",
        "first_seen_cycle", "last_seen_cycle", "reopened", "details", "cause", "customer_id", "refs", "opened_cycle",
        "closed_cycle", "returned", "waiver_id",
    ),
    json=("subject", "details", "refs"),
)  # fmt: skip
_WAIVERS = """
select waiver_id, rule_id, province, customer_id, subject::text as subject, starts_cycle from hub.waiver
where withdrawn_at is null and starts_cycle <= '{cycle}' and expires_cycle >= '{cycle}'
"""
# What people said was said of the values shown then, which the ledger holds until they change; others are another matter.
_AS_SHOWN = """(known.left_value, known.right_value, known.money_fen)
    is not distinct from (numbered.left_value, numbered.right_value, numbered.money_fen)"""
_SEEN = """
create or replace table seen as
with numbered as (
    select 'B' || sha256(rule_id || '|' || province || '|' || subject)[:16] as break_id, * from finding
), covered as (
    select numbered.break_id, min(waiver.waiver_id) as waiver_id
    from numbered
    join waiver on waiver.rule_id = numbered.rule_id and coalesce(waiver.province = numbered.province, true)
        and (waiver.customer_id is null or waiver.customer_id = numbered.customer_id)
        and json_contains(numbered.subject, waiver.subject)
    left join breaks_known known on known.break_id = numbered.break_id and known.state <> 'closed'
    where known.break_id is null or known.opened_cycle >= waiver.starts_cycle
    group by numbered.break_id
)
select numbered.*, covered.waiver_id, {as_shown} as as_shown,
    coalesce(known.state = 'accepted', false) and {as_shown} as accepted
from numbered left join covered using (break_id) left join breaks_known known on known.break_id = numbered.break_id
"""
# Of a feed's nights `day_swing` looks at the last alone, which says nothing of those before.
_WANTED = """
create or replace table breaks_new as
with met as (
    select seen.*, known.state as known_state, known.owner as known_owner, known.due_at as known_due_at,
        known.first_seen_cycle, known.last_seen_cycle, known.opened_cycle, known.reopened, known.returned,
        known.waiver_id as known_waiver,
        known.state = 'closed' or (known.state in ('explained', 'accepted', 'corrected') and not seen.as_shown) as opens_again
    from seen left join breaks_known known using (break_id) where not seen.undetermined
), open_breaks as (
    select break_id, rule_id, severity, province, subject, left_value, right_value, money_fen,
        case when known_state is null or opens_again then 'open' else known_state end as state,
        coalesce(known_owner, owner) as owner,
        case when waiver_id is not null then null
            when known_state is null or opens_again or known_waiver is not null then due_at else known_due_at end as due_at,
        coalesce(first_seen_cycle, '{cycle}') as first_seen_cycle, greatest(last_seen_cycle, '{cycle}') as last_seen_cycle,
        case when known_state is null or opens_again then '{cycle}' else opened_cycle end as opened_cycle,
        null::varchar as closed_cycle, coalesce(reopened, 0) + coalesce(opens_again, false)::int as reopened,
        coalesce(returned, 0) as returned, waiver_id, details, cause, customer_id, refs
    from met
), not_found as (
    select known.* from breaks_known known semi join judged using (rule_id, province) anti join seen using (break_id)
    where known.state <> 'closed'
        and (known.month is null or (known.province, known.month) in (select (province::varchar, month) from kept))
        and (known.rule_id <> '{night_rule}' or (known.subject ->> '$.feed', known.province, known.subject ->> '$.period')
            in (select (feed, province, period) from nightly_picture))
), named as (
    select *, count(*) over (partition by break_id) as parts from (
        select distinct rule_id, break_id, province, unnest(map_values(subject::json::map(varchar, varchar))) as token, month
        from not_found
    ) where token is distinct from month and length(token) >= {shortest}
), referred as (
    select rule_id, break_id, ref ->> '$.province' as province, ref ->> '$.source_key' as token, ref ->> '$.entity' as entity
    from (select rule_id, break_id, unnest(refs::json[]) as ref from not_found)
), held_back as (
    select named.break_id
    from named join read_feed using (rule_id) anti join referred using (break_id, entity)
    join withheld using (feed, province, token)
    group by named.break_id, feed, row_hash, parts having count(distinct token) = parts
    union
    select break_id from referred join read_feed using (rule_id, entity) semi join withheld using (feed, province, token)
), agreed as (
    select not_found.* replace ('closed' as state, '{cycle}' as closed_cycle) from not_found
    where break_id not in (from held_back) or break_id in ({came})
)
select * from open_breaks union all by name select * exclude (month) from agreed
"""


def meet(connection: duckdb.DuckDBPyConnection, cycle: str) -> None:
    """Makes `seen`, what was found with the id of its break and the waiver that covers it, and `breaks_known`, the ledger's.

    Needs `finding` and `judged` (`reconcile.judge`). Nobody may write breaks between this and `age`.
    """
    read_open(connection, BREAKS)
    connection.execute("create or replace table breaks_known as select *, subject ->> '$.month' as month from breaks_current")
    read_store(connection, "waiver", _WAIVERS.format(cycle=cycle))
    connection.execute(_SEEN.format(as_shown=_AS_SHOWN))


def age(connection: duckdb.DuckDBPyConnection, cycle: str, rules: Sequence[Rule]) -> Changes:
    """Carries the ledger's breaks over to what was `seen`; makes the changes to write (`identity.versions`). `rules`: those that
    were judged."""
    connection.execute("create or replace table read_feed (rule_id varchar, entity varchar, feed varchar)")
    for rule in rules:
        for contract in CONTRACTS.values():
            if contract.entity in rule.needs:
                values = [rule.rule_id, contract.entity, contract.feed]
                connection.execute("insert into read_feed values (?, ?, ?)", values)
    connection.execute(_WANTED.format(cycle=cycle, night_rule=DAY_SWING.rule_id, shortest=SHORTEST_KEY, came=_came(rules)))
    return find_changes(connection, BREAKS, "breaks_new", partial=True)


def _came(rules: Sequence[Rule]) -> str:
    """SELECT of the breaks, among `not_found`, of which the row that was missing is there."""
    each = [
        f"select break_id from not_found where rule_id = '{rule.rule_id}' and (province, subject ->> '$.{row.key}') in "
        f"(select (province::varchar, {row.key}) from core.{row.entity})"
        for rule in rules
        if (row := rule.missing)
    ]
    return " union all ".join(each) or "select null::varchar where false"
