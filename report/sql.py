"""The statements behind `report.queries`. Each ends in a total order, so that equal stores list equally."""

from __future__ import annotations

FEEDS = """
with instance as (
    select * from unnest(cast(:systems as text[]), cast(:feeds as text[]), cast(:kinds as text[]), cast(:provinces as text[]))
        with ordinality as i(system, feed, kind, province, position)
), newest_batch as (
    select distinct on (system, feed, province) system, feed, province, period, state
    from audit.batch order by system, feed, province, batch_id desc
), newest_attempt as (
    select distinct on (system, feed, province) system, feed, province, period, step, outcome, started_at
    from audit.attempt where feed is not null order by system, feed, province, attempt_id desc
), named as (
    select system, feed, province, max(period) as period
    from audit.missing_feed where came_batch_id is null group by system, feed, province
)
select s.expected_period, s.last_period, a.step as last_step,
    case when a.step is not null then coalesce(a.outcome, 'unfinished') end as last_outcome,
    a.started_at as last_attempt_at,
    case
        when n.period >= coalesce(s.expected_period, '') then 'missing'
        when b.state = 'refused' and b.period > coalesce(s.last_period, '') then 'refused'
        when a.outcome = 'failed' and a.period >= coalesce(s.last_period, '') and not exists (
            select from audit.batch l where (l.system, l.feed, l.province, l.period) = (i.system, i.feed, i.province, a.period)
                and l.state in ('loaded', 'superseded')) then 'failed'
        when b.state in ('landed', 'gated') then 'working'
        when s.last_period is null then 'never'
        when s.last_period < case i.kind when 'daily' then cast(:daily as text) else cast(:monthly as text) end then 'behind'
        else 'current'
    end as state
from instance i
left join audit.feed_state s using (system, feed, province)
left join newest_batch b using (system, feed, province)
left join newest_attempt a using (system, feed, province)
left join named n using (system, feed, province)
order by i.position
"""

STANDING = """
select distinct on (system, feed, province, period, of_base) batch_id
from (select *, case when kind like 'correction%' then batch_id else 0 end as of_base from audit.batch) came
where received is not null and state <> 'superseded'
order by system, feed, province, period, of_base, state = 'refused', batch_id desc
"""
"""The deliveries whose rows are what a feed says of a period: the newest that was counted, a refused one only where nothing else
came, and every correction. What was pulled or sent again repeats the rows of the one before."""

BATCHES = f"""
select batch_id, system || '.' || feed as feed, province, period, kind, resend, state,
    refusal_code || ': ' || coalesce(refusal_reason, '') as refusal,
    received, accepted, quarantined, duplicate, refused,
    received_fen, accepted_fen, quarantined_fen, duplicate_fen, refused_fen, unreadable,
    inserted, updated, unchanged, stale, deleted, vanished,
    inserted_fen, updated_fen, unchanged_fen, stale_fen, deleted_fen, declared_rows, objects, landed_at, loaded_at,
    batch_id in ({STANDING}) as stands
from audit.batch
where (cast(:feed as text) is null or system || '.' || feed = :feed)
    and (cast(:province as text) is null or province = :province)
    and (cast(:period as text) is null or period = :period)
    and (cast(:state as text) is null or state = :state)
order by batch_id desc
limit :limit
"""

QUARANTINE = """
select batch_id, system || '.' || feed as feed, province, period, row_no, outcome, reason, rule_id, object_name, byte_offset,
    byte_length
from audit.quarantine
where (cast(:feed as text) is null or system || '.' || feed = :feed)
    and (cast(:batch as bigint) is null or batch_id = :batch)
    and (cast(:reason as text) is null or reason = :reason)
order by batch_id desc, row_no
limit :limit
"""

QUARANTINE_BY_REASON = f"""
select system || '.' || feed as feed, province, reason, rule_id, count(*) as "rows", count(distinct batch_id) as batches,
    max(period) as newest_period
from audit.quarantine
where outcome = 'quarantined' and batch_id in ({STANDING})
group by system, feed, province, reason, rule_id
order by "rows" desc, feed, province, reason, rule_id
"""

BREAKS = """
select break_id, rule_id as rule, severity, province,
    (select string_agg(key || '=' || value, ' ' order by key) from jsonb_each_text(subject)) as subject,
    left_value, right_value, money_fen, state, owner, due_at,
    first_seen_cycle as first_seen, last_seen_cycle as last_seen, reopened
from portal_v1.breaks
where (cast(:rule as text) is null or rule_id = :rule)
    and (cast(:state as text) is null or state = :state)
order by (state in ('open', 'explained')) desc, money_fen desc nulls last, break_id
limit :limit
"""

