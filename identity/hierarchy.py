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
with said as (
    select child, parent, kind, evidence, coalesce(nullif(list_position({kinds}, kind), 0), 99) as place from hierarchy_edge
)
select said.*, child_at.customer_id as child_id, parent_at.customer_id as parent_id,
    child_node.system, child_node.province, child_node.customer_key,
    child_node.system || '/' || child_node.province || '/' || child_node.customer_key as child_record,
    parent_node.system || '/' || parent_node.province || '/' || parent_node.customer_key as parent_record
from said
join customer_of child_at on child_at.node = said.child
join customer_of parent_at on parent_at.node = said.parent
join node child_node on child_node.node = said.child
join node parent_node on parent_node.node = said.parent
where child_at.customer_id <> parent_at.customer_id
"""
_PARENTS = """
create or replace table upward as
with one as (
    select child_id, parent_id, min(place) as place, arg_min(kind, (place, kind)) as kind, count(*) as records,
        list_transform(list_sort(list({{
            'place': place, 'child': child_record, 'parent': parent_record, 'kind': kind, 'evidence': evidence
        }})), lambda told: {{
            'kind': told.kind, 'child': told.child, 'parent': told.parent, 'evidence': told.evidence
        }}) as evidence
    from customer_edge group by child_id, parent_id
), decided as (
    select child_id, parent_id, place, kind, records, evidence from one
    anti join pinned on pinned.attribute = 'parent_customer_id' and (pinned.customer_id, pinned.value) = (child_id, parent_id)
    union all
    select customer_id, value, {steward}, 'steward', 1,
        [{{'kind': 'steward', 'child': customer_id, 'parent': value, 'evidence': 'decision ' || decision_id}}]
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

create or replace table customer_hierarchy_new as
select child_id, parent_id, kind, is_first and child_id not in (from broken) as is_parent, to_json(evidence)::varchar as evidence
from upward;

create or replace table parent_of as
select child as node, system, province, customer_key, parent_id, min(place) as place
from customer_edge join customer_hierarchy_new chosen using (child_id, parent_id)
where chosen.is_parent group by all
"""


def hang(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `customer_hierarchy_new` and `parent_of` (source customer → its customer's parent) from `hierarchy_edge`,
    `customer_of` and `pinned`; adds to `signal`."""
    kinds = "[" + ", ".join(f"'{kind}'" for kind in KINDS) + "]"
    connection.execute(_EDGES.format(kinds=kinds))
    connection.execute(_PARENTS.format(steward=STEWARD_PLACE))
