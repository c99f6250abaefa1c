"""The figures of a month that a person signs, and what they are now: one definition for both.

`figure` (`province, month, figure, value`): of every month the extract holds. `signed` (`province, month, figure, value,
signature_id`): of every month that stands signed.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from identity.extract import read_store
from schemas.contract import Label

FIGURES: Mapping[str, Label] = {
    "bills": Label(en="Bills", zh="账单数"),
    "billed_fen": Label(en="Billed", zh="账单金额"),
    "bill_items": Label(en="Bill items", zh="账单明细数"),
    "bill_items_fen": Label(en="Amount of bill items", zh="账单明细金额"),
    "payments": Label(en="Payments", zh="缴费笔数"),
    "paid_fen": Label(en="Paid", zh="缴费金额"),
}
"""What is signed of each province and month. Names ending in `_fen` are money."""

_SIGNED = """
select f.province, s.period as month, f.figure, f.value, s.signature_id
from hub.signed_figure f join hub.period_signature s using (signature_id)
where not exists (select from hub.period_signature later where later.replaces = s.signature_id)
"""
_FIGURE = """
create or replace table figure as
with summed as (
    select province, bill_month as month, count(*)::bigint as bills, coalesce(sum(total_fen), 0)::bigint as billed_fen,
        null::bigint as bill_items, null::bigint as bill_items_fen, null::bigint as payments, null::bigint as paid_fen
    from core.bill group by all
    union all by name
    select province, month, sum(items)::bigint as bill_items, sum(amount_fen)::bigint as bill_items_fen
    from account_bill group by all
    union all by name
    select province, strftime(timezone('Asia/Shanghai', paid_at), '%Y%m') as month, count(*)::bigint as payments,
        coalesce(sum(amount_fen), 0)::bigint as paid_fen
    from core.payment group by all
), months as (
    select province, month, {sums} from summed group by all
)
unpivot months on {names} into name figure value value
"""


def make(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `figure`, from `core.bill`, `core.payment` and `account_bill` (`reconcile.shared`)."""
    names = ", ".join(FIGURES)
    sums = ", ".join(f"coalesce(sum({name}), 0)::bigint as {name}" for name in FIGURES)
    connection.execute(_FIGURE.format(names=names, sums=sums))


def read_signed(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `signed`, from the store."""
    read_store(connection, "signed", _SIGNED)


def none_signed(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `signed` of an extract without a store: nothing is."""
    connection.execute(
        "create table if not exists signed (province varchar, month varchar, figure varchar, value bigint, signature_id bigint)"
    )