BREAKS_BY_RULE = """
with ran as (
    select distinct on (r.rule_id) r.rule_id, r.cycle, r.subjects, r.tolerance, r.passed
    from audit.rule_run r
    join portal_v1.publication p on r.seq <= p.derived_seq
    order by r.rule_id, r.seq desc
), found as (
    select rule_id, max(severity) as severity,
        count(*) filter (where state in ('open', 'explained')) as open,
        coalesce(sum(once.counted_fen) filter (where state in ('open', 'explained')), 0)::bigint as open_fen,
        count(*) filter (where state not in ('open', 'explained')) as settled
    from portal_v1.breaks
    left join (select break_id, counted_fen from audit.break_now) once using (break_id)
    group by rule_id
)
select rule_id as rule, f.severity, coalesce(f.open, 0) as open, coalesce(f.open_fen, 0) as open_fen,
    coalesce(f.settled, 0) as settled, r.subjects, r.tolerance, r.passed, r.cycle as last_cycle
from found f
full join ran r using (rule_id)
order by open_fen desc, open desc, rule
"""

CUSTOMERS = """
select customer_id, customer_name, uscc, customer_category, list_status, industry, customer_status, province, parent_customer_id,
    group_root_id, address, phone, manager_id, manager_name,
    (select string_agg(s ->> 'system' || '/' || (s ->> 'province') || '/' || (s ->> 'key'), ' '
                       order by s ->> 'system', s ->> 'province', s ->> 'key')
     from jsonb_array_elements(source_ids) s) as source_ids
from portal_v1.customer
where cast(:search as text) is null
    or customer_id = :search or uscc = :search or customer_name ilike :part
    or exists (select from jsonb_array_elements(source_ids) s where s ->> 'key' = :search)
order by customer_id
limit :limit
"""

GATE_RESULTS = """
select batch_id, system || '.' || feed as feed, province, period, rule_id, severity, error_class, failed_sql, failed_gx
from audit.gate_result
where batch_id = any(cast(:batches as bigint[]))
order by batch_id, rule_id
"""

ATTEMPTS = """
select attempt_id, step, system || '.' || feed as feed, province, period,
    coalesce(outcome, 'unfinished') as outcome, error_kind, message, batch_ids, run_id,
    started_at, finished_at, round(extract(epoch from finished_at - started_at), 1)::text as seconds
from audit.attempt
where (cast(:feed as text) is null or system || '.' || feed = :feed)
    and (cast(:step as text) is null or step = :step)
    and (cast(:period as text) is null or period = :period)
order by attempt_id desc
limit :limit
"""

MISSING = """
select system || '.' || feed as feed, province, period, cycle, reason, noted_at, came_batch_id
from audit.missing_feed
where cast(:cycle as text) is null or cycle = :cycle
order by noted_at desc, feed, province, period
"""

PUBLICATION = """
select p.publication_id, p.cycle, p.seq as sequence, p.derived_seq as derived_sequence, p.published_at, p.batches,
    (select hash from audit.journal order by seq desc limit 1) as chain_head
from audit.publication p
where p.is_current
"""

# A bill item's price is that of one unit: prices of units are no sum.
PORTAL_VIEWS = """
select c.relname as view,
    coalesce(array_agg(a.attname order by a.attnum) filter (
        where a.attname like '%\\_fen' and (c.relname, a.attname) <> ('bill_item', 'price_fen')), '{}')::text[] as money_columns
from pg_class c
join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'portal_v1'
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relkind in ('v', 'm') and c.relname <> 'publication'
group by c.relname
order by c.relname
"""

NIGHT_FLOW = f"""
select count(*) filter (where state in ('loaded', 'superseded')) as batches_loaded,
    count(*) filter (where state = 'refused') as batches_refused,
    coalesce(sum(received) filter (where stands), 0) as received,
    coalesce(sum(accepted) filter (where stands), 0) as accepted,
    coalesce(sum(quarantined) filter (where stands), 0) as quarantined,
    coalesce(sum(duplicate) filter (where stands), 0) as duplicate,
    coalesce(sum(refused) filter (where stands), 0) as refused,
    coalesce(sum(received_fen) filter (where stands), 0) as received_fen,
    coalesce(sum(accepted_fen) filter (where stands), 0) as accepted_fen,
    coalesce(sum(quarantined_fen) filter (where stands), 0) as quarantined_fen
from (select *, batch_id in ({STANDING}) as stands from audit.batch) came
where period in (:daily, :monthly)
"""

NIGHT_DERIVED_KEYS = ("customers", "source_customers", "breaks", "breaks_fen")
NIGHT_DERIVED = """
select (select count(*) from portal_v1.customer) as customers,
    (select count(*) from portal_v1.customer_source) as source_customers,
    (select count(*) from portal_v1.breaks where state in ('open', 'explained')) as breaks,
    (select coalesce(sum(once.counted_fen), 0)::bigint from portal_v1.breaks join audit.break_now once using (break_id)
        where portal_v1.breaks.state in ('open', 'explained')) as breaks_fen
"""

ALL_GATE_RESULTS = """
select batch_id, system || '.' || feed as feed, province, period, rule_id, severity, error_class, failed_sql, failed_gx
from audit.gate_result
order by batch_id desc, rule_id
"""

COUNTS = """
select (select count(*) from audit.batch) as batches,
    (select count(*) from audit.attempt) as attempts,
    (select count(*) from portal_v1.breaks) as breaks
"""
