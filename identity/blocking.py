"""Which pairs are worth comparing: groups that share a key no more than `limits.block` groups share, and that no code, branch or
decision keeps apart. Makes `candidate` (`a, b`): pairs of nodes of different tier groups, one node a distinct content a group."""

from __future__ import annotations

import duckdb

from identity.settings import IdentitySettings

# A group is what the tiers made one already. `uscc`, `org`: the codes it is known by; `branch`: NULL where no member has a name.
# One node speaks for all of its group that say the same.
_GROUPS = """
create or replace table tier_group as
select tier.component as tier_group, min(key.uscc) as uscc, min(coalesce(substr(key.uscc, 9, 9), key.own_org)) as org,
    min(case when record.core is not null then key.branch end) as branch
from tier join node_key key using (node) join record using (node) group by tier.component;

create or replace table speaker as
select min(node_content.node) as node, tier.component as tier_group, node_content.content
from node_content join tier using (node) group by tier.component, node_content.content;
"""
# What two records of one firm that agree on nothing stronger still share. Names: the whole, its beginning, its beginning in a
# city. Codes: whole, or the half a slip or a spreadsheet leaves. Two groups of believed codes are one already or never, so keys
# are looked for among groups without one, and among the others only where those have them. A speaker's keys are told apart in
# its own short list, not in one of all speakers' keys.
_KEYS_OF = """
select node, tier_group, hash(key) as key from (
    select node, tier_group, unnest(list_distinct(
        case when core is null then ['o' || org, 'u' || left(uscc, 12), 'l' || licence, 'p' || phone]
        else [
            'n' || core, 'n' || short_core, 'h' || left(head_core, 4) || '|' || branch,
            case when place <> '' then 't' || left(core, 2) || '|' || split_part(place, '/', 1) || '/'
                || split_part(place, '/', 2) || '|' || branch end,
            's' || left(core, 3), 'o' || org, 'u' || left(uscc, 12), 'v' || right(uscc, 10), 'l' || licence, 'p' || phone,
            'a' || street || '|' || coalesce(detail, ''), 'c' || contact || left(core, 1)
        ] end
    )) as key
    from (
        from speaker semi join (select tier_group from tier_group where uscc is {anchored} null) using (tier_group)
    ) join content using (content)
) where key is not null
"""
_KEYS = f"""
create or replace table free_key as {_KEYS_OF.format(anchored="")};

create or replace table block_key as
from free_key
union all
select node, tier_group, key from ({_KEYS_OF.format(anchored="not")}) semi join free_key using (key);

create or replace table usable_key as
select key from block_key group by key
having count(distinct tier_group) between 2 and {{block}} and count(*) <= {{block}} * 4;

drop table free_key;
"""
# Groups that say exactly the same meet through the first of them, however many they are.
_ALIKE = """
create or replace table alike as
select content, min(tier_group) as first, count(*) as groups from speaker group by content having groups > 1;

insert into signal
select 'too_many_alike', null, null, null, groups || ' records say the same name and nothing more'
from alike join content using (content)
where groups > {alike} and coalesce(uscc, org, licence, phone, street, contact) is null;

delete from alike where groups > {alike} and content in (
    select content from content where coalesce(uscc, org, licence, phone, street, contact) is null
);
"""
_CANDIDATES = """
create or replace table candidate as
with keyed as (select block_key.* from block_key semi join usable_key using (key)),
met as (
    select one.node as a, other.node as b, one.tier_group as group_a, other.tier_group as group_b
    from keyed one join keyed other on one.key = other.key and one.tier_group < other.tier_group
    union
    select first.node, speaker.node, first.tier_group, speaker.tier_group
    from speaker join alike using (content) join speaker first on first.content = alike.content and first.tier_group = alike.first
    where first.tier_group <> speaker.tier_group
)
select met.a, met.b, met.group_a, met.group_b from met
join tier_group one on one.tier_group = met.group_a
join tier_group other on other.tier_group = met.group_b
where not coalesce(one.uscc <> other.uscc, false) and not coalesce(one.org <> other.org, false)
    and not coalesce(one.branch <> other.branch, false)
    and (met.group_a, met.group_b) not in (select group_a, group_b from apart);

drop table block_key; drop table usable_key;
"""
_APART = """
create or replace table apart as
select distinct least(one.component, other.component) as group_a, greatest(one.component, other.component) as group_b
from cannot_link join tier one on one.node = cannot_link.a join tier other on other.node = cannot_link.b
"""


def make(connection: duckdb.DuckDBPyConnection, settings: IdentitySettings) -> None:
    """Makes `tier_group` and `candidate` from `tier` (`node, component`), `node_key`, `record`, `content` and `cannot_link`."""
    limits = settings.limits
    for statement in (_APART, _GROUPS, _KEYS.format(block=limits.block), _ALIKE.format(alike=limits.alike), _CANDIDATES):
        connection.execute(statement)
