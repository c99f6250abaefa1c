"""From weights to customers: which pairs are followed, which a person is asked about, and never two firms in one customer.

Strongest pairs first (Kruskal); a pair that would put two valid codes, a branch and its head office, two branches, or two
records a steward told apart into one customer is not followed, however it would come about. Most customers hold no such
contradiction and are plain components in SQL; only what does contradict itself is walked through pair by pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from identity import reasons
from identity.components import components
from identity.settings import IdentitySettings


@dataclass
class Claims:
    """What a growing customer claims to be: of each kind, the values its members carry. Two claims contradict each other where
    both say something of a kind and nothing in common; or where a steward told members of theirs apart."""

    kinds: tuple[set[str], ...]
    members: set[int] = field(default_factory=set)
    apart_from: set[int] = field(default_factory=set)

    def contradicts(self, other: Claims) -> bool:
        return (
            any(mine and theirs and mine.isdisjoint(theirs) for mine, theirs in zip(self.kinds, other.kinds, strict=True))
            or not self.apart_from.isdisjoint(other.members)
            or not other.apart_from.isdisjoint(self.members)
        )

    def take(self, other: Claims) -> None:
        for mine, theirs in zip(self.kinds, other.kinds, strict=True):
            mine.update(theirs)
        self.members |= other.members
        self.apart_from |= other.apart_from


def grow(
    claims: dict[int, tuple[str | None, ...]], pairs: Iterable[tuple[int, int]], apart: Iterable[tuple[int, int]]
) -> list[bool]:
    """Whether each of `pairs`, strongest first, is followed. `claims`: of each member, its value of each kind (None: silent);
    `apart`: members that are never one."""
    told: dict[int, Claims] = {}
    for member, values in claims.items():
        told[member] = Claims(tuple({value} if value is not None else set() for value in values), {member})
    for one, other in apart:
        told[one].apart_from.add(other)
        told[other].apart_from.add(one)
    head = {member: member for member in claims}

    def top(member: int) -> int:
        while head[member] != member:
            head[member] = member = head[head[member]]
        return member

    followed = []
    for one, other in pairs:
        first, second = top(one), top(other)
        fits = first == second or not told[first].contradicts(told[second])
        followed.append(fits)
        if fits and first != second:
            big, small = (first, second) if len(told[first].members) >= len(told[second].members) else (second, first)
            told[big].take(told.pop(small))
            head[small] = big
    return followed


_CANNOT = """
create or replace table cannot_link as
select distinct least(one.node, other.node) as a, greatest(one.node, other.node) as b
from decision
join node one on one.system = a_system and one.province = a_province and one.customer_key = a_key
join node other on other.system = b_system and other.province = b_province and other.customer_key = b_key
where verdict = 'different' and one.node <> other.node
"""
_SAME = """
insert into edge
select distinct least(one.node, other.node), greatest(one.node, other.node), 'steward', 'same'
from decision
join node one on one.system = a_system and one.province = a_province and one.customer_key = a_key
join node other on other.system = b_system and other.province = b_province and other.customer_key = b_key
where verdict = 'same' and one.node <> other.node
"""
# What `code_group` was made of need not be walked again.
_BY_OTHER_THAN_CODES = "(select a, b from edge where rule not in ('uscc', 'org_code'))"
# Facts first by how much they are worth; a steward's word before all.
_TIER_ORDER = "case rule when 'steward' then 0 when 'uscc' then 1 when 'org_code' then 2 else 3 end"
_TORN = """
select distinct one.component from cannot_link
join tier one on one.node = cannot_link.a join tier other on other.node = cannot_link.b and other.component = one.component
"""


def decide_by_stewards(connection: duckdb.DuckDBPyConnection) -> None:
    """Adds what stewards called one to `edge`; takes out of it what they called different; makes `cannot_link` and `tier`
    (`node, component`), the groups of the tiers."""
    connection.execute(_CANNOT)
    connection.execute(_SAME)
    components(connection, "node", _BY_OTHER_THAN_CODES, "tier", within="code_group")
    pairs = connection.execute(
        f"select a, b, rowid from edge where a in (select node from tier where component in ({_TORN})) "
        f"order by {_TIER_ORDER}, a, b, rule, value"
    ).fetchall()
    if not pairs:
        return
    members = {int(member): () for pair in pairs for member in pair[:2]}
    apart = [(int(a), int(b)) for a, b in connection.execute("select a, b from cannot_link").fetchall()]
    inside = [(a, b) for a, b in apart if a in members and b in members]
    followed = grow(dict(members), [(int(a), int(b)) for a, b, _ in pairs], inside)
    refused = pa.table({"row": pa.array([pair[2] for pair, fits in zip(pairs, followed, strict=True) if not fits], pa.int64())})
    connection.register("refused_edge", refused)
    connection.execute("delete from edge where rowid in (select row from refused_edge)")
    connection.unregister("refused_edge")
    components(connection, "node", "edge", "tier")


# One pair speaks for two groups: the strongest of those between them.
_GROUP_PAIRS = """
create or replace table group_pair as
with weighed as (
    select candidate.*, content_pair.weight,
        least(one.content, other.content) as content_l, greatest(one.content, other.content) as content_r
    from candidate
    join node_content one on one.node = candidate.a join node_content other on other.node = candidate.b
    join content_pair on content_pair.content_l = least(one.content, other.content)
        and content_pair.content_r = greatest(one.content, other.content)
    where content_pair.weight >= {review}
)
select group_a, group_b, least(a, b) as a, greatest(a, b) as b, weight, content_l, content_r, weight >= {merge} as follows
from weighed qualify row_number() over (partition by group_a, group_b order by weight desc, least(a, b), greatest(a, b)) = 1
"""
# A group without a code that could be either of two coded firms goes to the one that is clearly likelier, or to neither.
_TORN_BETWEEN = """
create or replace table torn as
with toward as (
    select group_a as silent, group_b as coded, weight from group_pair where follows
    union all select group_b, group_a, weight from group_pair where follows
), offer as (
    select toward.silent, toward.coded, toward.weight, coalesce(coded.uscc, coded.org) as firm
    from toward join tier_group silent on silent.tier_group = toward.silent
    join tier_group coded on coded.tier_group = toward.coded
    where silent.uscc is null and silent.org is null and coalesce(coded.uscc, coded.org) is not null
), best as (
    select silent, arg_max(firm, (weight, coded)) as firm, max(weight) as weight from offer group by silent
)
select offer.silent, bool_or(offer.firm <> best.firm and offer.weight > best.weight - {margin}) as undecided,
    any_value(best.firm) as firm
