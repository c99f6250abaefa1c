"""The deterministic tiers: a valid USCC, an organisation code, a recorded cross-reference (DOMAIN §5).

Three dangers are met here. A code that several unrelated firms carry identifies none of them (`identity.trust`). A branch is
never its head office, whatever code a clerk gave it. A cross-reference that other facts contradict is signalled, not followed.
"""

from __future__ import annotations

import duckdb

from identity.components import components
from identity.settings import Rules

_EDGES = "create or replace table edge (a integer, b integer, rule varchar, value varchar)"


def link_by_facts(connection: duckdb.DuckDBPyConnection, rules: Rules) -> None:
    """Makes `edge` and `node_key` (a node's believed codes) from the tables of `identity.sources` and `code_trust`."""
    connection.execute(_EDGES)
    connection.execute(_ANCHORS)
    if rules.uscc:
        connection.execute(_EDGES_BY_USCC)
    connection.execute(_ORG_GROUPS)
    if rules.org_code:
        connection.execute(_EDGES_BY_ORG)
    components(connection, "node", "edge", "code_group")
    if rules.cross_references:
        _follow_references(connection)


def _follow_references(connection: duckdb.DuckDBPyConnection) -> None:
    """Between the groups that codes make."""
    for statement in (_GROUPS, _NAMED_ALIKE, _REFERENCES, _PROFILES, _WEIGHED, _FOLLOWED):
        connection.execute(statement)
    components(connection, "(select code_group as node from groups)", "(select a, b from free_pair)", "free_cluster")
    for statement in (_BRIDGES, _EDGES_BY_REFERENCE):
        connection.execute(statement)


# `uscc` is set where the node's USCC is one firm's: two anchored nodes of different USCC are never one.
_ANCHORS = """
create or replace table node_key as
select name.node, coalesce(name.core, '') as core, coalesce(name.branch, '') as branch,
    case when uscc_trust.trust in ('firm', 'by_branch') then uscc.code end as uscc,
    case uscc_trust.trust when 'firm' then '' when 'by_branch' then coalesce(name.branch, '')
        when 'contested' then name.core end as uscc_part,
    uscc.code as written_uscc,
    case when org_trust.trust in ('firm', 'by_branch') then org.code end as own_org,
    case org_trust.trust when 'by_branch' then coalesce(name.branch, '') else '' end as org_part
from record name
left join node_code uscc on uscc.node = name.node and uscc.kind = 'uscc'
left join code_trust uscc_trust on uscc_trust.kind = 'uscc' and uscc_trust.code = uscc.code
left join node_code org on org.node = name.node and org.kind = 'org_code'
left join code_trust org_trust on org_trust.kind = 'org_code' and org_trust.code = org.code
"""
_EDGES_BY_USCC = """
insert into edge
select hub, node, 'uscc', written_uscc from (
    select node, written_uscc, min(node) over (partition by written_uscc, uscc_part) as hub
    from node_key where uscc_part is not null
) where hub <> node
"""

# The organisation code is inside the USCC (positions 9-17). Where one organisation code lies under several USCCs, a node
# without a USCC cannot be told which of them it is.
_ORG_GROUPS = """
create or replace table org_group as
with keyed as (
    select node, uscc, org_part, coalesce(substr(uscc, 9, 9), own_org) as org_code,
        case when uscc is null then 0 else 1 end as anchored
    from node_key where coalesce(uscc, own_org) is not null
)
select node, org_code, uscc, min(node) over same as hub, count(distinct uscc) over same as usccs,
    count(*) over same - sum(anchored) over same as without_uscc
from keyed window same as (partition by org_code, org_part);

insert into signal
select 'organisation_code_under_several_usccs', system, province, customer_key, 'org_code ' || org_code
from org_group join node using (node) where usccs > 1 and uscc is null;

insert into signal
select 'organisation_code_disagrees_with_uscc', system, province, customer_key, 'uscc ' || uscc || ', org_code ' || own_org
from node_key join node using (node) where uscc is not null and own_org is not null and own_org <> substr(uscc, 9, 9);
"""
_EDGES_BY_ORG = """
insert into edge
select hub, node, 'org_code', org_code from org_group where usccs <= 1 and without_uscc > 0 and hub <> node
"""

