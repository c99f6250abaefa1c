"""One comparable record a node, from what its rows say of it: of each thing what most of them say, then the newest, then the
smallest. What is common to many unrelated names (an agent's telephone, a business centre's address) says nothing and is left out.

| table | a row is |
|---|---|
| `name_fold`, `uscc_fold`, `org_fold`, … | one distinct text and its comparable form (`identity.folding`) |
| `reached` | one node: the beginning of its name, its telephone and its place of work, whoever shares them |
| `record` | one node: the parts of its name, its codes with their classes, how it is reached |
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from identity import folding

# A telephone or an address that firms of so many different names give is not one firm's.
SHARED_BY = 4

_TEXTS = {
    folding.NAMES: "select name from said union all select short_name from said",
    folding.USCCS: "select uscc from said",
    folding.ORG_CODES: "select org_code from said",
    folding.LICENCES: "select licence_no from said",
    folding.TAXPAYERS: "select taxpayer_id from said",
    folding.ADDRESSES: "select address from said",
    folding.PHONES: "select phone from said",
    folding.CONTACTS: "select contact from said",
}
# A way a node is described, in comparable form.
_FOLDED = """
select said.node, said.times, said.newest, name.folded, nullif(name.core, '') as core, name.trade, name.industry,
    name.place, name.form, name.branch, name.figures, name.sketch, name.is_group, nullif(short.core, '') as short_core,
    nullif(uscc.code, '') as uscc, uscc.reason as uscc_reason, nullif(org.code, '') as org_code, org.reason as org_reason,
    case when licence.reason = 'valid' then licence.code end as licence,
    nullif(taxpayer.code, '') as taxpayer, taxpayer.reason as taxpayer_reason,
    nullif(address.city, '') as city, nullif(address.street, '') as street, address.detail,
    nullif(phone.phone, '') as phone, nullif(contact.contact, '') as contact
from {said} said
left join name_fold name on name.text = said.name
left join name_fold short on short.text = said.short_name
left join uscc_fold uscc on uscc.text = said.uscc
left join org_fold org on org.text = said.org_code
left join licence_fold licence on licence.text = said.licence_no
left join taxpayer_fold taxpayer on taxpayer.text = said.taxpayer_id
left join address_fold address on address.text = said.address
left join phone_fold phone on phone.text = said.phone
left join contact_fold contact on contact.text = said.contact
"""
# (what is voted upon together, what must be there, the order of equals)
_VOTES = (
    ("folded, core, trade, industry, place, form, branch, figures, sketch, is_group", "core is not null", "folded"),
    ("short_core", "short_core is not null", "short_core"),
    ("uscc, uscc_reason", "uscc is not null", "uscc_reason in ('valid', 'pilot') desc, uscc"),
    ("org_code, org_reason", "org_code is not null", "org_reason = 'valid' desc, org_code"),
    ("licence", "licence is not null", "licence"),
    ("taxpayer, taxpayer_reason", "taxpayer is not null", "taxpayer_reason = 'valid' desc, taxpayer"),
    ("city, street, detail", "street is not null", "street, detail, city"),
    ("phone", "phone is not null", "phone"),
    ("contact", "contact is not null", "contact"),
)
_COLUMNS = tuple(column for columns, _, _ in _VOTES for column in columns.split(", "))
# Most nodes are described in one way; only the others need a vote.
_DESCRIBED_TWICE = """
create or replace temp table described_twice as select node from said group by node having count(*) > 1;
create or replace temp view described_once as from said anti join described_twice using (node)
"""
_VOTED = """
with counted as (
    select node, {columns}, sum(times) as times, max(newest) as newest from folded_row where {present} group by all
)
select node, {columns} from counted
qualify row_number() over (partition by node order by times desc, newest desc, {equals}) = 1
"""
_PLACE_OF_WORK = "street || '|' || coalesce(detail, '')"
_REACHED = f"""
create or replace table reached as
select node, left(nullif(name.core, ''), 2) as head, nullif(phone.phone, '') as phone,
    nullif(address.street, '') || '|' || coalesce(address.detail, '') as place_of_work
from described_once said
left join name_fold name on name.text = said.name
left join phone_fold phone on phone.text = said.phone
left join address_fold address on address.text = said.address
union all
select node, left(core, 2), phone, {_PLACE_OF_WORK} from voted
"""
_SHARED = """
create or replace temp table shared_{column} as
select {column} as value from reached where {column} is not null and head is not null
group by {column} having count(distinct head) >= {least}
"""
# A USCC may stand in the taxpayer's field alone; an old taxpayer id ends with the organisation code.
_RECORD = """
create or replace table record as
select node.node, node.system, node.province, raw.folded, raw.core, raw.trade, raw.industry, raw.place, raw.form, raw.branch,
    raw.figures, raw.sketch, raw.is_group, raw.short_core,
    case when raw.uscc is null and raw.taxpayer_reason in ('valid', 'pilot') and length(raw.taxpayer) = 18 then raw.taxpayer
        else raw.uscc end as uscc,
    case when raw.uscc is null and raw.taxpayer_reason in ('valid', 'pilot') and length(raw.taxpayer) = 18
        then raw.taxpayer_reason else raw.uscc_reason end as uscc_reason,
    raw.org_code, raw.org_reason, raw.licence,
    case when raw.taxpayer_reason = 'valid' and length(raw.taxpayer) = 15 then right(raw.taxpayer, 9) end as taxpayer_org,
    raw.city, case when shared_street.value is null then raw.street end as street,
    case when shared_street.value is null then raw.detail end as detail,
    case when shared_phone.value is null then raw.phone end as phone, raw.contact
from node join ({described}) raw using (node)
left join shared_phone on shared_phone.value = raw.phone
left join shared_place_of_work shared_street on shared_street.value = raw.street || '|' || coalesce(raw.detail, '')
"""


def make(connection: duckdb.DuckDBPyConnection, memory: Path | None = None, *, touched: bool = False) -> None:
    """Makes the tables above from `node` and `said`; and `folded_row`, the ways of those nodes that are described in several.
    `memory`, `touched`: see `identity.folding.fold_all`."""
    folding.fold_all(connection, _TEXTS, memory, touched=touched)
    connection.execute(_DESCRIBED_TWICE)
    [(several,)] = connection.execute("select count(*) from described_twice").fetchall()
    # Where none is described in several ways, the joins need not be made ready.
    ways = "(from said semi join described_twice using (node))" if several else "(from said limit 0)"
    connection.execute(f"create or replace table folded_row as {_FOLDED.format(said=ways)}")
    _vote(connection)
    connection.execute(_REACHED)
    for column in ("phone", "place_of_work"):
        connection.execute(_SHARED.format(column=column, least=SHARED_BY))
    columns = f"node, {', '.join(_COLUMNS)}"
    once = f"select {columns} from ({_FOLDED.format(said='described_once')})"
    connection.execute(_RECORD.format(described=f"{once} union all select {columns} from voted"))
    connection.execute(
        "drop view described_once; drop table described_twice; drop table voted; drop table shared_phone; "
        "drop table shared_place_of_work"
    )


def _vote(connection: duckdb.DuckDBPyConnection) -> None:
    votes, joins = [], []
    for place, (columns, present, equals) in enumerate(_VOTES):
        votes.append(f"vote_{place} as ({_VOTED.format(columns=columns, present=present, equals=equals)})")
        joins.append(f"left join vote_{place} using (node)")
    connection.execute(
        f"create or replace temp table voted as with {', '.join(votes)} "
        f"select node, {', '.join(_COLUMNS)} from described_twice {' '.join(joins)}"
    )
