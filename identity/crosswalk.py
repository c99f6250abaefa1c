"""Which golden customer each source customer is, with an id that outlives the night.

An id belongs to its *home*: the source customer it was first given to (the smallest of them). A group of source customers
takes the oldest id at home in it; so a merge keeps the older id, and a split gives each part back the id it had. A group
that houses none keeps the id it has now, where no other group does; else it is given a new one, in the order of the
smallest source key. An unchanged group keeps its rows: no new version is written.
"""

from __future__ import annotations

import duckdb
from sqlalchemy import Connection, text

from hub.errors import NotFound
from identity.extract import read_store
from identity.versions import Versioned, read_open_of
from store import sequence

CROSSWALK = Versioned(
    table="core.crosswalk",
    key=("system", "province", "customer_key"),
    values=("customer_id", "rule", "evidence"),
    json=("evidence",),
)
_VERSIONS = "select system, province, customer_key, customer_id, recorded_from, recorded_to from core.crosswalk"

# Strongest first; what is not named here comes after, in the order of its name.
RULES = """['steward', 'uscc', 'org_code', 'billing.customer_id_crm', 'orders.customer_id_crm', 'group.customer_id_crm',
    'crm.group_id_group', 'crm.account_no', 'orders.product_id_crm', 'model']"""

# Nodes are numbered in the order of their keys, so a first version is found by numbers, but where one that is gone tonight could
# be it.
_PAST = """
create or replace temp table version as
select history.rowid as place, node.node, substr(customer_id, 3)::bigint as number, recorded_from, recorded_to is null as is_open
from history left join node using (system, province, customer_key);

create or replace table home as
with first as (
    select number, min(recorded_from << 32 | node) as here, min(recorded_from) filter (node is null) as gone
    from version group by number
), sure as (
    select number, (here & 4294967295)::integer as node from first where gone is null or here >> 32 < gone
), asked as (
    select version.number, version.node, system, province, customer_key
    from version anti join sure using (number) join history on history.rowid = version.place
    qualify row_number() over (partition by version.number order by version.recorded_from, system, province, customer_key) = 1
), every as (
    select number, node, system, province, customer_key from sure join node using (node)
    union all
    from asked
)
select 'BC' || lpad(number::varchar, 8, '0') as customer_id, * from every;

create or replace temp table past as select node, number from version where is_open;
drop table version
"""
_IDS = """
create or replace temp table at_home as
select component, min(number) as number from home join customer_group using (node) group by component;

create or replace temp table held as
with claims as (
    select past.number, customer_group.component, min(past.node) as node
    from past join customer_group using (node)
    where customer_group.component not in (select component from at_home)
    group by all
), free as (
    select * from claims where number not in (select number from at_home)
    qualify row_number() over (partition by number order by node) = 1
)
select component, min(number) as number from free group by component;

create or replace table group_id as
with known as (select * from at_home union all select * from held),
newest as (select coalesce(max(number), 0) as number from home),
every as (select distinct component from customer_group),
given as (
    select component, newest.number + row_number() over (order by component) as number
    from every, newest where component not in (select component from known)
)
select component, number, 'BC' || lpad(number::varchar, 8, '0') as customer_id, false as minted from known
union all
select component, number, 'BC' || lpad(number::varchar, 8, '0'), true from given;

create or replace table customer_of as
select node, customer_id, number from customer_group join group_id using (component);
"""
# Why each source customer is where it is: for each rule, the value shared and the first of those it is shared with. Text joined
# place by place: an ordered aggregate of the same takes ten times as long, and memory that cannot be spilled (measured). A
# model's link says how far the two agreed. The keys stand in the order jsonb gives them.
_REASONS = """
create or replace temp table reason as
with weighed_pair as (
    select least(a, b) as a, greatest(a, b) as b, max(why) as why from scored_pair where band = 'merge' group by all
), both_ways as (
    select * from (select a as node, b as other, rule, value from edge union all select b, a, rule, value from edge)
    anti join standing using (node)
), shared as (
    select node, rule, value, min(other) as other from both_ways group by all
), numbered as (
    select *, row_number() over (
        partition by node order by coalesce(nullif(list_position({rules}, rule), 0), 99), rule, value
    ) as place from shared
)
select numbered.node, place, rule, '{{' || case when why is null then '' else '"why":' || why || ',' end
    || '"rule":' || to_json(rule)
    || ',"with":' || to_json(other.system || '/' || other.province || '/' || other.customer_key) || ',"value":'
    || coalesce(to_json(value), 'null') || '}}' as said
from numbered join node other on other.node = numbered.other
left join weighed_pair on weighed_pair.a = case when rule = 'model' then least(numbered.node, numbered.other) end
    and weighed_pair.b = greatest(numbered.node, numbered.other)
where place <= {kept}
"""
_ROWS = """
create or replace table crosswalk_new as
select node.system, node.province, node.customer_key, customer_of.customer_id,
    coalesce(reason_1.rule, 'alone') as rule, '[' || concat_ws(',', {said}) || ']' as evidence
from (from node anti join standing using (node)) node join customer_of using (node) {joins}
"""
REASONS_KEPT = 6
"""Of one record, the strongest."""


