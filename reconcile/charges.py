"""Bill items summed once: `charge`, `product_charge`, `account_bill` and `rent` (`reconcile.shared`), of which every rule about
charges is made.

Sums of a part of the extract are kept beside the part, under a name that follows from the part and from the statement: a night
that brings no new month reads them, takes away what corrections closed, and adds what they brought.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from identity.extract import Extract
from reconcile.provinces import TYPE, enumerate_provinces
from store.duck import literal

RENT = "('recurring', 'circuit')"
_KEYS = "province, bill_no, account_no, product_id_crm, month"
_SUMS = (
    "items", "amount_fen", "tax_fen", "untaxed", "rent_fen", "discount_fen", "wrong_lines", "wrong_fen", "wrong_by_fen",
    "abs_wrong_fen",
)  # fmt: skip
_CHARGE = f"""
select province, bill_no, account_no, product_id_crm, month::varchar as month, items, amount_fen::bigint as amount_fen,
    coalesce(tax_fen, 0)::bigint as tax_fen, untaxed, coalesce(rent_fen, 0)::bigint as rent_fen,
    coalesce(discount_fen, 0)::bigint as discount_fen, wrong_lines, coalesce(wrong_fen, 0)::decimal(38, 0) as wrong_fen,
    coalesce(wrong_by_fen, 0)::decimal(38, 0) as wrong_by_fen, coalesce(abs_wrong_fen, 0)::decimal(38, 0) as abs_wrong_fen
from (
    select province, bill_no, account_no, product_id_crm, year(charged_from) * 100 + month(charged_from) as month,
        count(*) as items, sum(amount_fen) as amount_fen, sum(tax_fen) as tax_fen, count(*) - count(tax_fen) as untaxed,
        sum(amount_fen) filter (charge_item in {RENT}) as rent_fen,
        sum(amount_fen) filter (charge_item = 'discount') as discount_fen,
        count(*) filter (wrong_by <> 0) as wrong_lines, sum(amount_fen) filter (wrong_by <> 0) as wrong_fen,
        sum(wrong_by) filter (wrong_by <> 0) as wrong_by_fen, sum(abs(wrong_by)) filter (wrong_by <> 0) as abs_wrong_fen
    from (
        select *, case when charge_item not in {RENT} then amount_fen - quantity::hugeint * price_fen end as wrong_by
        from {{rows}} item
    ) line group by all
) summed
"""
_RENT = f"""
select province, (year(charged_from) * 100 + month(charged_from))::varchar as month, bill_no, product_id_crm, batch_id,
    row_no, source_key as item_no, quantity, price_fen, amount_fen, charged_from, charged_to
from {{rows}} item where charge_item in {RENT}
"""

_BILLED = ("items", "amount_fen", "tax_fen", "untaxed")
_ACCOUNT_BILL = f"""
select province, month, account_no, bill_no, {", ".join(f"sum({name})::bigint as {name}" for name in _BILLED)}
from {{rows}} charge group by province, month, account_no, bill_no having sum(items) <> 0
"""
_PRODUCT_CHARGE = """
select province, month, product_id_crm, sum(amount_fen)::bigint as amount_fen, min(bill_no) as bill_no
from {rows} charge where product_id_crm is not null group by province, month, product_id_crm
"""

# What was charged by the rows that corrections closed, to be taken away again.
_TAKEN = "create or replace table taken as select {keys}, {taken} from ({closed_charges})"
# Products whose charges are summed again: those of closed rows, and those of a month's smaller parts, its corrections. A product
# more than need be is only summed once more, so one column tells enough.
_TOUCHED = """
create or replace table charged_again as
select coalesce(product_id_crm, '') as product from taken
union
select coalesce(product_id_crm, '') from read_parquet({charges}, filename = true) semi join (
    from charge_month qualify row_number() over (partition by province, month order by held desc, filename) > 1
) smaller using (filename, province, month);