_GROUPS = """
create or replace table groups as
select component as code_group, min(uscc) as uscc from code_group join node_key using (node) group by component
"""

# What CRM records the other way round: the customer whose products an account pays for, or that has the product an order is
# about. A parent may pay for its daughter, so this counts only between records of one name.
_NAMED_ALIKE = """
create or replace table named_alike as
with sole_payer as (
    select province, account_no, min(customer_key) as customer_key from payer
    group by all having count(distinct customer_key) = 1
), recorded as (
    select row.node, row.province, sole_payer.customer_key as to_key, 'crm.account_no' as rule
    from reference_row row join sole_payer using (province, account_no) where row.entity = 'account'
    union all
    select row.node, row.province, holder.customer_key, 'orders.product_id_crm'
    from reference_row row join holder using (province, product_id_crm) where row.entity = 'product_order'
)
select recorded.* from recorded
join node target on target.system = 'crm' and target.province = recorded.province and target.customer_key = recorded.to_key
join record own on own.node = recorded.node
join record other on other.node = target.node
where own.core = other.core
"""
# Every recorded cross-reference, with the rows that say it. An account whose mapping CRM itself contradicts (the account
# pays for another customer's products, and for none of the one billing names) says nothing.
_REFERENCES = """
create or replace table reference as
with said as (
    select row.node, 'crm' as to_system, row.province, row.customer_id_crm as to_key, row.system || '.customer_id_crm' as rule,
        row.entity = 'account' and exists (
            select 1 from payer where payer.province = row.province and payer.account_no = row.account_no
        ) and not exists (
            select 1 from payer where payer.province = row.province and payer.account_no = row.account_no
                and payer.customer_key = row.customer_id_crm
        ) as denied
    from reference_row row where row.customer_id_crm is not null
    union all
    select row.node, 'group', row.province, row.group_id_group, row.system || '.group_id_group', false
    from reference_row row where row.group_id_group is not null
    union all
    select named.node, 'crm', named.province, named.to_key, named.rule, false
    from named_alike named
)
select said.node as a, target.node as b, said.to_system, said.to_key, said.rule, bool_and(denied) as denied,
    count(*) filter (not denied) as support
from said left join node target
    on target.system = said.to_system and target.province = said.province and target.customer_key = said.to_key
group by all;
"""
# What the members of a group say of it, where a reference begins or ends. Two groups are unlike where their names have nothing in
# common, and each says something of where it is or how it is reached that the other contradicts: a reference between them is a
# slip of the key. A renamed firm keeps its telephone, its address or its licence.
_PROFILES = """
create or replace table referring as
select distinct one.component as group_a, other.component as group_b
from reference join code_group one on one.node = reference.a join code_group other on other.node = reference.b
where one.component <> other.component;

create or replace table group_profile as
with met as (select group_a as component from referring union select group_b from referring)
select component, list(distinct left(core, 2)) filter (core is not null) as heads, string_agg(distinct core, ' ') as cores,
    list(distinct phone) filter (phone is not null) as phones, list(distinct street) filter (street is not null) as streets,
    list(distinct licence) filter (licence is not null) as licences
from code_group semi join met using (component) join record using (node) group by component;

create or replace table unlike as
select group_a, group_b from referring
join group_profile one on one.component = group_a join group_profile other on other.component = group_b
where len(one.heads) > 0 and len(other.heads) > 0
    and len(list_filter(one.heads, lambda head: contains(other.cores, head))) = 0
    and len(list_filter(other.heads, lambda head: contains(one.cores, head))) = 0
    and (coalesce(len(one.phones), 0) > 0 and coalesce(len(other.phones), 0) > 0
        or coalesce(len(one.streets), 0) > 0 and coalesce(len(other.streets), 0) > 0)
    and not coalesce(list_has_any(one.phones, other.phones), false)
    and not coalesce(list_has_any(one.streets, other.streets), false)
    and not coalesce(list_has_any(one.licences, other.licences), false);
"""
_WEIGHED = """
create or replace table weighed as
select reference.a, reference.b, reference.rule, reference.to_key, reference.to_system, reference.support,
    from_group.component as group_a, to_group.component as group_b,
    case when reference.b is null then 'cross_reference_to_nobody'
        when reference.denied then 'account_mapping_denied_by_crm'
        when from_key.uscc is not null and to_key_.uscc is not null and from_key.uscc <> to_key_.uscc
            or groups_a.uscc <> groups_b.uscc then 'cross_reference_contradicted_by_uscc'
        when from_key.core <> '' and to_key_.core <> '' and (from_key.branch = '') <> (to_key_.branch = '')
            then 'cross_reference_between_branch_and_parent'
        when unlike.group_a is not null then 'cross_reference_between_unlike_records'
    end as fault
from reference
join code_group from_group on from_group.node = reference.a
join groups groups_a on groups_a.code_group = from_group.component
join node_key from_key on from_key.node = reference.a
left join code_group to_group on to_group.node = reference.b
left join groups groups_b on groups_b.code_group = to_group.component
left join node_key to_key_ on to_key_.node = reference.b
left join unlike on unlike.group_a = from_group.component and unlike.group_b = to_group.component;

insert into signal
select fault, system, province, customer_key, rule || ' → ' || to_system || ' ' || to_key
from weighed join node on node.node = weighed.a where fault is not null;
"""

