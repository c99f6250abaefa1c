"""What is billed against what was ordered."""

from __future__ import annotations

from decimal import Decimal

from reconcile.rule import Base, Ref, Rule, Severity
from reconcile.rules import vocabulary as words

BILLED_BUT_NEVER_ORDERED = Rule(
    rule_id="billed_but_never_ordered",
    family="ordering",
    title=words.said("Billed but never ordered", "有计费无定单"),
    meaning=words.said(
        "Billing charges a product for which the province's order system holds no order that adds it",
        "账务系统对该产品计费, 本省定单系统没有其新装定单",
    ),
    grain=words.PRODUCT,
    subject=("product_id_crm",),
    by_product="product_id_crm",
    match_keys="province, product_id_crm",
    left=words.said("Charged, fen (billing)", "计费金额(分, 账务)"),
    right=words.said("Orders that add it (orders)", "新装定单数(定单)"),
    found="""
        select charged.province, charged.product_id_crm, sum(charged.amount_fen)::varchar as left_value, '0' as right_value,
            greatest(sum(charged.amount_fen), 0)::bigint as money_fen, min(charged.month) as first_month,
            sum(charged.items)::bigint as items, list_sort(list(distinct charged.bill_no)) as bill_nos
        from charge charged
        join kept using (province, month)
        anti join (select province, product_id_crm from core.product_order where order_action = 'add') ordered
            on ordered.province = charged.province and ordered.product_id_crm = charged.product_id_crm
        where charged.product_id_crm is not null
        group by charged.province, charged.product_id_crm
    """,
    base=Base(words.CHARGES, subjects="count(distinct product_id_crm)"),
    needs=("bill_item", "product_order"),
    details=("first_month", "items"),
    undetermined="is_withheld('product_order', province, product_id_crm)",
    severity=Severity.CRITICAL,
    owner_role=words.ORDER_MANAGEMENT,
    cause=words.BY_PRODUCT,
    customer="product_id_crm",
    refs=(Ref("product", "crm", "product_id_crm"), Ref("bill", "billing", "bill_nos", many=True)),
    stops_above=Decimal("0.05"),
    source="DOMAIN §4: billed but never ordered, tolerance 0",
)

# Days are counted over the rents charged, credits left out: two rents of one month that follow each other are no repeat.
BILLED_TWICE = Rule(
    rule_id="billed_twice",
    family="ordering",
    title=words.said("Billed twice", "重复计费"),
    meaning=words.said(
        "The rent of a product is charged more than once for the same days and was not credited",
        "同一产品同一时段月租重复计收且未冲减",
    ),
    grain=words.PRODUCT_MONTH,
    subject=("product_id_crm", "month"),
    by_product="product_id_crm",
    match_keys="province, product_id_crm, days charged",
    left=words.said("Days of the period", "计费时段天数"),
    right=words.said("Days charged", "已计费天数"),
    found="""
        select rent.province, rent.product_id_crm, rent.month,
            (max(charged_to) filter (amount_fen > 0) - min(charged_from) filter (amount_fen > 0) + 1)::varchar as left_value,
            sum(charged_to - charged_from + 1) filter (amount_fen > 0)::varchar as right_value,
            (sum(amount_fen) - max(amount_fen))::bigint as money_fen, min(bill_no) as bill_no,
            list_sort(list(item_no)) as item_nos
        from rent join kept on kept.province = rent.province and kept.month = rent.month
        semi join (
            select province, product_id_crm, month from rent where amount_fen > 0 and product_id_crm is not null
            group by province, product_id_crm, month having count(*) > 1
        ) several on several.province = rent.province and several.product_id_crm = rent.product_id_crm
            and several.month = rent.month
        group by rent.province, rent.product_id_crm, rent.month
        having sum(charged_to - charged_from + 1) filter (amount_fen > 0)
                > max(charged_to) filter (amount_fen > 0) - min(charged_from) filter (amount_fen > 0) + 1
            and sum(amount_fen) > max(amount_fen)
    """,
    base=Base(words.CHARGES, "product_id_crm is not null"),
    needs=("bill_item",),
    details=("bill_no",),
    severity=Severity.CRITICAL,
    owner_role=words.BILLING_ASSURANCE,
    cause=words.BY_PRODUCT,
    customer="product_id_crm",
    refs=(Ref("bill_item", "billing", "item_nos", many=True),),
    stops_above=Decimal("0.05"),
    source="DOMAIN §4: billed twice, tolerance 0",
)
