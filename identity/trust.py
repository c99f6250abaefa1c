"""How far a registered code may be believed: whose it is, judged by who carries it (`code_trust`).

| trust | the code is |
|---|---|
| `firm` | one firm's |
| `by_branch` | a head office's, which its branches carry too: each tail by itself |
| `contested` | carried by two firms that other facts tell apart, in one source or in two: only an equal name decides |
| `junk` | carried by `limits.strangers` unrelated firms or more, over all sources together: nobody's |

Two names under one code are one firm renamed where they share a telephone, an address or a licence, where one is a slip of the
other, where a source refers by key from the one to the other of another source, or where nothing speaks against it; a clerk's
mistake shows in facts that differ.
"""

from __future__ import annotations

import duckdb

from identity.components import components
from identity.settings import IdentitySettings

# Names under one code that are looked at one by one; a code with more is junk whatever they are.
LOOKED_AT = 60

_NODE_CODES = """
create or replace table node_code as
select node, 'uscc' as kind, uscc as code from record where uscc_reason in ('valid', 'pilot')
union all
select node, 'org_code', case when org_reason = 'valid' then org_code else taxpayer_org end from record
where org_reason = 'valid' or taxpayer_org is not null
"""
_SEVERAL_CODES = """
insert into signal
with several as (
    select node, 'uscc' as kind, count(distinct uscc) as codes from folded_row
    where uscc_reason in ('valid', 'pilot') group by node having codes > 1
    union all
    select node, 'org_code', count(distinct org_code) as codes from folded_row where org_reason = 'valid'
    group by node having codes > 1
)
select 'several_codes_for_one_customer', system, province, customer_key, kind || ': ' || codes
from several join node using (node);
"""
# A code that only records of one name and no branch carry is one firm's; only the others are looked into. One row a name (by
# its first two characters) under a code that several names carry.
_BEARERS = f"""
create or replace table code_seen as
select kind, code, count(*) as nodes, coalesce(min(left(core, 2)) <> max(left(core, 2)), false)
    or bool_or(coalesce(branch, '') <> '') as doubtful
from node_code join record using (node) group by kind, code;

create or replace table code_usage as
select kind, code, node, system, province, core, left(core, 2) as head, sketch, coalesce(branch, '') as branch, phone,
    street || '|' || coalesce(detail, '') as place, licence
from node_code join record using (node) semi join (from code_seen where doubtful) doubted using (kind, code);

create or replace table code_heads as
select kind, code, count(distinct head) as heads from code_usage group by all having heads > 1;

create or replace table bearer as
select row_number() over (order by kind, code, head)::integer as node, kind, code, head, min(core) as core,
    arg_min(sketch, core) as sketch,
    list(distinct phone) filter (phone is not null) as phones, list(distinct place) filter (place is not null) as places,
    list(distinct licence) filter (licence is not null) as licences, list(distinct system) as systems
from code_usage join code_heads using (kind, code) where heads <= {LOOKED_AT} and head is not null group by kind, code, head;

create or replace table bearer_pair as
select one.node as a, other.node as b, one.kind, one.code,
    list_has_any(one.phones, other.phones) or list_has_any(one.places, other.places)
        or list_has_any(one.licences, other.licences) as shares,
    coalesce(len(one.phones) > 0 and len(other.phones) > 0 or len(one.places) > 0 and len(other.places) > 0
        or len(one.licences) > 0 and len(other.licences) > 0, false) as comparable,
    contains(one.core, other.head) or contains(other.core, one.head)
        or (least(length(one.core), length(other.core)) >= 4 and levenshtein(one.sketch, other.sketch) <= 1) as slip
from bearer one join bearer other on one.kind = other.kind and one.code = other.code and one.node < other.node;
"""
# Names of two sources only: within one, a record has no other record of its firm to refer to, and a slip would tie strangers.
_REFERRED = """
create or replace table bearer_reference as
with said as (
    select node, 'crm' as system, province, customer_id_crm as customer_key from reference_row
    where customer_id_crm is not null
    union
    select node, 'group', province, group_id_group from reference_row where group_id_group is not null
)
select distinct one.node as a, other.node as b
from said join node target using (system, province, customer_key)
join code_usage here on here.node = said.node
join code_usage there on there.node = target.node and there.kind = here.kind and there.code = here.code
join bearer one on one.kind = here.kind and one.code = here.code and one.head = here.head
join bearer other on other.kind = there.kind and other.code = there.code and other.head = there.head
where one.node <> other.node and not list_has_any(one.systems, other.systems);
"""
_ONE_FIRM = """(
    select a, b from bearer_pair where coalesce(shares, false) or slip union all select a, b from bearer_reference
)"""
_TRUST = """
create or replace table code_trust as
with firms as (
    select kind, code, count(distinct component) as strangers from bearer join bearer_group using (node) group by all
), spoken_against as (
    select kind, code, bool_or(comparable) as comparable from bearer_pair
    join bearer_group one on one.node = a join bearer_group other on other.node = b
    where one.component <> other.component group by all
), of_instance as (
    select kind, code, system, province, count(distinct branch) filter (branch <> '') as tails from code_usage group by all
), counted as (
    select kind, code, bool_or(branch <> '') and bool_or(branch = '' and core is not null) as mixed
    from code_usage group by all
)
select code_seen.kind, code_seen.code, code_seen.nodes,
    case when coalesce(heads, 0) > {looked_at} or coalesce(strangers, 0) >= {strangers} then 'junk'
        when coalesce(strangers, 0) > 1 and coalesce(comparable, false) then 'contested'
        when mixed or here.tails > 1 then 'by_branch' else 'firm' end as trust
from code_seen
left join counted using (kind, code)
left join (select kind, code, max(tails) as tails from of_instance group by all) here using (kind, code)
left join code_heads using (kind, code)
left join firms using (kind, code)
left join spoken_against using (kind, code)
"""
_DOUBTED = """
insert into signal
select trust || '_code', null, null, null, kind || ' ' || code || ' carried by ' || nodes from {codes} where trust <> 'firm'
"""


def find_codes(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `node_code` (`node, kind, code`), the valid codes that records carry, from `record`."""
    connection.execute(_NODE_CODES)


def judge_codes(connection: duckdb.DuckDBPyConnection, settings: IdentitySettings) -> None:
    """Makes `node_code` (`node, kind, code`) and `code_trust` (`kind, code, nodes, trust`) from `record`; adds to `signal`."""
    find_codes(connection)
    connection.execute(_SEVERAL_CODES)
    connection.execute(_BEARERS)
    connection.execute(_REFERRED)
    components(connection, "bearer", _ONE_FIRM, "bearer_group")
    connection.execute(_TRUST.format(strangers=settings.limits.strangers, looked_at=LOOKED_AT))
    signal_doubted(connection)
    connection.execute(
        "drop table code_seen; drop table code_usage; drop table code_heads; drop table bearer; drop table bearer_pair; "
        "drop table bearer_group; drop table bearer_reference"
    )


def signal_doubted(connection: duckdb.DuckDBPyConnection, codes: str = "code_trust") -> None:
    """Adds the codes that are not one firm's to `signal`."""
    connection.execute(_DOUBTED.format(codes=codes))
