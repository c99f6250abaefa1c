-- What portals read, and what auditors read. Every view of portal_v1 reads through hub.current_publication: data at its
-- `seq`, what the hub derived from that data (ids, golden customers, breaks) at its `derived_seq`. One statement sees one
-- publication; a reader that needs several statements to agree asks for REPEATABLE READ.

create view core.source_customer as
select 'customer' as entity, c.system, c.province, c.source_key, c.customer_key, c.customer_name, c.short_name, c.uscc,
    c.org_code, c.licence_no, c.customer_id_crm, c.group_id_group, c.parent_key, c.group_level, c.customer_category,
    c.list_status, c.industry, c.address, c.phone, c.manager_id, c.manager_name, c.customer_status, c.source_version,
    c.is_deleted, c.recorded_from, c.recorded_to, c.batch_id, c.row_no
from core.customer c
union all
select 'account', a.system, a.province, a.source_key, a.customer_no_billing, a.customer_name, null, a.uscc,
    a.org_code, null, a.customer_id_crm, null, null, null, null,
    null, null, a.address, a.contact_phone, null, null, a.account_status, a.source_version,
    a.is_deleted, a.recorded_from, a.recorded_to, a.batch_id, a.row_no
from core.account a
where a.customer_no_billing is not null
union all
select 'product_order', o.system, o.province, o.source_key, o.customer_no_orders, o.customer_name, null, o.uscc,
    null, null, o.customer_id_crm, null, null, null, null,
    null, null, null, null, null, null, null, o.source_version,
    o.is_deleted, o.recorded_from, o.recorded_to, o.batch_id, o.row_no
from core.product_order o
where o.customer_no_orders is not null;

create view portal_v1.publication as
select p.publication_id, p.cycle, p.published_at, p.seq, p.derived_seq, p.inputs_digest, p.missing
from hub.current_publication c
join hub.publication p using (publication_id);

create view portal_v1.customer_source as
select x.customer_id, x.system, x.province, x.customer_key, x.rule
from core.crosswalk x
join portal_v1.publication p on hub.visible(x.recorded_from, x.recorded_to, p.derived_seq);

create view portal_v1.customer as
with recursive golden as (
    select g.*
    from core.golden_customer g
    join portal_v1.publication p on hub.visible(g.recorded_from, g.recorded_to, p.derived_seq)
), hierarchy as (
    select g.customer_id, array[g.customer_id] as group_path
    from golden g
    where not exists (select from golden parent where parent.customer_id = g.parent_customer_id)
    union all
    select g.customer_id, h.group_path || g.customer_id
    from golden g
    join hierarchy h on h.customer_id = g.parent_customer_id
    where g.customer_id <> all (h.group_path)
), ids as (
    select s.customer_id,
        jsonb_agg(jsonb_build_object('system', s.system, 'province', s.province, 'key', s.customer_key)
                  order by s.system, s.province, s.customer_key) as source_ids
    from portal_v1.customer_source s
    group by s.customer_id
)
select g.customer_id, g.customer_name, g.short_name, g.uscc, g.org_code, g.licence_no, g.customer_category, g.list_status,
    g.industry, hub.masked(g.address) as address, hub.masked(g.phone) as phone, g.manager_id,
    hub.masked(g.manager_name) as manager_name, g.customer_status, g.province, g.parent_customer_id,
    parent.customer_name as parent_customer_name, h.group_path, h.group_path[1] as group_root_id, ids.source_ids
from golden g
left join golden parent on parent.customer_id = g.parent_customer_id
left join hierarchy h on h.customer_id = g.customer_id
left join ids on ids.customer_id = g.customer_id;

create view portal_v1.contract as
select
    t.system,
    t.province,
    t.source_key,
    x.customer_id,
    t.contract_no,
    t.customer_key,
    t.contract_title,
    t.contract_status,
    t.signed_on,
    t.starts_on,
    t.ends_on,
    t.amount_fen,
    t.updated_at,
    t.batch_id,
    t.row_no
from core.agreement t
join portal_v1.publication p on hub.visible(t.recorded_from, t.recorded_to, p.seq)
left join portal_v1.customer_source x
    on x.system = t.system and x.province = t.province and x.customer_key = t.customer_key
where not t.is_deleted;

create view portal_v1.contact as
select
    t.system,
    t.province,
    t.source_key,
    x.customer_id,
    t.contact_id,
    t.customer_key,
    hub.masked(t.contact_name) as contact_name,
    t.contact_role,
    hub.masked(t.phone) as phone,
    hub.masked(t.email) as email,
    t.updated_at,
    t.batch_id,
    t.row_no
from core.contact t
join portal_v1.publication p on hub.visible(t.recorded_from, t.recorded_to, p.seq)
left join portal_v1.customer_source x
    on x.system = t.system and x.province = t.province and x.customer_key = t.customer_key
where not t.is_deleted;

