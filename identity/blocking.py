"""Which pairs are worth comparing: groups that share a key no more than `limits.block` groups share, and that no code, branch or
decision keeps apart.

| table | a row is |
|---|---|
| `tier_group` | a group that facts made: the codes it is known by, its branch |
| `speaker` | the node that speaks for all of its group that say the same |
| `speaker_key` | a speaker, and its key of each kind |
| `worn_key` | a key that too many share, whatever the nodes at hand say of it; filled by whoever holds only some of the nodes |
| `crowd` | a content that says a name and nothing more, and that too many groups share |
| `candidate` | `a, b`: nodes of different tier groups to be compared, one node a distinct content a group |
"""

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
# (text, condition, whether it tells how people are reached)
_NAMED = "core is not null"
_KEY_TEXTS = (
    ("'n' || core", _NAMED, False),
    ("'n' || nullif(short_core, core)", _NAMED, False),
    ("'h' || left(head_core, 4) || '|' || branch", _NAMED, False),
    (
        "'t' || left(core, 2) || '|' || split_part(place, '/', 1) || '/' || split_part(place, '/', 2) || '|' || branch",
        f"{_NAMED} and place <> ''",
        False,
    ),
    ("'s' || left(core, 3)", _NAMED, False),
    ("'o' || org", "true", False),
    ("'u' || left(uscc, 12)", "true", False),
    ("'v' || right(uscc, 10)", _NAMED, False),
    ("'l' || licence", "true", False),
    ("'p' || phone", "true", True),
    ("'a' || street || '|' || coalesce(detail, '')", _NAMED, True),
    ("'c' || contact || left(core, 1)", _NAMED, True),
)
_HASHED = ", ".join(
    f"case when {when} and {text} is not null then hash({text}) end as key_{place}"
    for place, (text, when, _) in enumerate(_KEY_TEXTS)
)
_SPEAKER_KEYS = f"""
create or replace table speaker_key as
select node, tier_group, free,
    {_HASHED}
from speaker join described using (node) join (select tier_group, uscc is null as free from tier_group) using (tier_group);

create or replace table worn_key (key ubigint)
"""
_OF_KIND = """
select {columns}, key_{place} as key from speaker_key where {which} and key_{place} is not null
"""


def _keys(which: str, columns: str = "node, tier_group") -> str:
    return " union all ".join(
        _OF_KIND.format(place=place, which=which.format(place=place), columns=columns.format(personal=personal))
        for place, (_, _, personal) in enumerate(_KEY_TEXTS)
    )


# Two groups of believed codes are one already or never, so keys are looked for among groups without one, and among the others
# only where those have them.
_KEYS = f"""
create or replace table block_key as {_keys("free")};

create or replace temp table free_key as select distinct key from block_key;

insert into block_key {_keys("not free and key_{place} in (select key from free_key)")};

create or replace table usable_key as
select key from block_key anti join worn_key using (key) group by key having {{usable}};

drop table free_key
"""
_GROUP_KEYS = f"""
create or replace table group_key as
select key, any_value(personal) as personal, tier_group, any_value(free) as free, count(*)::integer as speakers
from ({_keys("true", "tier_group, free, {personal} as personal")}) group by key, tier_group
"""
# Groups that say exactly the same meet through the first of them, however many they are.
_ALIKE = """
create or replace table alike as
select content, min(tier_group) as first, count(*) as groups from speaker group by content having groups > 1;

create or replace table crowd as
select first as node, content, groups from alike join (
    select content from content where coalesce(uscc, org, licence, phone, street, contact) is null
) using (content) where groups > {alike};

delete from alike where content in (select content from crowd)
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
    and (met.group_a, met.group_b) not in (select group_a, group_b from apart)
"""
_APART = """
create or replace table apart as
select distinct least(one.component, other.component) as group_a, greatest(one.component, other.component) as group_b
from cannot_link join tier one on one.node = cannot_link.a join tier other on other.node = cannot_link.b
"""


_CROWDED = """
insert into signal
select 'too_many_alike', null, null, null, groups || ' records say the same name and nothing more' from {crowds}
"""


def usable(settings: IdentitySettings, groups: str, speakers: str) -> str:
    """SQL: whether so many groups, and so many speakers in them, may be compared by a key they share."""
    block = settings.limits.block
    return f"({groups} between 2 and {block} and {speakers} <= {block * 4})"


def find_keys(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `tier_group`, `speaker`, `speaker_key` and an empty `worn_key` from `tier` (`node, component`), `node_key`, `record`,
    `described` and `cannot_link`."""
    for statement in (_APART, _GROUPS, _SPEAKER_KEYS):
        connection.execute(statement)


def list_keys(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `group_key` (`key, personal, tier_group, free, speakers`), every key of every group, sought by or not; `personal`:
    whether the key is one of a telephone, an address, a contact."""
    connection.execute(_GROUP_KEYS)


def pair_up(connection: duckdb.DuckDBPyConnection, settings: IdentitySettings) -> None:
    """Makes `candidate` from the tables of `find_keys`, and `crowd`; leaves `block_key` and `usable_key`, the keys it went by."""
    keys = _KEYS.format(usable=usable(settings, "count(distinct tier_group)", "count(*)"))
    for statement in (keys, _ALIKE.format(alike=settings.limits.alike), _CANDIDATES):
        connection.execute(statement)
    signal_crowds(connection)


def signal_crowds(connection: duckdb.DuckDBPyConnection, crowds: str = "crowd") -> None:
    """Adds to `signal` what is said by too many groups to make them one customer."""
    connection.execute(_CROWDED.format(crowds=crowds))
