"""CRM's life of a product against what billing charges for it."""

from __future__ import annotations

from decimal import Decimal

from reconcile.rule import Base, Ref, Rule, Severity
from reconcile.rules import vocabulary as words

# Rent only: usage and penalties of a product's last days are billed after its end, and rightly.
TERMINATED_BUT_BILLED = Rule(
    rule_id="terminated_but_billed",
    family="lifecycle",
    title=words.said("Terminated but billed", "已拆机仍计费"),
    meaning=words.said(
        "Billing charges rent for days after CRM ended the product; a charge that was credited again does not count",
        "客户资源系统已拆机, 账务系统仍对其后日期计收月租; 已冲减的不计",
    ),
    grain=words.PRODUCT_MONTH,
    subject=("product_id_crm", "month"),
    by_product="product_id_crm",
    match_keys="province, product_id_crm",
    left=words.said("Ended (CRM)", "拆机日期(客户资源)"),
    right=words.said("Charged from (billing)", "计费起始(账务)"),
    found="""
        select rent.province, rent.product_id_crm, rent.month, strftime(product.ended_on, '%Y-%m-%d') as left_value,
            strftime(min(rent.charged_from), '%Y-%m-%d') as right_value, sum(rent.amount_fen)::bigint as money_fen,
            count(*) as items, min(rent.bill_no) as bill_no, list_sort(list(rent.item_no)) as item_nos
        from rent
        join core.product product on product.province = rent.province and product.product_id_crm = rent.product_id_crm
        join kept on kept.province = rent.province and kept.month = rent.month
        where product.product_status = 'terminated' and product.ended_on < rent.charged_from
        group by rent.province, rent.product_id_crm, rent.month, product.ended_on
        having sum(rent.amount_fen) > 0
    """,
    base=Base("core.product join kept using (province)", "product_status = 'terminated' and ended_on <= last_day"),
    needs=("product", "bill_item"),
    details=("items", "bill_no"),
    severity=Severity.CRITICAL,
    owner_role=words.BILLING_ASSURANCE,
    cause=words.BY_PRODUCT,
    customer="product_id_crm",
    refs=(Ref("product", "crm", "product_id_crm"), Ref("bill_item", "billing", "item_nos", many=True)),
    stops_above=Decimal("0.20"),
    source="DOMAIN §4: terminated but billed, tolerance 0",
)

# What is terminated or suspended today was in use in the months before, and a month nobody charged stays so.
_IN_SERVICE = """product_status in ('active', 'suspended', 'terminated') and started_on < first_day
            and (product_status <> 'terminated' or ended_on >= last_day)"""
# Only a suspended one's past is looked up: of millions in use it would tell nothing.
_JUDGED = """
            select province from served where product_status <> 'suspended' union all
            select province from served where product_status = 'suspended'
                and was_active(province, product_id_crm, product_status, month, last_month)
"""

ACTIVE_BUT_NOT_BILLED = Rule(
    rule_id="active_but_not_billed",
    family="lifecycle",
    title=words.said("Active but not billed", "在用未计费"),
    meaning=words.said(
        "CRM had the product in use since before the month until after it, with an account that pays for it, and billing charged "
        "nothing; suspended for the whole month does not count",
        "客户资源系统显示产品整月在用且有付费账户, 账务系统当月无任何费用; 整月停机的不计",
    ),
    grain=words.PRODUCT_MONTH,
    subject=("product_id_crm", "month"),
    by_product="product_id_crm",
    match_keys="province, product_id_crm",
    left=words.said("Monthly price, fen (CRM)", "月价(分, 客户资源)"),
    right=words.said("Charged, fen (billing)", "计费金额(分, 账务)"),
    found=f"""
        with silent as materialized (
            select product.province, product.product_id_crm, kept.month, product.monthly_price_fen, product.account_no,
                product.product_status
            from core.product product
            join kept on kept.province = product.province
            anti join charge charged on charged.province = product.province
                and charged.product_id_crm = product.product_id_crm and charged.month = kept.month
            where {_IN_SERVICE}
        )
        select silent.province, silent.product_id_crm, silent.month, silent.monthly_price_fen::varchar as left_value,
            '0' as right_value, greatest(coalesce(silent.monthly_price_fen, 0), 0) as money_fen, silent.account_no
        from silent
        join core.account account on account.province = silent.province and account.account_no = silent.account_no
        where was_active(silent.province, silent.product_id_crm, silent.product_status, silent.month, silent.month)
    """,
    base=Base(f"""(
        with served as (
            select province, product_id_crm, product_status, month, month as last_month
            from core.product product join kept using (province) semi join core.account account using (province, account_no)
            where {_IN_SERVICE}
        ) {_JUDGED}
    ) judged"""),
    needs=("product", "account", "bill_item"),
    details=("account_no",),
    undetermined="is_withheld('bill_item', province, product_id_crm)",
    severity=Severity.CRITICAL,
    owner_role=words.BILLING_ASSURANCE,
    cause=words.BY_PRODUCT,
    customer="product_id_crm",
    refs=(Ref("product", "crm", "product_id_crm"), Ref("account", "billing", "account_no")),
    tolerance=Decimal("0.05"),
    warns_above=Decimal("0.03"),
    stops_above=Decimal("0.20"),
    deadline_days=2,
    source="DOMAIN §4: active but not billed, ≤ 5 % of the base, every case listed",
)