create view portal_v1.product as
select
    t.system,
    t.province,
    t.source_key,
    x.customer_id,
    t.product_id_crm,
    t.customer_key,
    t.contract_no,
    t.account_no,
    t.offering,
    t.service_kind,
    hub.masked(t.service_no) as service_no,
    t.product_status,
    t.started_on,
    t.ended_on,
    t.monthly_price_fen,
    t.updated_at,
    t.batch_id,
    t.row_no
from core.product t
join portal_v1.publication p on hub.visible(t.recorded_from, t.recorded_to, p.seq)
left join portal_v1.customer_source x
    on x.system = t.system and x.province = t.province and x.customer_key = t.customer_key
where not t.is_deleted;

create view portal_v1.resource as
select
    t.system,
    t.province,
    t.source_key,
    t.resource_id,
    t.product_id_crm,
    t.resource_kind,
    hub.masked(t.resource_name) as resource_name,
    t.bandwidth_mbps,
    hub.masked(t.a_end) as a_end,
    hub.masked(t.z_end) as z_end,
    t.resource_status,
    t.updated_at,
    t.batch_id,
    t.row_no
from core.resource t
join portal_v1.publication p on hub.visible(t.recorded_from, t.recorded_to, p.seq)
where not t.is_deleted;

create view portal_v1.account as
select
    t.system,
    t.province,
    t.source_key,
    x.customer_id,
    t.account_no,
    t.customer_no_billing,
    t.customer_name,
    t.uscc,
    t.org_code,
    t.customer_id_crm,
    t.account_status,
    t.opened_on,
    t.closed_on,
    t.arrears_fen,
    hub.masked(t.address) as address,
    hub.masked(t.contact_phone) as contact_phone,
    t.updated_at,
    t.batch_id,
    t.row_no
from core.account t
join portal_v1.publication p on hub.visible(t.recorded_from, t.recorded_to, p.seq)
left join portal_v1.customer_source x
    on x.system = t.system and x.province = t.province and x.customer_key = t.customer_no_billing
where not t.is_deleted;

create view portal_v1.work_order as
select
    t.system,
    t.province,
    t.source_key,
    t.work_order_no,
    t.order_no,
    t.step_no,
    t.step_name,
    t.department,
    hub.masked(t.owner_name) as owner_name,
    t.work_order_state,
    t.due_rule_at,
    t.due_promised_at,
    t.due_contract_at,
    t.governing_deadline,
    t.started_at,
    t.finished_at,
    t.updated_at,
    t.batch_id,
    t.row_no
from core.work_order t
join portal_v1.publication p on hub.visible(t.recorded_from, t.recorded_to, p.seq)
where not t.is_deleted;

create view portal_v1.production_job as
select
    t.system,
    t.province,
    t.source_key,
    x.customer_id,
    t.job_no,
    t.customer_key,
    t.order_no,
    t.product_id_crm,
    t.job_name,
    t.team,
    hub.masked(t.leader_name) as leader_name,
    t.job_state,
    t.abort_reason,
    t.planned_on,
    t.finished_on,
    t.updated_at,
    t.batch_id,
    t.row_no
from core.production_job t
join portal_v1.publication p on hub.visible(t.recorded_from, t.recorded_to, p.seq)
left join portal_v1.customer_source x
    on x.system = t.system and x.province = t.province and x.customer_key = t.customer_key
where not t.is_deleted;

create view portal_v1.bill as
select
    t.system,
    t.province,
    t.source_key,
    a.customer_id,
    t.bill_no,
    t.account_no,
    t.bill_month,
    t.item_count,
    t.total_fen,
    t.tax_fen,
    t.issued_on,
    t.due_on,
    t.bill_status,
    t.batch_id,
    t.row_no
from core.bill t
join portal_v1.publication p on hub.visible(t.recorded_from, t.recorded_to, p.seq)
left join portal_v1.account a on a.system = t.system and a.province = t.province and a.source_key = t.account_no
where not t.is_deleted;

create view portal_v1.payment as
select
    t.system,
    t.province,
    t.source_key,
    a.customer_id,
    t.payment_no,
    t.account_no,
    t.bill_no,
    t.amount_fen,
    t.payment_kind,
    t.payment_channel,
    t.paid_at,
    hub.masked(t.payer_name) as payer_name,
    t.batch_id,
    t.row_no
from core.payment t
join portal_v1.publication p on hub.visible(t.recorded_from, t.recorded_to, p.seq)
left join portal_v1.account a on a.system = t.system and a.province = t.province and a.source_key = t.account_no
where not t.is_deleted;

create view portal_v1.product_order as
select
    t.system,
    t.province,
    t.source_key,
    x.customer_id,
    t.order_no,
    t.customer_no_orders,
    t.customer_name,
    t.uscc,
    t.customer_id_crm,
    t.product_id_crm,
    t.offering,
    t.service_kind,
    t.order_action,
    t.order_state,
    t.order_channel,
    t.ordered_at,
    t.completed_at,
    t.price_fen,
    t.updated_at,
    t.batch_id,
    t.row_no,
    w.work_orders
