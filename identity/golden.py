"""The golden record: for each attribute one value, chosen as declared (`identity.survivorship`), its source beside it.

The rule kept with a cell is the criterion that decided it against the next best: `only` (nobody else had a say), `validity`,
`trust`, `recency`, `completeness`, `key` (nothing told them apart, the smallest source key took it), or `steward`.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from identity.survivorship import Criterion, Survivorship, survivorship
from identity.versions import Versioned
from store.tables import GOLDEN_ATTRIBUTES

GOLDEN = Versioned(
    table="core.golden_customer",
    key=("customer_id",),
    values=(*GOLDEN_ATTRIBUTES, "row_hash", "lineage_hash"),
    compared=("row_hash", "lineage_hash"),
)
PROVENANCE = Versioned(
    table="core.golden_provenance",
    key=("customer_id", "attribute"),
    values=("value", "system", "province", "source_key", "entity", "batch_id", "row_no", "rule", "candidates"),
)
STEWARD = "steward"

# What a column of `golden_source` an attribute is read from, where it is not the one of its own name; and how believable it is
# (0 best, NULL not at all).
_VALUES: Mapping[str, str] = {"uscc": "folded_uscc", "org_code": "folded_org_code"}
_VALIDITY: Mapping[str, str] = {"uscc": "uscc_validity", "org_code": "org_validity", "parent_customer_id": "parent_validity"}
DERIVED = frozenset(("parent_customer_id",))
"""Attributes that no row of a source says."""

# Rows numbered in the order of their keys: what no criterion tells apart goes to the smallest. Sorted without their contents.
_PLACES = """
create or replace temp table row_place as
select source, component, row_number() over (order by node, source_key, entity) as place
from source_row join {groups} using (node)
"""
# What each row says, with its validity; NULL: no value. A junk code, or one of the wrong length, is nobody's; it stays in the
# source's own record.
_SAID = """
select row.*, uscc.code as folded_uscc, org.code as folded_org_code,
    parent.parent_id as parent_customer_id, parent.place as parent_validity,
    case when uscc_trust.trust = 'junk' then null when uscc_trust.trust = 'contested' then 2
        else case uscc.reason when 'valid' then 0 when 'pilot' then 1 when 'check_digit' then 3 end end as uscc_validity,
    case when org_trust.trust = 'junk' then null when org_trust.trust = 'contested' then 2
        else case org.reason when 'valid' then 0 when 'check_digit' then 3 end end as org_validity
from (from source_row semi join row_place using (source)) row
left join uscc_fold uscc on uscc.text = row.uscc
left join org_fold org on org.text = row.org_code
left join code_trust uscc_trust on uscc_trust.kind = 'uscc' and uscc_trust.code = uscc.code
left join code_trust org_trust on org_trust.kind = 'org_code' and org_trust.code = org.code
left join parent_of parent using (node)
"""
_SOURCE = f"create or replace table golden_source as from ({_SAID}) join row_place using (source)"
# Each criterion as a number, the smaller the better, and the bits it takes. A value's merit is its criteria in their order and
# its row's place, packed into one integer: minima of integers are found fifteen at once, in memory that does not grow.
_CRITERIA: Mapping[Criterion, tuple[str, int]] = {
    Criterion.VALIDITY: ("{validity}", 7),
    Criterion.TRUST: ("{trust}", 3),
    Criterion.RECENCY: ("greatest(0, 4503599627370495 - coalesce(epoch_us(source_version), 0))", 52),
    Criterion.COMPLETENESS: ("(1023 - least(1023, length({value})))", 10),
}
_PLACE_BITS = 32
_MERITS = "create or replace view merit as select component, {merits} from golden_source"
_BEST = """
create or replace temp table best as select component, {best} from merit group by component;
create or replace temp table contest as
with runner_up as (select component, {second} from merit join best using (component) group by component)
select * from best join runner_up using (component)
"""
# A value belongs to the id it was given for. While that id is another's, it counts for the customer that has the id's home.
_PINNED = """
create or replace table pinned as
with given as (
    select human_value.*, coalesce(living.customer_id, housed.customer_id) as lives_as
    from human_value
    left join group_id living using (customer_id)
    left join (
        select home.customer_id as id, group_id.customer_id
        from home join customer_group using (node) join group_id using (component)
    ) housed on housed.id = human_value.customer_id
)
select lives_as as customer_id, attribute, decision_id,
    coalesce(parent.customer_id, value) as value
from given
left join (
    select home.customer_id as id, group_id.customer_id
    from home join customer_group using (node) join group_id using (component)
) parent on given.attribute = 'parent_customer_id' and parent.id = given.value
where lives_as is not null
qualify row_number() over (
    partition by lives_as, attribute order by given.customer_id = lives_as desc, decision_id desc
) = 1
"""
# One attribute's cells: a table each, since fifteen joins of narrow tables take a third of the time of one wide pivot (measured).
_CELL = """
create or replace temp table cell_{name} as
with won as ({won}),
pinned_here as (select component, pinned.* from pinned join unsettled using (customer_id) where attribute = '{name}'),
chosen as (
    select won.component, row.{value} as value, row.system, row.province, row.source_key, row.entity, row.batch_id, row.row_no,
        won.rule, won.candidates
    from won join golden_source row using (place) anti join pinned_here on pinned_here.component = won.component
    union all
    select pinned_here.component, pinned_here.value, '{steward}', '', decision_id::varchar, 'steward_decision', 0, 0, '{steward}',
        coalesce(won.candidates, 0) + 1
    from pinned_here left join won using (component)
)
select *, md5_number_lower(concat_ws('|', '{name}', value, system, province, source_key, entity, batch_id, row_no, rule,
    candidates)) as digest
