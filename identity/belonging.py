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

# What is looked at of a record; texts that are only compared whole stand as numbers, among which two of a million that differ are
# alike with a chance of one in thirty million.
_NAMED = """
create or replace table named as
select node, nullif(branch, '') as branch, place, case when core is not null then hash(core) end as name,
    case when branch <> '' then hash(left(core, length(core) - length(branch))) end as head,
    case when uscc_reason in ('valid', 'pilot') then hash(uscc) end as code,
    case when trade is not null then hash(trade) end as trade,
    coalesce(is_group and industry in ('集团', '控股', '控股集团', '集团控股'), false) as leads,
    coalesce(not is_group and industry <> '', false) as trades
from record
"""
_EDGES = """
create or replace table hierarchy_edge as
with recorded as (
    select distinct child.node as child, parent.node as parent, 'group_system' as kind,
        'group customer ' || parent.customer_key || ' is named as parent' as evidence
    from reference_row child
    join node parent on parent.system = child.system and parent.province = child.province
        and parent.customer_key = child.parent_key
    where child.parent_key is not null
), seeker as (
    {seekers}
), branch as (
    select node, branch, place, code, head from seeker where branch is not null
), own_office as (
    select node, name as head, place, code
    from named semi join branch on branch.head = named.name where named.branch is null
), by_code as (
    select branch.node, min(office.node), 'branch_code', 'carries the code of the office of its name; tail ' || any_value(branch)
    from branch join own_office office on office.code = branch.code and office.head = branch.head group by branch.node
), office as (
    select head, place, component, min(node) as node from own_office join customer_group using (node) group by all
), asked as (
    select distinct head, place from branch
), fitting as (
    select asked.head, asked.place, office.node as owner, office.component,
        case when asked.place = office.place then 0 else 1 end as distance
    from asked join office using (head)
    where asked.place = '' or office.place = ''
        or starts_with(office.place, asked.place) or starts_with(asked.place, office.place)
), nearest as (
    select * from fitting qualify rank() over (partition by head, place order by distance) = 1
), owned as (
    select head, place, min(owner) as owner from nearest group by head, place having count(distinct component) = 1
), by_name as (
    select branch.node, owner, 'branch_name', 'bears the full name of its owner; tail ' || branch
    from branch join owned on owned.head = branch.head and owned.place is not distinct from branch.place
), head as (
    select trade, min(node) as owner, count(distinct component) as heads
    from named join customer_group using (node) where leads and branch is null group by trade
), by_trade as (
    select seeker.node, head.owner, 'name', 'bears the trade name of the group'
    from seeker join head using (trade) where heads = 1 and branch is null and trades
), every as (
    select * from recorded union all select * from by_code union all select * from by_name union all select * from by_trade
)
select every.child, every.parent, every.kind, every.evidence from every
join customer_group below on below.node = child join customer_group above on above.node = parent
where below.component <> above.component
"""
# Whose owners by code or name may be others than they were: who was linked again; and whoever bears a name that an office or a
# group linked again bears, or bore.
_SEEKERS = """
create or replace temp table seeking as
with moved as (
    select name, trade, branch, leads from {linked} union all select name, trade, branch, leads from {were}
)
select node from {linked}
union
select node from named semi join (select name as head from moved where branch is null) office using (head)
union
select node from named semi join (select trade from moved where leads and branch is null) leader using (trade)
where branch is null and trades
"""
_SOUGHT = "from named semi join seeking using (node)"


def take_names(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `named`, what is looked at of each of `record`."""
    connection.execute(_NAMED)


def find_belonging(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `hierarchy_edge` (`child, parent` nodes, `kind`, `evidence`) from `named`, `reference_row` and `customer_group`.
    A branch whose full name is several customers' belongs to none of them by name."""
    connection.execute(_EDGES.format(seekers="from named"))


def find_belonging_again(connection: duckdb.DuckDBPyConnection, linked: str, were: str, stood: str) -> None:
    """As `find_belonging`, where only some records were linked again: of the others, whoever none of these has to do with stands
    where the last run found it. What the group system names is found anew.

    `linked`, `were`: a table of their rows of `named`, and a query of those they had; `stood`: a query of the last run's edges
    between records that stay, by tonight's numbers."""
    connection.execute(_SEEKERS.format(linked=linked, were=f"({were})"))
    connection.execute(_EDGES.format(seekers=_SOUGHT))
    connection.execute(
        f"insert into hierarchy_edge by name from ({stood}) stood where kind <> 'group_system' and child not in (from seeking)"
    )
    connection.execute("drop table seeking")
