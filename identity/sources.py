"""The source customers of an extract in DuckDB: the rows that speak of them, the nodes, and what CRM says of accounts.

| table | a row is |
|---|---|
| `source_row` | a view: a row of `core.*` about a source customer (`system, province, customer_key`), its `node`, lineage |
| `node` | one source customer, numbered in the order of its key |
| `said` | one way a node is described: the texts of its rows, how often (`times`) and when last (`newest`) it was said so |
| `reference_row` | one `source_row` that records keys of other systems, and these |
| `payer` | CRM's view of an account: the customer whose products it pays for |
| `holder` | CRM's view of a product: the customer that has it |
| `signal` | something seen and not acted upon: `kind, system, province, customer_key, detail` |
| `decision` | what a steward decided of two source customers: `a_system, a_province, a_key, b_system, …, verdict` |

`identity.records` makes the comparable forms and the records of them.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from identity import records
from identity.extract import IDENTITY_COLUMNS, LINEAGE

# Who speaks of a source customer, and by which of its columns.
_SPEAKING = {"customer": "customer_key", "account": "customer_no_billing", "product_order": "customer_no_orders"}
_KEYS = " union all ".join(
    f"select system, province, {key} as customer_key from core.{entity}" for entity, key in _SPEAKING.items()
)
_NODES = f"""
create or replace table node as
select row_number() over (order by system, province, customer_key)::integer as node, system, province, customer_key
from (select distinct * from ({_KEYS})) where customer_key is not null
"""
# A table is given the number beside its other columns: a copy of all its rows would take three times as long (measured). An
# entity that is read from parts is copied, without what others read of it.
_NUMBER = """
alter table core.{entity} add column if not exists source_node integer;

update core.{entity} row set source_node = node.node from node
where node.system = row.system and node.province = row.province and node.customer_key = row.{key}
"""
_NUMBERED_COPY = """
create or replace table numbered_{entity} as
select {columns}, node.node as source_node
from core.{entity} row left join node
    on node.system = row.system and node.province = row.province and node.customer_key = row.{key}
"""
# One branch a system: billing's customer is behind its accounts, orders' behind its product orders.
_SOURCE_ROWS = """
create or replace view source_row as
select source_node as node, 3 * rowid as source, 'customer' as entity, system, province, customer_key, source_key, source_version,
    batch_id, row_no, customer_name, short_name, uscc, org_code, licence_no, customer_category, list_status, industry, address,
    phone, manager_id, manager_name, customer_status, parent_key, customer_id_crm, group_id_group, null::varchar as account_no,
    null::varchar as product_id_crm
from {customer}
union all by name
select source_node as node, 3 * rowid + 1 as source, 'account' as entity, system, province, customer_no_billing as customer_key,
    source_key, source_version, batch_id, row_no, customer_name, uscc, org_code, address, contact_phone as phone, customer_id_crm,
    account_no
from {account}
union all by name
select source_node as node, 3 * rowid + 2 as source, 'product_order' as entity, system, province,
    customer_no_orders as customer_key, source_key, source_version, batch_id, row_no, customer_name, uscc, customer_id_crm,
    product_id_crm
from {product_order}
"""
_SAID = """
create or replace table said as
select node, customer_name as name, short_name, uscc, org_code, licence_no, null::varchar as taxpayer_id, address, phone,
    null::varchar as contact, count(*) as times, max(source_version) as newest
from {rows} where node is not null
group by all
"""
_REFERENCE_ROWS = """
create or replace table reference_row as
select node, entity, system, province, account_no, product_id_crm, customer_id_crm, group_id_group, parent_key
from {rows}
where node is not null and coalesce(account_no, product_id_crm, customer_id_crm, group_id_group, parent_key) is not null
"""
_PAYERS = """
create or replace table payer as
select distinct province, account_no, customer_key from core.product where account_no is not null
"""
_HOLDERS = """
create or replace table holder as
select province, product_id_crm, min(customer_key) as customer_key from core.product
group by all having count(distinct customer_key) = 1
"""
# Filled before linking by whoever knows what stewards decided; `verdict` is 'same' or 'different'.
DECISIONS = """
create table if not exists decision (
    a_system varchar, a_province varchar, a_key varchar, b_system varchar, b_province varchar, b_key varchar, verdict varchar
)
"""
SIGNALS = """
create or replace table signal (
    kind varchar, system varchar, province varchar, customer_key varchar, detail varchar
)
"""
_UNNUMBERED = """
insert into signal
select 'no_customer_number', system, province, null, entity || ' ' || source_key from source_row where customer_key is null
"""


def prepare(connection: duckdb.DuckDBPyConnection, memory: Path | None = None) -> None:
    """Makes the tables above, and those of `identity.records`, from the entities in schema `core`. `memory`: a folder that
    keeps from run to run what need not be computed again."""
    gather(connection)
    describe(connection, memory)


def gather(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `node`, `source_row`, `payer`, `holder` and an empty `decision` from the entities in schema `core`; of these, tables
    that speak of source customers gain a column, `source_node`."""
    connection.execute(_NODES)
    numbered = {entity: _number(connection, entity, key) for entity, key in _SPEAKING.items()}
    for statement in (_SOURCE_ROWS.format(**numbered), _PAYERS, _HOLDERS, DECISIONS):
        connection.execute(statement)


def _number(connection: duckdb.DuckDBPyConnection, entity: str, key: str) -> str:
    """The table of an entity's rows with their nodes as `source_node`: the entity's own, or of a view a copy."""
    is_view = "select 1 from duckdb_views() where schema_name = 'core' and view_name = ?"
    if not connection.execute(is_view, [entity]).fetchone():
        connection.execute(_NUMBER.format(entity=entity, key=key))
        return f"core.{entity}"
    columns = ", ".join(f"row.{name}" for name in (*LINEAGE, "source_version", *IDENTITY_COLUMNS[entity]))
    connection.execute(_NUMBERED_COPY.format(entity=entity, key=key, columns=columns))
    return f"numbered_{entity}"


def describe(connection: duckdb.DuckDBPyConnection, memory: Path | None = None, *, touched: bool = False) -> None:
    """Makes the other tables from those of `gather`. `touched`: `node` holds only some of the nodes, and they are described."""
    rows = "(from source_row semi join node using (node))" if touched else "source_row"
    connection.execute(_SAID.format(rows=rows))
    refer(connection, rows)
    for statement in (SIGNALS, _UNNUMBERED):
        connection.execute(statement)
    records.make(connection, memory, touched=touched)


def refer(connection: duckdb.DuckDBPyConnection, rows: str = "source_row") -> None:
    """Makes `reference_row` of some of the rows."""
    connection.execute(_REFERENCE_ROWS.format(rows=rows))
