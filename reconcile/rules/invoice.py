"""A bill against its own items."""

from __future__ import annotations

from decimal import Decimal

from reconcile.rule import Ref, Rule, Severity
from schemas.contract import Label

# Compared with the accepted items. Where fewer were accepted than the bill says it has, and the quarantine holds a row that
# names the bill, the difference may be the quarantine's: undetermined until those rows are repaired.
INVOICE_IS_NOT_SUM_OF_ITEMS = Rule(
    rule_id="invoice_is_not_sum_of_items",
    family="totals",
    grain=Label(en="bill", zh="账单"),
    cause="'bill:' || province || '|' || bill_no",
    customer="account_no",
    refs=(Ref("bill", "billing", "bill_no"),),
    title=Label(en="Invoice is not the sum of its items", zh="账单与明细合计不符"),
    meaning=Label(en="The total printed on a bill differs from the sum of its items", zh="账单总额与其明细合计不一致"),
    subject=("bill_no", "month"),
    match_keys="province, bill_no",
    left=Label(en="Bill total, fen", zh="账单金额(分)"),
    right=Label(en="Sum of items, fen", zh="明细合计(分)"),
    found="""
        select bill.province, bill.bill_no, bill.bill_month as month, bill.total_fen::varchar as left_value,
            coalesce(items.amount_fen, 0)::varchar as right_value,
            abs(bill.total_fen - coalesce(items.amount_fen, 0))::bigint as money_fen,
            bill.account_no, bill.item_count, coalesce(items.items, 0) as items_accepted,
            coalesce(items.items, 0) < bill.item_count and withheld.token is not null as undetermined
        from core.bill bill
        join kept on kept.province = bill.province and kept.month = bill.bill_month
        left join bill_sum items on items.province = bill.province and items.bill_no = bill.bill_no
        left join withheld on withheld.feed = 'bill_item' and withheld.province = bill.province and withheld.token = bill.bill_no
        where bill.total_fen <> coalesce(items.amount_fen, 0)
    """,
    base="""
        select bill.province, count(*) as subjects
        from core.bill bill join kept on kept.province = bill.province and kept.month = bill.bill_month group by bill.province
    """,
    needs=("bill", "bill_item"),
    details=("account_no", "item_count", "items_accepted"),
    severity=Severity.CRITICAL,
    owner_role="billing-assurance",
    stops_above=Decimal("0.10"),
    source="DOMAIN §4: invoice ≠ Σ items, tolerance 0",
)
