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
select min(node) as node, tier.component as tier_group, content
from node_content join tier using (node) group by tier.component, content;
"""
# What two records of one firm that agree on nothing stronger still share. Names: the whole, its beginning, its beginning in a
# city. Codes: whole, or the half a slip or a spreadsheet leaves. A key begins with its kind, so that no two are alike by chance.
_NAMED = "core is not null"
_KEY_TEXTS = (
    ("'n' || core", _NAMED),
    ("'n' || nullif(short_core, core)", _NAMED),
    ("'h' || left(head_core, 4) || '|' || branch", _NAMED),
    (
        "'t' || left(core, 2) || '|' || split_part(place, '/', 1) || '/' || split_part(place, '/', 2) || '|' || branch",
        f"{_NAMED} and place <> ''",
    ),
    ("'s' || left(core, 3)", _NAMED),
    ("'o' || org", "true"),
    ("'u' || left(uscc, 12)", "true"),
    ("'v' || right(uscc, 10)", _NAMED),
    ("'l' || licence", "true"),
    ("'p' || phone", "true"),
    ("'a' || street || '|' || coalesce(detail, '')", _NAMED),
    ("'c' || contact || left(core, 1)", _NAMED),
)
_HASHED = ", ".join(
    f"case when {when} and {text} is not null then hash({text}) end as key_{place}"
    for place, (text, when) in enumerate(_KEY_TEXTS)
)
_SPEAKER_KEYS = f"""
create or replace table speaker_key as
select node, tier_group, free,
    {_HASHED}
from speaker join described using (node) join (select tier_group, uscc is null as free from tier_group) using (tier_group)
"""
_OF_KIND = """
select node, tier_group, key_{place} as key from speaker_key where {which} and key_{place} is not null
"""


def _keys(which: str) -> str:
    return " union all ".join(_OF_KIND.format(place=place, which=which.format(place=place)) for place in range(len(_KEY_TEXTS)))


# Two groups of believed codes are one already or never, so keys are looked for among groups without one, and among the others
# only where those have them.
_KEYS = f"""
create or replace table block_key as {_keys("free")};

create or replace temp table free_key as select distinct key from block_key;

insert into block_key {_keys("not free and key_{place} in (select key from free_key)")};

create or replace table usable_key as
select key from block_key group by key
having count(distinct tier_group) between 2 and {{block}} and count(*) <= {{block}} * 4;

drop table free_key; drop table speaker_key;
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
    """Makes `tier_group` and `candidate` from `tier` (`node, component`), `node_key`, `record`, `described` and `cannot_link`."""
    limits = settings.limits
    keys, alike = _KEYS.format(block=limits.block), _ALIKE.format(alike=limits.alike)
    for statement in (_APART, _GROUPS, _SPEAKER_KEYS, keys, alike, _CANDIDATES):
        connection.execute(statement)