IN_USE_WITHOUT_REVENUE = Rule(
    rule_id="in_use_without_revenue",
    family="lifecycle",
    title=words.said("Ordered and in use, no revenue", "有定单在用无收入"),
    meaning=words.said(
        "The order was completed, CRM had the product in use since before the first month judged until after it, and no month "
        "shows a charge; suspended all the while does not count",
        "定单已竣工, 客户资源系统显示产品自首个所查账期前已在用, 所查各账期均无任何费用; 一直停机的不计",
    ),
    grain=words.PRODUCT,
    subject=("product_id_crm",),
    by_product="product_id_crm",
    match_keys="province, product_id_crm",
    left=words.said("Ordered, in use since", "在用起始"),
    right=words.said("Months with a charge", "有费用的账期数"),
    found=f"""
        with uncharged as materialized (
            select product.province, product.product_id_crm, product.product_status, product.started_on, product.ended_on,
                product.monthly_price_fen
            from core.product product
            anti join (select province, product_id_crm from charge join kept using (province, month)) charged
                on charged.province = product.province and charged.product_id_crm = product.product_id_crm
        ), silent as (
            select province, product_id_crm, product_status, started_on, monthly_price_fen, min(month) as first_month,
                max(month) as last_month, count(*) as months
            from uncharged join kept using (province)
            where {_IN_SERVICE} group by all
        )
        select silent.province, silent.product_id_crm, strftime(silent.started_on, '%Y-%m-%d') as left_value,
            '0' as right_value, (greatest(coalesce(silent.monthly_price_fen, 0), 0) * silent.months)::bigint as money_fen,
            silent.months, min(ordered.order_no) as order_no
        from silent
        semi join (select province, min(month) as first_month from kept group by province) span using (province, first_month)
        join core.product_order ordered on ordered.province = silent.province
            and ordered.product_id_crm = silent.product_id_crm
        where ordered.order_action = 'add' and ordered.order_state = 'completed'
            and was_active(silent.province, silent.product_id_crm, silent.product_status, silent.first_month, silent.last_month)
        group by silent.province, silent.product_id_crm, silent.started_on, silent.monthly_price_fen, silent.months
    """,
    base=Base(f"""(
        with served as (
            select province, product_id_crm, product_status, month, last_month from core.product product
            join (
                select province, min(month) as month, max(month) as last_month, min(first_day) as first_day,
                    min(last_day) as last_day
                from kept group by province
            ) span using (province)
            where {_IN_SERVICE}
        ) {_JUDGED}
    ) judged"""),
    needs=("product", "product_order", "bill_item"),
    details=("months", "order_no"),
    undetermined="is_withheld('bill_item', province, product_id_crm)",
    severity=Severity.MAJOR,
    owner_role=words.BILLING_ASSURANCE,
    cause=words.BY_PRODUCT,
    customer="product_id_crm",
    refs=(Ref("product", "crm", "product_id_crm"), Ref("product_order", "orders", "order_no")),
    deadline_days=2,
    source="DOMAIN §4: ordered and in use but no revenue, tolerance 0",
)