from chosen
"""
_PROVENANCE = """
select customer_id, '{name}' as attribute, value, system, province, source_key, entity, batch_id, row_no, rule, candidates
from cell_{name} join unsettled using (component)
"""
# The groups whose records are made: of most nights few of all.
_UNSETTLED = """
create or replace temp table unsettled as select component, customer_id from group_id anti join settled using (component)
"""
_RECORDS = """
create or replace table golden_customer_new as
with record as (
    select customer_id, {cells}, ({digests})::varchar as lineage_hash
    from unsettled {joins}
)
select customer_id, {names}, md5(to_json({{{fields}}})::varchar) as row_hash, lineage_hash from record
"""


def pin(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `pinned` (`customer_id, attribute, value, decision_id`) from `human_value`: at most one an attribute, each under the
    id its customer goes by now. Of several, the id's own comes before one that a merge brought, then the newest."""
    connection.execute(_PINNED)


def survive(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `golden_customer_new` and `golden_provenance_new` from the tables of `identity.sources`, `code_trust`, `group_id`,
    `parent_of` and `pinned`, of all groups but those of `settled` (`identity.settled`)."""
    connection.execute(_UNSETTLED)
    rank(connection, "(from customer_group anti join settled using (component))")
    for name, how in survivorship().items():
        facts = {"name": name, "value": _VALUES.get(name, name), "won": _won(name, how), "steward": STEWARD}
        connection.execute(_CELL.format(**facts))
    provenance = " union all ".join(_PROVENANCE.format(name=name) for name in GOLDEN_ATTRIBUTES)
    connection.execute(f"create or replace temp view golden_provenance_new as {provenance}")
    connection.execute(
        _RECORDS.format(
            cells=", ".join(f"cell_{name}.value as {name}" for name in GOLDEN_ATTRIBUTES),
            digests=" + ".join(f"coalesce(cell_{name}.digest, 0)::hugeint" for name in GOLDEN_ATTRIBUTES),
            joins=" ".join(f"left join cell_{name} using (component)" for name in GOLDEN_ATTRIBUTES),
            names=", ".join(GOLDEN_ATTRIBUTES),
            fields=", ".join(f"'{name}': {name}" for name in GOLDEN_ATTRIBUTES),
        )
    )


def rank(connection: duckdb.DuckDBPyConnection, groups: str = "customer_group") -> None:
    """Makes `golden_source` (rows with their validity) and `contest` (of every group and attribute the best merit, the next)."""
    connection.execute(_PLACES.format(groups=groups))
    connection.execute(_SOURCE)
    declared = list(survivorship().items())
    connection.execute(_MERITS.format(merits=", ".join(f"{merit(name, how)} as of_{name}" for name, how in declared)))
    names = [name for name, _ in declared]
    best = ", ".join(f"min(of_{name}) as best_{name}, count(of_{name}) as count_{name}" for name in names)
    second = ", ".join(f"min(of_{name}) filter (of_{name} > best_{name}) as second_{name}" for name in names)
    connection.execute(_BEST.format(best=best, second=second))


def merit(name: str, how: Survivorship) -> str:
    """SQL over `golden_source`: how good a row's value of the attribute is, the smaller the better; NULL where it has none."""
    value, validity = _VALUES.get(name, name), _VALIDITY.get(name, "0")
    trust = " ".join(f"when '{system}' then {place}" for place, system in enumerate(how.systems))
    packed = "0::hugeint"
    for criterion in how.decide:
        expression, bits = _CRITERIA[criterion]
        number = expression.format(value=value, validity=validity, trust=f"case system {trust} end")
        packed = f"(({packed}) << {bits}) + {number}"
    systems = ", ".join(f"'{system}'" for system in how.systems)
    present = f"system in ({systems}) and {value} is not null and {validity} is not null"
    return f"case when {present} then (({packed}) << {_PLACE_BITS}) + place end"


def _won(name: str, how: Survivorship) -> str:
    """SQL over `contest`: the row that won the attribute, and the first criterion in which it beat the next best."""
    below, tests = _PLACE_BITS, []
    for criterion in reversed(how.decide):
        tests.append(f"when best_{name} >> {below} <> second_{name} >> {below} then '{criterion.value}'")
        below += _CRITERIA[criterion][1]
    # The criteria were packed most decisive first: the widest shift that still differs is the one that decided.
    decided = " ".join(reversed(tests))
    return (
        f"select component, (best_{name} & {(1 << _PLACE_BITS) - 1})::bigint as place, "
        f"count_{name} as candidates, case when second_{name} is null then 'only' {decided} else 'key' end as rule "
        f"from contest where best_{name} is not null"
    )