def read_history(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes what `trace` makes, from the store's versions."""
    read_store(connection, "history", _VERSIONS)
    trace(connection)
    connection.execute("drop table history")


def trace(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `past` (`node, number`: the open versions; no node: gone) and `home` (`customer_id, number`, and the source customer
    it was first given to: `node`, where that is still there, `system, province, customer_key`) from `node` and `history`,
    every version without its evidence."""
    connection.execute(_PAST)


def assign(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `group_id` (`component, customer_id, number, minted`) and `customer_of` (node → id) from `customer_group` and the
    tables of `trace`."""
    connection.execute(_IDS)


def reason(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `crosswalk_new` from `edge`, `scored_pair` and the tables of `assign`, of all nodes but those of `standing`
    (`identity.standing`)."""
    connection.execute(_REASONS.format(rules=RULES, kept=REASONS_KEPT))
    places = range(1, REASONS_KEPT + 1)
    joins = " ".join(f"left join (from reason where place = {n}) reason_{n} using (node)" for n in places)
    connection.execute(_ROWS.format(said=", ".join(f"reason_{n}.said" for n in places), joins=joins))


def read_current(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `crosswalk_current`, the store's open rows with their evidence, of all source customers but those of `standing`."""
    others = "select customer_id from home where number in (select number from past anti join standing using (node))"
    read_open_of(connection, CROSSWALK, "customer_id", others)
    connection.execute(
        "delete from crosswalk_current where (system, province, customer_key) in "
        "(select (system, province, customer_key) from node semi join standing using (node) "
        "semi join crosswalk_current using (system, province, customer_key))"
    )


def surviving_id(store: Connection, customer_id: str) -> str:
    """The id under which a customer is known now: itself, or the one it was merged into. Raises NotFound."""
    found = id_at(store, customer_id, sequence.current(store))
    if found is None:
        raise NotFound(f"no customer {customer_id}; ids look like BC00000001", customer_id=customer_id)
    return found


def id_at(store: Connection, customer_id: str, at: int) -> str | None:
    """The id under which the customer `customer_id` went at sequence `at`; None where none of its records was there, or it had
    not been given yet."""
    found = store.execute(
        text("""
        with home as (
            select system, province, customer_key, recorded_from, recorded_to from core.crosswalk
            where customer_id = :id and recorded_from <= :at
        )
        select living.customer_id from home join core.crosswalk living using (system, province, customer_key)
        where hub.visible(living.recorded_from, living.recorded_to, :at)
        order by living.customer_id <> :id, hub.visible(home.recorded_from, home.recorded_to, :at) desc, home.recorded_from,
            system, province, customer_key
        limit 1
        """),
        {"id": customer_id, "at": at},
    ).scalar()
    return None if found is None else str(found)
