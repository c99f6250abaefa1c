"""Totals against their parts: a bill and its own items, a line and its own arithmetic."""

from __future__ import annotations

from decimal import Decimal

from reconcile.rule import Base, Ref, Rule, Severity, Summed
from reconcile.rules import vocabulary as words

_BILLS = Base(words.BILLS)
_BILL_REFS = (Ref("bill", "billing", "bill_no"),)
_ITEMS = Summed("bill_item", "bill_no")
_JOINED = """
    from core.bill bill
    join kept on kept.province = bill.province and kept.month = bill.bill_month
    left join bill_sum items on items.province = bill.province and items.bill_no = bill.bill_no
"""

# Compared with the accepted items. Where fewer were accepted than the bill says it has, and the quarantine holds a row that
# names the bill, the difference may be the quarantine's: undetermined until those rows are repaired.
_FEWER = "items_accepted < item_count and is_withheld('bill_item', province, bill_no)"

INVOICE_IS_NOT_SUM_OF_ITEMS = Rule(
    rule_id="invoice_is_not_sum_of_items",
    family="totals",
    title=words.said("Invoice is not the sum of its items", "账单与明细合计不符"),
    meaning=words.said("The total printed on a bill differs from the sum of its items", "账单总额与其明细合计不一致"),
    grain=words.BILL_MONTH,
    subject=("bill_no", "month"),
    match_keys="province, bill_no",
    left=words.said("Bill total, fen", "账单金额(分)"),
    right=words.said("Sum of items, fen", "明细合计(分)"),
    found=f"""
        select bill.province, bill.bill_no, bill.bill_month as month, bill.total_fen::varchar as left_value,
            coalesce(items.amount_fen, 0)::varchar as right_value,
            abs(bill.total_fen - coalesce(items.amount_fen, 0))::bigint as money_fen,
            bill.account_no, bill.item_count, coalesce(items.items, 0) as items_accepted
        {_JOINED} where bill.total_fen <> coalesce(items.amount_fen, 0)
    """,
    base=_BILLS,
    needs=("bill", "bill_item"),
    details=("account_no", "item_count", "items_accepted"),
    undetermined=_FEWER,
    severity=Severity.CRITICAL,
    owner_role=words.BILLING_ASSURANCE,
    cause=words.BY_BILL,
    customer="account_no",
    refs=_BILL_REFS,
    summed=_ITEMS,
    stops_above=Decimal("0.10"),
    source="DOMAIN §4: invoice ≠ Σ items, tolerance 0",
)

ITEM_COUNT_DIFFERS = Rule(
    rule_id="item_count_differs",
    family="totals",
    title=words.said("Detail lines are not as many as the bill says", "明细条数与账单不符"),
    meaning=words.said("The number of items on a bill differs from the number sent", "账单所列明细条数与报送的明细条数不一致"),
    grain=words.BILL_MONTH,
    subject=("bill_no", "month"),
    match_keys="province, bill_no",
    left=words.said("Items on the bill", "账单明细条数"),
    right=words.said("Items sent", "报送明细条数"),
    found=f"""
        select bill.province, bill.bill_no, bill.bill_month as month, bill.item_count::varchar as left_value,
            coalesce(items.items, 0)::varchar as right_value, 0::bigint as money_fen, bill.account_no, bill.item_count,
            coalesce(items.items, 0) as items_accepted
        {_JOINED} where bill.item_count <> coalesce(items.items, 0)
    """,
    base=_BILLS,
    needs=("bill", "bill_item"),
    details=("account_no",),
    undetermined=_FEWER,
    severity=Severity.MAJOR,
    owner_role=words.BILLING_ASSURANCE,
    cause=words.BY_BILL,
    customer="account_no",
    refs=_BILL_REFS,
    summed=_ITEMS,
    source="DOMAIN §4: detail vs summary, tolerance 0",
)

