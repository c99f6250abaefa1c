"""Who stands under whom: the linker's edges between records, told between customers. Hierarchy is never identity.

A customer may have several edges upwards; one of them is its parent: a steward's, else of the best kind of evidence, else that
more records bear out, else to the oldest id. Parents that go round in a circle lose the weakest step of it, which is signalled.
"""

from __future__ import annotations

import duckdb

from identity.versions import Versioned

HIERARCHY = Versioned(
    table="core.customer_hierarchy",
    key=("child_id", "parent_id"),
    values=("kind", "is_parent", "evidence"),
    json=("evidence",),
)
STEWARD_PLACE = -1

# Best first: what a system of record says, before what codes and names suggest.
KINDS = ("group_system", "branch_code", "branch_name")

_EDGES = """
create or replace table customer_edge as
select said.*, coalesce(nullif(list_position({kinds}, kind), 0), 99) as place,
    child_at.customer_id as child_id, parent_at.customer_id as parent_id
from hierarchy_edge said
join customer_of child_at on child_at.node = said.child
join customer_of parent_at on parent_at.node = said.parent
where child_at.number <> parent_at.number
"""
_PARENTS = """
create or replace table upward as
with one as (
    select child_id, parent_id, min(place) as place, arg_min(kind, (place, kind)) as kind, count(*) as records,
        null::bigint as decision_id
    from customer_edge group by child_id, parent_id
), decided as (
    from one anti join pinned
        on pinned.attribute = 'parent_customer_id' and (pinned.customer_id, pinned.value) = (child_id, parent_id)
    union all
    select customer_id, value, {steward}, 'steward', 1, decision_id
    from pinned where attribute = 'parent_customer_id' and value <> customer_id
)
select *, row_number() over (partition by child_id order by place, records desc, parent_id) = 1 as is_first from decided;

create or replace table broken as
with recursive step as (select child_id, parent_id from upward where is_first),
walk as (
    select child_id as began, parent_id as reached from step
    union
    select walk.began, step.parent_id from walk join step on step.child_id = walk.reached
), circle as (
    select began as child_id from walk where reached = began
), numbered as (
    select circle.child_id, min(walk.reached) as circle
    from circle join walk on walk.began = circle.child_id group by circle.child_id
)
select child_id from numbered join upward using (child_id) where is_first
qualify row_number() over (partition by circle order by place desc, child_id desc) = 1;

insert into signal
select 'hierarchy_goes_round', null, null, null, 'customer ' || child_id from broken;

alter table upward add column is_parent boolean;
update upward set is_parent = is_first and child_id not in (from broken);

create or replace table parent_of as
select child as node, parent_id, min(place) as place
from customer_edge join (select child_id, parent_id from upward where is_parent) using (child_id, parent_id) group by all
"""
_TOLD = """
create or replace table customer_hierarchy_new as
with asked as (
    from upward anti join standing_pair using (child_id, parent_id)
), recorded as (
    select child_id, parent_id, list_transform(list_sort(list({{
        'place': edge.place,
        'child': child.system || '/' || child.province || '/' || child.customer_key,
        'parent': parent.system || '/' || parent.province || '/' || parent.customer_key,
        'kind': edge.kind, 'evidence': edge.evidence
    }})), lambda told: {{
        'kind': told.kind, 'child': told.child, 'parent': told.parent, 'evidence': told.evidence
    }}) as evidence
    from customer_edge edge semi join asked using (child_id, parent_id)
    join node child on child.node = edge.child join node parent on parent.node = edge.parent
    group by child_id, parent_id
)
select child_id, parent_id, asked.kind, is_parent, to_json(case when decision_id is null then evidence else
    [{{'kind': 'steward', 'child': child_id, 'parent': parent_id, 'evidence': 'decision ' || decision_id}}]
    end)::varchar as evidence
from asked left join recorded using (child_id, parent_id)
"""


def hang(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `upward` (`child_id, parent_id, kind, is_parent, …`) and `parent_of` (node → its customer's parent) from
    `hierarchy_edge`, `customer_of` and `pinned`; adds to `signal`."""
    kinds = "[" + ", ".join(f"'{kind}'" for kind in KINDS) + "]"
    connection.execute(_EDGES.format(kinds=kinds))
    connection.execute(_PARENTS.format(steward=STEWARD_PLACE))


def tell(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `customer_hierarchy_new` of `upward`, with the evidence of each edge, but for those of `standing_pair`."""
    connection.execute(_TOLD.format())
