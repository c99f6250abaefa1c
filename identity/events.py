"""What happened to ids in a run, each with its cause: one row of `core.identity_event`, never changed afterwards.

| kind | `customer_id` | `other_id` |
|---|---|---|
| minted | an id given for the first time | |
| merged | the id that ended | the one its records now go by |
| split | an id that came (back) into use | the living one its records were under |
| moved | the living id that records came to | the living one they left |
| retired | an id whose records are all gone | |
| revived | an id that came back without leaving another's | |

The cause names the link that was found (`rule`, records `a` and `b`, `value`), or the one that fell away (`lost`).
"""

from __future__ import annotations

import duckdb

_MOVES = """
create or replace temp table old_id as
select customer_id from home where number in (select number from past);
create or replace temp table new_id as select customer_id from group_id;

create or replace temp table mover as
select node.node, node.system || '/' || node.province || '/' || node.customer_key as record, home.customer_id as was,
    new.customer_id as now
from past old join customer_of new on new.node = old.node and new.number <> old.number
join home on home.number = old.number
join node on node.node = old.node;

create or replace temp table transfer as
select was, now, count(*) as records, min(record) as record, was not in (from new_id) as ended, now not in (from old_id) as began
from mover group by was, now;

create or replace temp table touched_id as select was as customer_id from transfer union select now from transfer;
"""
# The link that crosses between those who came and those who were there; of several the strongest, then the smallest records.
_FOUND = """
create or replace temp table found as
with both_ways as (
    select a as node, b as other, rule, value from edge union all select b, a, rule, value from edge
), crossing as (
    select mover.was, mover.now, mover.record as a, both_ways.rule, both_ways.value,
        other.system || '/' || other.province || '/' || other.customer_key as b
    from mover
    join both_ways using (node)
    join node other on other.node = both_ways.other
    left join past on past.node = both_ways.other
    left join home before on before.number = past.number
    where before.customer_id is distinct from mover.was
)
select was, now, {{'a': a, 'b': b, 'rule': rule, 'value': value}} as cause from crossing
qualify row_number() over (
    partition by was, now order by coalesce(nullif(list_position({rules}, rule), 0), 99), a, b, rule, value
) = 1
"""
# The link that was, between records that are apart now: kept with either of them as its reason.
_LOST = """
create or replace temp table lost as
with reason as (
    select old.system || '/' || old.province || '/' || old.customer_key as a, old.customer_id as was, new.customer_id as a_now,
        unnest(from_json(old.evidence, '[{{"rule": "VARCHAR", "with": "VARCHAR", "value": "VARCHAR"}}]')) as said
    from crosswalk_current old join touched_id using (customer_id)
    left join node using (system, province, customer_key) left join customer_of new on new.node = node.node
), named as (
    select *, split_part(said.with, '/', 1) as b_system, split_part(said.with, '/', 2) as b_province from reason
), apart as (
    select a, said.with as b, said.rule as rule, said.value as value, was, a_now, new.customer_id as b_now
    from named join node on node.system = b_system and node.province = b_province
        and node.customer_key = substr(said.with, length(b_system) + length(b_province) + 3)
    join customer_of new on new.node = node.node
    where a_now <> new.customer_id
), sides as (
    select was, a_now as now, * exclude (was) from apart where a_now <> was
    union all
    select was, b_now, * exclude (was) from apart where b_now <> was
)
select was, now, {{'a': a, 'b': b, 'lost': rule, 'value': value}} as cause from sides
qualify row_number() over (
    partition by was, now order by coalesce(nullif(list_position({rules}, rule), 0), 99), a, b, rule, value
) = 1
"""
_PARTED = """
create or replace temp table parted as
with told as (
    select decision_id, verdict, a_system || '/' || a_province || '/' || a_key as a,
        b_system || '/' || b_province || '/' || b_key as b
    from pair_decision
)
select was, now, {'a': a, 'b': b, 'rule': 'steward', 'value': 'decision ' || decision_id || ': different'} as cause
from told join mover on mover.record in (told.a, told.b)
where told.verdict = 'different'
qualify row_number() over (partition by was, now order by decision_id) = 1
"""
_EVENTS = """
create or replace table identity_event_new as
with joined as (
    select case when ended then was else now end as customer_id, case when ended then 'merged' else 'moved' end as kind,
        case when ended then now else was end as other_id, records, to_json(cause) as cause
    from transfer left join found using (was, now) where ended or not began
), parted_from as (
    select now as customer_id, 'split' as kind, was as other_id, records,
        coalesce(to_json(parted.cause), to_json(lost.cause)) as cause
    from transfer left join lost using (was, now) left join parted using (was, now) where began and not ended
), came as (
    select customer_id, count(*) as records, min(system || '/' || province || '/' || customer_key) as record
    from (from customer_of anti join old_id using (customer_id)) join node using (node) group by customer_id
), given as (
    select came.customer_id, case when known.customer_id is null then 'minted' else 'revived' end as kind, '' as other_id,
        came.records, to_json({{'a': record, 'rule': case when known.customer_id is null then 'first_seen' else 'came_back' end}})
    from came left join (select customer_id from home) known using (customer_id)
    where known.customer_id is null or came.customer_id not in (select customer_id from parted_from)
), retired as (
    select customer_id, 'retired', '', count(*), to_json({{'rule': 'records_gone'}})
    from (from past join home using (number)) anti join new_id using (customer_id)
    where customer_id not in (select was from transfer) group by customer_id
), every as (from joined union all from parted_from union all from given union all from retired)
select customer_id, kind, other_id, records,
    coalesce(json_merge_patch(cause, {model}), json_merge_patch('{{"rule": "links_changed"}}', {model}))::varchar as cause
from every
"""


def tell(connection: duckdb.DuckDBPyConnection, rules: str, model: str) -> None:
    """Makes `identity_event_new` from the tables of `identity.crosswalk`, `edge` and `pair_decision`; and `old_id`,
    `new_id`. `rules`: SQL list of the rules, strongest first; `model`: version
    of the settings the run linked by."""
    connection.execute(_MOVES)
    connection.execute(_FOUND.format(rules=rules))
    connection.execute(_LOST.format(rules=rules))
    connection.execute(_PARTED)
    version = model.replace("'", "")
    connection.execute(_EVENTS.format(model=f"json_object('model', '{version}')"))
