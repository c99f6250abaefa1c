"""The golden record: for each attribute one value, chosen by a declared rule, its source beside it.

Survivorship (`ATTRIBUTES`): of the values that are present, the most believable (a valid code before one whose check digit
fails), then the most trusted system, then the newest, then the smallest source key. The rule kept with a cell is the
criterion that decided: `only`, `validity`, `trust`, `recency`, `key`.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from identity.versions import Versioned


@dataclass(frozen=True)
class Attribute:
    """`trust`: systems, most trusted first; a system not named gives no value. `value` and `validity` (0 best) are SQL over
    `golden_source`."""

    name: str
    trust: tuple[str, ...]
    value: str
    validity: str = "0"


_CRM, _ALL = ("crm",), ("crm", "group", "orders", "billing")
ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute("customer_name", ("crm", "group", "billing", "orders"), "customer_name"),
    Attribute("short_name", _CRM, "short_name"),
    Attribute("uscc", _ALL, "folded_uscc", "uscc_validity"),
    Attribute("org_code", ("crm", "group", "billing"), "folded_org_code", "org_validity"),
    Attribute("licence_no", _CRM, "licence_no"),
    Attribute("customer_category", _CRM, "customer_category"),
    Attribute("list_status", _CRM, "list_status"),
    Attribute("industry", ("crm", "group"), "industry"),
    Attribute("address", ("crm", "group", "billing"), "address"),
    Attribute("phone", ("crm", "billing"), "phone"),
    Attribute("manager_id", ("crm", "group"), "manager_id"),
    Attribute("manager_name", _CRM, "manager_name"),
    Attribute("customer_status", ("crm", "group"), "customer_status"),
    Attribute("province", ("crm", "group", "billing", "orders"), "province"),
    Attribute("parent_customer_id", ("group",), "parent_customer_id"),
)
_NAMES = tuple(attribute.name for attribute in ATTRIBUTES)

GOLDEN = Versioned(table="core.golden_customer", key=("customer_id",), values=(*_NAMES, "row_hash"))
PROVENANCE = Versioned(
    table="core.golden_provenance",
    key=("customer_id", "attribute"),
    values=("value", "system", "province", "source_key", "entity", "batch_id", "row_no", "rule"),
)

# NULL validity: no value. A junk code, or one of the wrong length, is nobody's; it stays in the source's own record.
_SOURCE = """
create or replace table golden_source as
with place as (
    select node.system, node.province, node.customer_key, node.node, crosswalk_new.customer_id
    from node join crosswalk_new using (system, province, customer_key)
), cited as (
    select system, province, customer_key, customer_id from place
)
select row.*, place.customer_id, uscc.code as folded_uscc, org.code as folded_org_code,
    nullif(parent.customer_id, place.customer_id) as parent_customer_id,
    case when uscc_trust.trust = 'junk' then null when uscc_trust.trust = 'contested' then 2
        else case uscc.reason when 'valid' then 0 when 'pilot' then 1 when 'check_digit' then 3 end end as uscc_validity,
    case when org_trust.trust = 'junk' then null when org_trust.trust = 'contested' then 2
        else case org.reason when 'valid' then 0 when 'check_digit' then 3 end end as org_validity
from source_row row
join place using (system, province, customer_key)
left join uscc_fold uscc on uscc.text = row.uscc
left join org_fold org on org.text = row.org_code
left join code_trust uscc_trust on uscc_trust.kind = 'uscc' and uscc_trust.code = uscc.code
left join code_trust org_trust on org_trust.kind = 'org_code' and org_trust.code = org.code
left join cited parent on row.system = 'group' and parent.system = 'group' and parent.province = row.province
    and parent.customer_key = row.parent_key
"""
_CANDIDATES = """
select customer_id, '{name}' as attribute, {value} as value, {validity} as validity,
    list_position({trust}, system) as trust, source_version, system, province, source_key, entity, batch_id, row_no
from golden_source where list_contains({trust}, system) and {value} is not null and {validity} is not null
"""
_PROVENANCE = """
create or replace table golden_provenance_new as
with candidate as ({candidates}),
ranked as (
    select *, row_number() over best as place, lead(validity) over best as next_validity, lead(trust) over best as next_trust,
        lead(source_version) over best as next_version
    from candidate
    window best as (
        partition by customer_id, attribute
        order by validity, trust, source_version desc, province, source_key, entity
    )
)
select customer_id, attribute, value, system, province, source_key, entity, batch_id, row_no,
    case when next_validity is null then 'only' when next_validity > validity then 'validity' when next_trust > trust then 'trust'
        when next_version < source_version then 'recency' else 'key' end as rule
from ranked where place = 1
"""


def survive(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `golden_customer_new` and `golden_provenance_new` from the tables of `identity.sources`, `code_trust` and
    `crosswalk_new`."""
    connection.execute(_SOURCE)
    candidates = " union all ".join(_candidates(attribute) for attribute in ATTRIBUTES)
    connection.execute(_PROVENANCE.format(candidates=candidates))
    cells = ", ".join(f"max(value) filter (attribute = '{name}') as {name}" for name in _NAMES)
    fields = ", ".join(f"'{name}': {name}" for name in _NAMES)
    connection.execute(
        "create or replace table golden_customer_new as "
        f"with cell as (select customer_id, {cells} from golden_provenance_new group by customer_id), "
        "every as (select distinct customer_id from crosswalk_new) "
        f"select every.customer_id, {', '.join(_NAMES)}, md5(to_json({{{fields}}})::varchar) as row_hash "
        "from every left join cell using (customer_id)"
    )


def _candidates(attribute: Attribute) -> str:
    trust = "[" + ", ".join(f"'{system}'" for system in attribute.trust) + "]"
    return _CANDIDATES.format(name=attribute.name, value=attribute.value, validity=attribute.validity, trust=trust)
