"""What suggests that one record stands under another: group → company → branch. Never identity: a branch is a customer of its own
(DOMAIN §5). Who is whose parent in the end is said in `identity.hierarchy`.

| kind | a record stands under another because |
|---|---|
| `group_system` | the group system names its parent |
| `branch_code` | it is a branch by its name, and carries the code of an office of that name |
| `branch_name` | it bears another's full name and a branch's tail (企业名称登记管理规定, art. 13) |
| `name` | it bears the trade name of the only group of that name |
"""

from __future__ import annotations

import duckdb

_EDGES = """
create or replace table hierarchy_edge as
with recorded as (
    select distinct child.node as child, parent.node as parent, 'group_system' as kind,
        'group customer ' || parent.customer_key || ' is named as parent' as evidence
    from reference_row child
    join node parent on parent.system = child.system and parent.province = child.province
        and parent.customer_key = child.parent_key
    where child.parent_key is not null
), branch as (
    select node, branch, place, case when uscc_reason in ('valid', 'pilot') then uscc end as uscc,
        left(core, length(core) - length(branch)) as head
    from record where branch <> ''
), own_office as (
    select node, core as head, place, uscc
    from record semi join branch on branch.head = record.core where coalesce(record.branch, '') = ''
), by_code as (
    select branch.node, min(office.node), 'branch_code', 'carries the code of the office of its name; tail ' || any_value(branch)
    from branch join own_office office on office.uscc = branch.uscc and office.head = branch.head group by branch.node
), office as (
    select head, place, component, min(node) as node from own_office join customer_group using (node) group by all
), asked as (
    select distinct head, place from branch
), fitting as (
    select asked.head, asked.place, office.node as owner, office.component,
        case when asked.place = office.place then 0 else 1 end as distance
    from asked join office using (head)
    where asked.place = '' or office.place = '' or left(office.place, length(asked.place)) = asked.place
        or left(asked.place, length(office.place)) = office.place
), nearest as (
    select * from fitting qualify rank() over (partition by head, place order by distance) = 1
), owned as (
    select head, place, min(owner) as owner from nearest group by head, place having count(distinct component) = 1
), by_name as (
    select branch.node, owner, 'branch_name', 'bears the full name of its owner; tail ' || branch
    from branch join owned on owned.head = branch.head and owned.place is not distinct from branch.place
), head as (
    select record.trade, min(record.node) as owner, count(distinct component) as heads
    from record join customer_group using (node)
    where record.is_group and coalesce(record.branch, '') = '' and record.industry in ('集团', '控股', '控股集团', '集团控股')
    group by record.trade
), by_trade as (
    select record.node, head.owner, 'name', 'bears the trade name of the group'
    from record join head using (trade)
    where heads = 1 and coalesce(record.branch, '') = '' and not record.is_group and record.industry <> ''
), every as (
    select * from recorded union all select * from by_code union all select * from by_name union all select * from by_trade
)
select every.child, every.parent, every.kind, every.evidence from every
join customer_group below on below.node = child join customer_group above on above.node = parent
where below.component <> above.component
"""


def find_belonging(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `hierarchy_edge` (`child, parent` nodes, `kind`, `evidence`) from `record`, `reference_row` and `customer_group`.
    A branch whose full name is several customers' belongs to none of them by name."""
    connection.execute(_EDGES)