from offer join best using (silent) group by offer.silent
having count(distinct offer.firm) > 1;

create or replace table refused as
select least(torn.silent, offered.coded) as group_a, greatest(torn.silent, offered.coded) as group_b
from torn join (
    select group_a as silent, group_b as coded from group_pair where follows
    union all select group_b, group_a from group_pair where follows
) offered using (silent)
join tier_group on tier_group.tier_group = offered.coded
where coalesce(tier_group.uscc, tier_group.org) is not null
    and (torn.undecided or coalesce(tier_group.uscc, tier_group.org) <> torn.firm);

update group_pair set follows = false from refused
where refused.group_a = group_pair.group_a and refused.group_b = group_pair.group_b;

insert into signal
select 'could_be_either_of_two_firms', node.system, node.province, node.customer_key, null
from torn join node on node.node = torn.silent where undecided;
"""
_CONTRADICTORY = """
create or replace table contradictory as
select component from grown join tier_group on tier_group.tier_group = grown.node
group by component
having count(distinct uscc) > 1 or count(distinct org) > 1 or count(distinct branch) > 1
union
select one.component from apart
join grown one on one.node = apart.group_a join grown other on other.node = apart.group_b and one.component = other.component
"""


def follow_weights(connection: duckdb.DuckDBPyConnection, settings: IdentitySettings) -> None:
    """Adds the pairs that are followed to `edge` (rule 'model', value the weight in bits), and makes `scored_pair`."""
    limits = settings.thresholds
    connection.execute(_GROUP_PAIRS.format(review=limits.review, merge=limits.merge))
    connection.execute(_TORN_BETWEEN.format(margin=limits.margin))
    followed = "(select group_a as a, group_b as b from group_pair where follows)"
    components(connection, "(select tier_group as node from tier_group)", followed, "grown")
    connection.execute(_CONTRADICTORY)
    _untangle(connection)
    connection.execute("insert into edge select a, b, 'model', printf('%.1f', weight) from group_pair where follows")
    components(connection, "node", followed, "customer_group", within="tier")
    connection.execute(reasons.scored_pairs(settings))


def _untangle(connection: duckdb.DuckDBPyConnection) -> None:
    """Of the pairs in contradictory components, only those stay that `grow` follows."""
    pairs = connection.execute(
        "select group_a, group_b from group_pair join grown on grown.node = group_a "
        "where follows and component in (select component from contradictory) order by weight desc, a, b"
    ).fetchall()
    if not pairs:
        return
    rows: Sequence[tuple[int, str | None, str | None, str | None]] = connection.execute(
        "select tier_group, uscc, org, branch from tier_group join grown on grown.node = tier_group "
        "where component in (select component from contradictory)"
    ).fetchall()
    claims: dict[int, tuple[str | None, ...]] = {int(group): tuple(values) for group, *values in rows}
    apart = [(int(a), int(b)) for a, b in connection.execute("select group_a, group_b from apart").fetchall()]
    inside = [(a, b) for a, b in apart if a in claims and b in claims]
    followed = grow(claims, [(int(a), int(b)) for a, b in pairs], inside)
    refused = [pair for pair, fits in zip(pairs, followed, strict=True) if not fits]
    given = pa.table({
        "a": pa.array([a for a, _ in refused], pa.int32()), "b": pa.array([b for _, b in refused], pa.int32()),
    })  # fmt: skip
    connection.register("refused_pair", given)
    connection.execute("update group_pair set follows = false where (group_a, group_b) in (select (a, b) from refused_pair)")
    connection.unregister("refused_pair")
