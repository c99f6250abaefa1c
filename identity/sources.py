"""The source customers of an extract as DuckDB tables: the rows that speak of them, their comparable form, and the nodes.

| table | a row is |
|---|---|
| `source_row` | a row of `core.*` that speaks of a source customer (`system, province, customer_key`), lineage beside it |
| `name_fold`, `uscc_fold`, `org_fold` | one distinct value and its comparable form (`identity.normalise`) |
| `node` | one source customer, numbered in the order of its key |
| `folded_row` | one `source_row` with its node and comparable forms |
| `payer` | CRM's view of an account: the customer whose products it pays for |
| `holder` | CRM's view of a product: the customer that has it |
| `signal` | something seen and not acted upon: `kind, system, province, customer_key, detail` |
| `decision` | what a steward decided of two source customers: `a_system, a_province, a_key, b_system, b_province, b_key, verdict` |
"""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import pyarrow as pa

from identity import normalise

FOLD_BATCH = 50_000

# One branch a system: billing's customer is behind its accounts, orders' behind its product orders.
_SOURCE_ROWS = """
create or replace table source_row as
select * from (
    select 'customer' as entity, system, province, customer_key, source_key, source_version, batch_id, row_no, customer_name,
        short_name, uscc, org_code, licence_no, customer_category, list_status, industry, address, phone, manager_id,
        manager_name, customer_status, parent_key, customer_id_crm, group_id_group, null::varchar as account_no,
        null::varchar as product_id_crm
    from core.customer
    union all by name
    select 'account' as entity, system, province, customer_no_billing as customer_key, source_key, source_version, batch_id,
        row_no, customer_name, uscc, org_code, address, contact_phone as phone, customer_id_crm, account_no
    from core.account
    union all by name
    select 'product_order' as entity, system, province, customer_no_orders as customer_key, source_key, source_version,
        batch_id, row_no, customer_name, uscc, customer_id_crm, product_id_crm
    from core.product_order
)
"""
_NODES = """
create or replace table node as
select row_number() over (order by system, province, customer_key)::integer as node, system, province, customer_key
from (select distinct system, province, customer_key from source_row where customer_key is not null)
"""
_FOLDED_ROWS = """
create or replace table folded_row as
select node.node, row.entity, row.system, row.province, row.customer_key, row.source_key, row.source_version,
    row.account_no, row.product_id_crm, row.customer_id_crm, row.group_id_group,
    name.folded as folded_name, name.core, name.trade, name.branch,
    uscc.code as uscc, uscc.reason as uscc_reason, org.code as org_code, org.reason as org_reason
from source_row row
join node using (system, province, customer_key)
left join name_fold name on name.text = row.customer_name
left join uscc_fold uscc on uscc.text = row.uscc
left join org_fold org on org.text = row.org_code
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
_DECISIONS = """
create table if not exists decision (
    a_system varchar, a_province varchar, a_key varchar, b_system varchar, b_province varchar, b_key varchar, verdict varchar
)
"""
_SIGNALS = """
create or replace table signal (
    kind varchar, system varchar, province varchar, customer_key varchar, detail varchar
);
insert into signal
select 'no_customer_number', system, province, null, entity || ' ' || source_key from source_row where customer_key is null;
"""


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes the tables above from the entities in schema `core`."""
    connection.execute(_SOURCE_ROWS)
    _fold(connection, "name_fold", ("folded", "core", "trade", "branch"), "customer_name", _name)
    _fold(connection, "uscc_fold", ("code", "reason"), "uscc", _uscc)
    _fold(connection, "org_fold", ("code", "reason"), "org_code", _org_code)
    for statement in (_NODES, _FOLDED_ROWS, _PAYERS, _HOLDERS, _DECISIONS, _SIGNALS):
        connection.execute(statement)


def _name(text: str) -> tuple[str, ...]:
    name = normalise.name(text)
    return name.folded, name.core, name.trade, name.branch


def _uscc(text: str) -> tuple[str, ...]:
    code = normalise.uscc(text)
    return code.text, code.reason.value


def _org_code(text: str) -> tuple[str, ...]:
    code = normalise.org_code(text)
    return code.text, code.reason.value


def _fold(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: tuple[str, ...],
    source: str,
    fold: Callable[[str], tuple[str, ...]],
) -> None:
    """Makes `table` (`text`, then `columns`): each distinct value of a column once, in Arrow batches."""
    declared = ", ".join(f"{column} varchar" for column in ("text", *columns))
    connection.execute(f"create or replace table {table} ({declared})")
    reading = connection.cursor()
    reader = reading.execute(f"select distinct {source} from source_row where {source} is not null").to_arrow_reader(FOLD_BATCH)
    for batch in reader:
        folded = list(zip(*(fold(str(text)) for text in batch.column(0).to_pylist()), strict=True)) or [()] * len(columns)
        arrays = [batch.column(0), *(pa.array(values, pa.string()) for values in folded)]
        connection.register("folded_batch", pa.Table.from_arrays(arrays, names=["text", *columns]))
        connection.execute(f"insert into {table} select * from folded_batch")
        connection.unregister("folded_batch")
    reading.close()
