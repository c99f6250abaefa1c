"""What is billed against what was ordered."""

from __future__ import annotations

from decimal import Decimal

from reconcile.rule import Ref, Rule, Severity
from schemas.contract import Label

BILLED_BUT_NEVER_ORDERED = Rule(
    rule_id="billed_but_never_ordered",
    family="ordering",
    grain=Label(en="product", zh="产品实例"),
    cause="'product:' || province || '|' || product_id_crm",
    customer="product_id_crm",
    refs=(Ref("product", "crm", "product_id_crm"),),
    title=Label(en="Billed but never ordered", zh="有计费无定单"),
    meaning=Label(
        en="Billing charges a product for which the province's order system holds no order that adds it",
        zh="账务系统对该产品计费, 本省定单系统没有其新装定单",
    ),
    subject=("product_id_crm",),
    match_keys="province, product_id_crm",
    left=Label(en="Charged, fen (billing)", zh="计费金额(分, 账务)"),
    right=Label(en="Orders that add it (orders)", zh="新装定单数(定单)"),
    found="""
        select charged.province, charged.product_id_crm, sum(charged.amount_fen)::varchar as left_value, '0' as right_value,
            greatest(sum(charged.amount_fen), 0)::bigint as money_fen, min(charged.month) as first_month,
            sum(charged.items)::bigint as items, bool_or(withheld.token is not null) as undetermined
        from product_month charged
        join kept using (province, month)
        left join withheld on withheld.feed = 'product_order' and withheld.province = charged.province
            and withheld.token = charged.product_id_crm
        anti join (select province, product_id_crm from core.product_order where order_action = 'add') ordered
            on ordered.province = charged.province and ordered.product_id_crm = charged.product_id_crm
        where charged.product_id_crm is not null
        group by charged.province, charged.product_id_crm
    """,
    base="""
        select province, count(distinct product_id_crm) as subjects from product_month join kept using (province, month)
        where product_id_crm is not null group by province
    """,
    needs=("bill_item", "product_order"),
    details=("first_month", "items"),
    severity=Severity.CRITICAL,
    owner_role="order-management",
    stops_above=Decimal("0.05"),
    source="DOMAIN §4: billed but never ordered, tolerance 0",
)
