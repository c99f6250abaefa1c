"""CRM's life of a product against what billing charges for it."""

from __future__ import annotations

from decimal import Decimal

from reconcile.rule import Ref, Rule, Severity
from schemas.contract import Label

# Rent only: usage and penalties of a product's last days are billed after its end, and rightly.
TERMINATED_BUT_BILLED = Rule(
    rule_id="terminated_but_billed",
    family="lifecycle",
    grain=Label(en="product, month", zh="产品实例, 账期"),
    cause="'product:' || province || '|' || product_id_crm",
    customer="product_id_crm",
    refs=(Ref("product", "crm", "product_id_crm"), Ref("bill", "billing", "bill_no")),
    title=Label(en="Terminated but billed", zh="已拆机仍计费"),
    meaning=Label(
        en="Billing charges rent for days after CRM ended the product; a charge that was credited again does not count",
        zh="客户资源系统已拆机, 账务系统仍对其后日期计收月租; 已冲减的不计",
    ),
    subject=("product_id_crm", "month"),
    match_keys="province, product_id_crm",
    left=Label(en="Ended (CRM)", zh="拆机日期(客户资源)"),
    right=Label(en="Charged from (billing)", zh="计费起始(账务)"),
    found="""
        select item.province, item.product_id_crm, strftime(item.charged_from, '%Y%m') as month,
            strftime(product.ended_on, '%Y-%m-%d') as left_value, strftime(min(item.charged_from), '%Y-%m-%d') as right_value,
            sum(item.amount_fen)::bigint as money_fen, count(*) as items, min(item.bill_no) as bill_no, false as undetermined
        from core.bill_item item
        join core.product product on product.province = item.province and product.product_id_crm = item.product_id_crm
        join kept on kept.province = item.province and kept.month = strftime(item.charged_from, '%Y%m')
        where product.product_status = 'terminated' and product.ended_on < item.charged_from
            and item.charge_item in ('recurring', 'circuit')
        group by item.province, item.product_id_crm, strftime(item.charged_from, '%Y%m'), product.ended_on
        having sum(item.amount_fen) > 0
    """,
    base="""
        select province, count(*) as subjects from core.product join kept using (province)
        where product_status = 'terminated' and ended_on < strptime(month, '%Y%m') + interval 1 month group by province
    """,
    needs=("product", "bill_item"),
    details=("items", "bill_no"),
    severity=Severity.CRITICAL,
    owner_role="billing-assurance",
    stops_above=Decimal("0.20"),
    source="DOMAIN §4: terminated but billed, tolerance 0",
)

ACTIVE_BUT_NOT_BILLED = Rule(
    rule_id="active_but_not_billed",
    family="lifecycle",
    grain=Label(en="product, month", zh="产品实例, 账期"),
    cause="'product:' || province || '|' || product_id_crm",
    customer="product_id_crm",
    refs=(Ref("product", "crm", "product_id_crm"), Ref("account", "billing", "account_no")),
    title=Label(en="Active but not billed", zh="在用未计费"),
    meaning=Label(
        en="CRM has the product in use since before the month, with an account that pays for it, and billing charged nothing",
        zh="客户资源系统显示产品月初前已在用且有付费账户, 账务系统当月无任何费用",
    ),
    subject=("product_id_crm", "month"),
    match_keys="province, product_id_crm",
    left=Label(en="Monthly price, fen (CRM)", zh="月价(分, 客户资源)"),
    right=Label(en="Charged, fen (billing)", zh="计费金额(分, 账务)"),
    found="""
        select product.province, product.product_id_crm, kept.month, product.monthly_price_fen::varchar as left_value,
            '0' as right_value, greatest(coalesce(product.monthly_price_fen, 0), 0) as money_fen, product.account_no,
            withheld.token is not null as undetermined
        from core.product product
        join kept on kept.province = product.province
        join core.account account on account.province = product.province and account.account_no = product.account_no
        left join withheld on withheld.feed = 'bill_item' and withheld.province = product.province
            and withheld.token = product.product_id_crm
        anti join product_month charged on charged.province = product.province
            and charged.product_id_crm = product.product_id_crm and charged.month = kept.month
        where product.product_status = 'active' and product.started_on < strptime(kept.month, '%Y%m')
    """,
    base="""
        select province, count(*) as subjects from core.product product join kept using (province)
        semi join core.account account using (province, account_no)
        where product_status = 'active' and started_on < strptime(month, '%Y%m') group by province
    """,
    needs=("product", "account", "bill_item"),
    details=("account_no",),
    severity=Severity.CRITICAL,
    owner_role="billing-assurance",
    tolerance=Decimal("0.05"),
    stops_above=Decimal("0.20"),
    deadline_days=2,
    source="DOMAIN §4: active but not billed, ≤ 5 % of the base, every case listed",
)