create or replace table charge_before as
select part.* from read_parquet({charges}, filename = true, file_row_number = true) part
semi join charged_again on coalesce(product_id_crm, '') = product
"""
_AGAIN = """
create or replace table charge_again as
select {keys}, {summed} from (select {columns} from charge_before union all by name from taken) several
group by {keys} having sum(items) <> 0
"""


def sum_charges(extract: Extract) -> None:
    """Makes `charge`, `product_charge`, `account_bill` and `rent` of the extract's bill items."""
    enumerate_provinces(extract)
    connection, parts = extract.connection, extract.parts
    enumerated = f"select * replace (province::{TYPE} as province)"
    if parts is None or not parts.facts.get("bill_item"):
        connection.execute(f"create or replace table charge as {enumerated} from ({_CHARGE.format(rows='core.bill_item')})")
        connection.execute(f"create or replace table rent as {enumerated} from ({_RENT.format(rows='core.bill_item')})")
        connection.execute(f"create or replace table account_bill as {_ACCOUNT_BILL.format(rows='charge')}")
        connection.execute(f"create or replace view product_charge as {_PRODUCT_CHARGE.format(rows='charge')}")
        return
    items = [part.file for part in parts.facts["bill_item"]]
    charged = [parts.beside("charge", _CHARGE, file) for file in items]
    charges = _listed(charged)
    billed = "from read_parquet(" + _listed([parts.beside("billed", _ACCOUNT_BILL, file) for file in charged]) + ")"
    products = f"from read_parquet({_listed([parts.beside('product_charge', _PRODUCT_CHARGE, file) for file in charged])})"
    rents = _listed([parts.beside("rent", _RENT, file) for file in items])
    each = f"from read_parquet({charges})"
    if _overlap(connection, charges):
        closed_charges = _CHARGE.format(rows="bill_item_closed")
        taken = ", ".join(f"-{name} as {name}" for name in _SUMS)
        connection.execute(_TAKEN.format(keys=_KEYS, taken=taken, closed_charges=closed_charges))
        connection.execute(_TOUCHED.format(charges=charges))
        summed = ", ".join(f"sum({name})::{_type(name)} as {name}" for name in _SUMS)
        connection.execute(_AGAIN.format(keys=_KEYS, summed=summed, columns=", ".join((_KEYS, *_SUMS))))
        each = _without_those(connection, charges) + " union all by name from charge_again"
        keys = "province, month, account_no, bill_no"
        billed += f" union all by name select {keys}, {', '.join(f'-{name} as {name}' for name in _BILLED)} from charge_before"
        billed += f" union all by name select {keys}, {', '.join(_BILLED)} from charge_again"
        products += " anti join charged_again on product_id_crm = product"
        products += f" union all by name {_PRODUCT_CHARGE.format(rows='charge_again')}"
    connection.execute(f"create or replace view charge as {enumerated} from ({each})")
    connection.execute(f"create or replace view product_charge as {enumerated} from ({products})")
    connection.execute(f"create or replace table account_bill as {enumerated} from ({_ACCOUNT_BILL.format(rows=f'({billed})')})")
    connection.execute(
        f"create or replace view rent as {enumerated.replace('*', '* exclude (batch_id, row_no)')} "
        f"from read_parquet({rents}) anti join bill_item_closed using (batch_id, row_no)"
    )


def _without_those(connection: duckdb.DuckDBPyConnection, charges: str) -> str:
    """A query of the kept sums but those of `charge_before`, left out by their places: whoever reads it compares no keys."""
    files = connection.execute(
        f"select filename, count(file_row_number) from (select distinct filename from read_parquet({charges}, filename = true)) "
        "left join charge_before using (filename) group by filename order by filename"
    ).fetchall()
    whole = [Path(file) for file, gone in files if not gone]
    each = [f"from read_parquet({_listed(whole)})"] if whole else []
    for file in (literal(file) for file, gone in files if gone):
        places = f"(select file_row_number from charge_before where filename = {file}) gone"
        left = f"read_parquet({file}, file_row_number = true) anti join {places} using (file_row_number)"
        each.append(f"select * exclude (file_row_number) from {left}")
    return " union all by name ".join(each)


def _overlap(connection: duckdb.DuckDBPyConnection, charges: str) -> bool:
    """Whether rows were closed, or two parts hold charges of one month (`charge_month`): only then is there anything to sum
    again."""
    connection.execute(
        "create or replace table charge_month as select filename, province, month, count(*) as held "
        f"from read_parquet({charges}, filename = true) group by all"
    )
    row = connection.execute(
        "select count(*) > count(distinct (province, month)) or (select count(*) from bill_item_closed) > 0 from charge_month"
    ).fetchone()
    return bool(row and row[0])


def _type(name: str) -> str:
    return "decimal(38, 0)" if name in {"wrong_fen", "wrong_by_fen", "abs_wrong_fen"} else "bigint"


def _listed(files: Sequence[Path]) -> str:
    return "[" + ", ".join(literal(file) for file in files) + "]"
