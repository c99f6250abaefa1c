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

# NULL validity: no value. A junk code, or one of the wrong length, is nobody's; it stays in the source's own record.
_SOURCE = """
create or replace table golden_source as
select row.*, crosswalk_new.customer_id, uscc.code as folded_uscc, org.code as folded_org_code,
    parent.parent_id as parent_customer_id, parent.place as parent_validity,
    case when uscc_trust.trust = 'junk' then null when uscc_trust.trust = 'contested' then 2
        else case uscc.reason when 'valid' then 0 when 'pilot' then 1 when 'check_digit' then 3 end end as uscc_validity,
    case when org_trust.trust = 'junk' then null when org_trust.trust = 'contested' then 2
        else case org.reason when 'valid' then 0 when 'check_digit' then 3 end end as org_validity,
    row_number() over (order by row.province, row.source_key, row.entity, row.system) as place
from source_row row
join crosswalk_new using (system, province, customer_key)
left join uscc_fold uscc on uscc.text = row.uscc
left join org_fold org on org.text = row.org_code
left join code_trust uscc_trust on uscc_trust.kind = 'uscc' and uscc_trust.code = uscc.code
left join code_trust org_trust on org_trust.kind = 'org_code' and org_trust.code = org.code
left join parent_of parent using (system, province, customer_key)
"""
_CRITERIA: Mapping[Criterion, str] = {
    Criterion.VALIDITY: "{validity}",
    Criterion.TRUST: "list_position({systems}, system)",
    Criterion.RECENCY: "-epoch_us(coalesce(source_version, timestamptz '1970-01-01'))",
    Criterion.COMPLETENESS: "-length({value})",
}
# The order of an attribute's values, best first; the last of it is the row's place, so that no two are equal.
_CANDIDATE = """
select customer_id, '{name}' as attribute, {value} as value, [{order}, place]::bigint[] as merit, place
from golden_source where list_contains({systems}, system) and {value} is not null and {validity} is not null
"""
_WINNERS = """
insert into winner
with candidate as ({candidate}),
ranked as (
    select customer_id, count(*) as candidates, min(merit, 2) as best from candidate group by customer_id
)
select customer_id, '{name}', best[1][-1], candidates,
    case when candidates = 1 then 'only' else {criteria}[list_position(list_transform(list_zip(best[1], best[2]),
        lambda pair: pair[1] <> pair[2]), true)] end
from ranked
"""
# A value belongs to the id it was given for. While that id is another's, it counts for the customer that has the id's home.
_PINNED = """
create or replace table pinned as
with given as (
    select human_value.*, coalesce(living.customer_id, housed.customer_id) as lives_as
    from human_value
    left join (select distinct customer_id from crosswalk_new) living using (customer_id)
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
_PROVENANCE = """
create or replace table golden_provenance_new as
with pinned_cell as (
    select pinned.customer_id, pinned.attribute, pinned.value, '{steward}' as system, '' as province,
        pinned.decision_id::varchar as source_key, 'steward_decision' as entity, 0::bigint as batch_id, 0::bigint as row_no,
        '{steward}' as rule, coalesce(winner.candidates, 0) + 1 as candidates
    from pinned left join winner using (customer_id, attribute)
)
select winner.customer_id, winner.attribute, {value} as value, row.system, row.province, row.source_key, row.entity,
    row.batch_id, row.row_no, winner.rule, winner.candidates
from (from winner anti join pinned using (customer_id, attribute)) winner join golden_source row using (place)
union all select * from pinned_cell
"""
_RECORDS = """
create or replace table golden_customer_new as
with cell as (
    select customer_id, {cells}, sum(md5_number_lower(concat_ws('|', attribute, value, system, province, source_key, entity,
        batch_id, row_no, rule, candidates))::hugeint)::varchar as lineage_hash
    from golden_provenance_new group by customer_id
), every as (select distinct customer_id from crosswalk_new)
select every.customer_id, {names}, md5(to_json({{{fields}}})::varchar) as row_hash, coalesce(lineage_hash, '') as lineage_hash
from every left join cell using (customer_id)
"""


def pin(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `pinned` (`customer_id, attribute, value, decision_id`) from `human_value`: at most one an attribute, each under the
    id its customer goes by now. Of several, the id's own comes before one that a merge brought, then the newest."""
    connection.execute(_PINNED)


def survive(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `golden_customer_new` and `golden_provenance_new` from the tables of `identity.sources`, `code_trust`,
    `crosswalk_new`, `parent_of` and `pinned`."""
    rank(connection)
    value = " ".join(f"when '{name}' then row.{_VALUES.get(name, name)}" for name in GOLDEN_ATTRIBUTES)
    connection.execute(_PROVENANCE.format(steward=STEWARD, value=f"case winner.attribute {value} end"))
    cells = ", ".join(f"max(value) filter (attribute = '{name}') as {name}" for name in GOLDEN_ATTRIBUTES)
    fields = ", ".join(f"'{name}': {name}" for name in GOLDEN_ATTRIBUTES)
    connection.execute(_RECORDS.format(cells=cells, names=", ".join(GOLDEN_ATTRIBUTES), fields=fields))


def rank(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `golden_source` and `winner` (`customer_id, attribute, place, candidates, rule`) of what the sources say."""
    connection.execute(_SOURCE)
    connection.execute(
        "create or replace table winner (customer_id varchar, attribute varchar, place bigint, candidates bigint, rule varchar)"
    )
    for name, declared in survivorship().items():
        criteria = "[" + ", ".join(f"'{criterion.value}'" for criterion in declared.decide) + ", 'key']"
        connection.execute(_WINNERS.format(name=name, candidate=candidate(name, declared), criteria=criteria))


def candidate(name: str, declared: Survivorship) -> str:
    """SQL over `golden_source` for every value an attribute could take: `customer_id, attribute, value, merit, place`; of two,
    the one of smaller merit is the better."""
    facts = {
        "name": name,
        "value": _VALUES.get(name, name),
        "validity": _VALIDITY.get(name, "0"),
        "systems": "[" + ", ".join(f"'{system}'" for system in declared.systems) + "]",
    }
    order = ", ".join(_CRITERIA[criterion].format(**facts) for criterion in declared.decide)
    return _CANDIDATE.format(order=order, **facts)