TAX_DIFFERS = Rule(
    rule_id="tax_differs",
    family="totals",
    title=words.said("Tax is not the sum of the items' tax", "账单税额与明细税额合计不符"),
    meaning=words.said("The tax printed on a bill differs from the sum of its items' tax", "账单税额与其明细税额合计不一致"),
    grain=words.BILL_MONTH,
    subject=("bill_no", "month"),
    match_keys="province, bill_no",
    left=words.said("Tax on the bill, fen", "账单税额(分)"),
    right=words.said("Sum of items' tax, fen", "明细税额合计(分)"),
    found=f"""
        select bill.province, bill.bill_no, bill.bill_month as month, bill.tax_fen::varchar as left_value,
            coalesce(items.tax_fen, 0)::varchar as right_value,
            abs(bill.tax_fen - coalesce(items.tax_fen, 0))::bigint as money_fen, bill.account_no, bill.item_count,
            coalesce(items.items, 0) as items_accepted
        {_JOINED} where bill.tax_fen <> coalesce(items.tax_fen, 0) and coalesce(items.untaxed, 0) = 0
    """,
    base=_BILLS,
    needs=("bill", "bill_item"),
    details=("account_no",),
    undetermined=_FEWER,
    severity=Severity.MAJOR,
    owner_role=words.BILLING_ASSURANCE,
    cause=words.BY_BILL,
    customer="account_no",
    refs=_BILL_REFS,
    summed=_ITEMS,
    source="DOMAIN §4: detail vs summary, tolerance 0",
)

ITEM_ON_ANOTHER_ACCOUNT = Rule(
    rule_id="item_on_another_account",
    family="totals",
    title=words.said("Item and bill name different accounts", "明细账户与账单账户不符"),
    meaning=words.said("Items of a bill are booked to an account that is not the bill's", "明细所记账户与其账单账户不一致"),
    grain=words.BILL_MONTH,
    subject=("bill_no", "month"),
    match_keys="province, bill_no",
    left=words.said("Account (bill)", "账单账户"),
    right=words.said("Accounts (items)", "明细账户"),
    found="""
        select bill.province, bill.bill_no, bill.bill_month as month, bill.account_no as left_value,
            string_agg(distinct charge.account_no, ',' order by charge.account_no) as right_value,
            abs(sum(charge.amount_fen))::bigint as money_fen, sum(charge.items)::bigint as items, bill.account_no
        from account_bill charge join core.bill bill on bill.province = charge.province and bill.bill_no = charge.bill_no
        join kept on kept.province = bill.province and kept.month = bill.bill_month
        where charge.account_no <> bill.account_no
        group by bill.province, bill.bill_no, bill.bill_month, bill.account_no
    """,
    base=_BILLS,
    needs=("bill", "bill_item"),
    details=("items",),
    severity=Severity.MAJOR,
    owner_role=words.BILLING_ASSURANCE,
    cause=words.BY_BILL,
    customer="account_no",
    refs=_BILL_REFS,
    summed=_ITEMS,
    source="DOMAIN §4: detail vs summary, tolerance 0",
)

LINE_IS_NOT_QUANTITY_TIMES_PRICE = Rule(
    rule_id="line_is_not_quantity_times_price",
    family="totals",
    title=words.said("Line is not quantity times price", "明细金额不等于数量乘单价"),
    meaning=words.said(
        "Usage, fees, discounts and penalties of a product differ from quantity times unit price",
        "通信费、一次性费用、优惠或违约金与数量乘单价不一致",
    ),
    grain=words.PRODUCT_MONTH,
    subject=("product_id_crm", "month"),
    by_product="product_id_crm",
    match_keys="province, item_no",
    left=words.said("Quantity × price, fen", "数量×单价(分)"),
    right=words.said("Charged, fen", "实计(分)"),
    found="""
        select province, coalesce(product_id_crm, '') as product_id_crm, month,
            (sum(wrong_fen) - sum(wrong_by_fen))::varchar as left_value, sum(wrong_fen)::varchar as right_value,
            sum(abs_wrong_fen)::bigint as money_fen, sum(wrong_lines)::bigint as wrong_lines,
            list_sort(list(distinct bill_no)) as bill_nos
        from charge join kept using (province, month) where wrong_lines > 0
        group by province, coalesce(product_id_crm, ''), month
    """,
    base=Base(words.CHARGES),
    needs=("bill_item",),
    details=("wrong_lines",),
    severity=Severity.MAJOR,
    owner_role=words.BILLING_ASSURANCE,
    cause=words.BY_PRODUCT,
    customer="product_id_crm",
    refs=(Ref("bill", "billing", "bill_nos", many=True),),
    source="DOMAIN §4: detail vs summary, tolerance 0",
)