# A node that refers to two different customers of one system refers to the one most of its rows name, or to none.
_FOLLOWED = """
create or replace table followed as
with by_group as (
    select a, to_system, group_b, sum(support) as support from weighed where fault is null group by all
), ranked as (
    select *, rank() over (partition by a, to_system order by support desc) as place from by_group
), chosen as (
    select *, count(*) over (partition by a, to_system) as rivals from ranked where place = 1
)
select weighed.* from weighed join chosen using (a, to_system, group_b) where fault is null and rivals = 1;

insert into signal
select distinct 'ambiguous_cross_reference', node.system, node.province, node.customer_key, weighed.rule
from weighed join node on node.node = weighed.a
where fault is null and (a, to_system) not in (select (a, to_system) from followed);

create or replace table pair as
select least(group_a, group_b) as a, greatest(group_a, group_b) as b, sum(support) as support
from followed where group_a <> group_b group by all;

create or replace table free_pair as
select pair.* from pair join groups one on one.code_group = pair.a join groups other on other.code_group = pair.b
where one.uscc is null and other.uscc is null;
"""

# Groups without a USCC that hang together must not tie two USCCs to each other. Where they would, each of them follows only
# the USCC most of its own references name.
_BRIDGES = """
create or replace table anchoring as
select case when one.uscc is null then pair.a else pair.b end as free_group,
    case when one.uscc is null then pair.b else pair.a end as anchor, support
from pair join groups one on one.code_group = pair.a join groups other on other.code_group = pair.b
where (one.uscc is null) <> (other.uscc is null);

create or replace table bridge as
select free_cluster.component from anchoring join free_cluster on free_cluster.node = anchoring.free_group
group by free_cluster.component having count(distinct anchor) > 1;

create or replace table accepted_pair as
with in_bridge as (select node as code_group from free_cluster join bridge using (component)),
ranked as (
    select *, rank() over (partition by free_group order by support desc) as place from anchoring
), strongest as (
    select free_group, anchor from ranked where place = 1 qualify count(*) over (partition by free_group) = 1
)
select a, b from pair
where a not in (select code_group from in_bridge) and b not in (select code_group from in_bridge)
union
select least(free_group, anchor), greatest(free_group, anchor) from strongest;

insert into signal
select 'bridge_between_usccs', node.system, node.province, node.customer_key, null
from bridge join free_cluster using (component) join code_group on code_group.component = free_cluster.node
join node on node.node = code_group.node;
"""
_EDGES_BY_REFERENCE = """
insert into edge
select distinct a, b, rule, to_key from followed
where group_a = group_b or (least(group_a, group_b), greatest(group_a, group_b)) in (select (a, b) from accepted_pair)
"""