from core.product_order t
join portal_v1.publication p on hub.visible(t.recorded_from, t.recorded_to, p.seq)
left join portal_v1.customer_source x
    on x.system = t.system and x.province = t.province and x.customer_key = t.customer_no_orders
left join (
    select o.system, o.province, o.order_no,
        jsonb_agg(jsonb_build_object(
            'work_order_no', o.work_order_no, 'step_no', o.step_no, 'step_name', o.step_name, 'department', o.department,
            'state', o.work_order_state, 'due_rule_at', o.due_rule_at, 'due_promised_at', o.due_promised_at,
            'due_contract_at', o.due_contract_at, 'governing_deadline', o.governing_deadline,
            'started_at', o.started_at, 'finished_at', o.finished_at) order by o.step_no, o.work_order_no) as work_orders
    from portal_v1.work_order o
    group by o.system, o.province, o.order_no
) w on w.system = t.system and w.province = t.province and w.order_no = t.order_no
where not t.is_deleted;

create view portal_v1.bill_item as
select
    t.system,
    t.province,
    t.source_key,
    t.item_no,
    t.bill_no,
    t.account_no,
    t.product_id_crm,
    t.charge_item,
    t.item_name,
    hub.masked(t.service_no) as service_no,
    t.quantity,
    t.price_fen,
    t.amount_fen,
    t.tax_fen,
    t.charged_from,
    t.charged_to,
    t.batch_id,
    t.row_no
from core.bill_item t
join portal_v1.publication p on t.recorded_to is null or t.recorded_to > p.seq
join hub.publication_batch b on b.publication_id = p.publication_id and b.batch_id = t.batch_id;

create view portal_v1.breaks as
select b.break_id, b.rule_id, b.severity, b.province, b.subject, b.left_value, b.right_value, b.money_fen, b.state, b.owner,
    b.due_at, b.first_seen_cycle, b.last_seen_cycle, b.reopened, b.details
from recon.breaks b
join portal_v1.publication p on hub.visible(b.recorded_from, b.recorded_to, p.derived_seq);

create view audit.publication as
select p.publication_id, p.cycle, p.seq, p.derived_seq, p.inputs_digest, p.digests, p.missing, p.published_at,
    c.publication_id is not null as is_current,
    (select count(*) from hub.publication_batch b where b.publication_id = p.publication_id) as batches
from hub.publication p
left join hub.current_publication c using (publication_id);

create view audit.batch as
select b.batch_id, b.system, b.feed, b.province, b.period, b.kind, b.resend, b.state, b.refusal_code, b.refusal_reason,
    b.delivery ->> 'layout' as layout, jsonb_array_length(b.delivery -> 'objects') as objects,
    (b.delivery ->> 'declared_rows')::bigint as declared_rows, b.content_digest,
    b.received, b.accepted, b.quarantined, b.duplicate, b.refused,
    b.received_fen, b.accepted_fen, b.quarantined_fen, b.duplicate_fen, b.refused_fen, b.unreadable,
    b.inserted, b.updated, b.unchanged, b.stale, b.deleted, b.vanished,
    b.inserted_fen, b.updated_fen, b.unchanged_fen, b.stale_fen, b.deleted_fen,
    b.loaded_seq, b.superseded_seq, b.superseded_by, b.landed_at, b.gated_at, b.loaded_at
from hub.batch b;

create view audit.landed_object as
select b.batch_id, o.role, o.object ->> 'name' as name, o.object ->> 'sha256' as sha256,
    (o.object ->> 'bytes')::bigint as bytes, t.reason as removed_reason, t.removed_at
from hub.batch b
cross join lateral (
    select 'rows' as role, jsonb_array_elements(b.delivery -> 'objects') as object
    union all
    select 'companion', jsonb_array_elements(b.delivery -> 'companions')
) o
left join hub.tombstone t on t.sha256 = o.object ->> 'sha256';

create view audit.attempt as select * from hub.attempt;

create view audit.journal as select * from hub.journal;

create view audit.gate_result as
select b.system, b.feed, b.province, b.period, r.*
from hub.gate_result r
join hub.batch b using (batch_id);

create view audit.quarantine as
select b.system, b.feed, b.province, b.period, q.batch_id, q.row_no, q.outcome, q.reason, q.rule_id, q.detail,
    b.delivery -> 'objects' -> q.object_no::int ->> 'name' as object_name, q.byte_offset, q.byte_length
from hub.quarantine q
join hub.batch b using (batch_id);

create view audit.missing_feed as select * from hub.missing_feed;

create view audit.feed_state as select * from hub.feed_state;

create view audit.breaks as select * from recon.breaks;

create view audit.rule_run as select * from recon.rule_run;
