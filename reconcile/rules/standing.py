"""A product's status against the standing of its account, its customer, its number and its resources."""

from __future__ import annotations

from decimal import Decimal

from reconcile.rule import Base, Ref, Rule, Severity
from reconcile.rules import vocabulary as words

DAYS_UNTIL_SEEN = 2
STRANDED_AFTER_DAYS = 30
_SOURCE = "DOMAIN §4: profile ↔ status not 1:1, tolerance 0"

# The number itself is personal: products that share one are known by the first of them, and the break names products only.
NUMBER_WITH_TWO_LIVE_USERS = Rule(
    rule_id="number_with_two_live_users",
    family="standing",
    title=words.said("One number, two live users", "一号两用户"),
    meaning=words.said(
        "A number or circuit is in use by a product although another took it into use before",
        "同一业务号码已有在用产品, 又被另一产品使用",
    ),
    grain=words.said("later product", "后启用的产品实例"),
    subject=("product_id_crm",),
    match_keys="province, service number",
    left=words.said("Product that has the number", "先用该号码的产品"),
    right=words.said("Product that has it too", "后用该号码的产品"),
    found=f"""
        with live as (
            select product.province, shared.number_group, product.product_id_crm, product.monthly_price_fen,
                coalesce(product.started_on, date '9999-12-31') as since
            from core.product product join product_number_group shared using (system, province, source_key)
            where product.product_status in {words.LIVE}
        ), holder_of as (
            select province, number_group, arg_min(product_id_crm, (since, product_id_crm)) as first_product
            from live group by province, number_group having count(*) > 1
        )
        select live.province, live.product_id_crm, holder_of.first_product as left_value, live.product_id_crm as right_value,
            greatest(coalesce(live.monthly_price_fen, 0), 0)::bigint as money_fen, holder_of.first_product
        from live join holder_of on holder_of.province = live.province and holder_of.number_group = live.number_group
        where live.product_id_crm <> holder_of.first_product
    """,
    base=words.LIVE_PRODUCTS,
    needs=("product",),
    severity=Severity.CRITICAL,
    stops_above=Decimal("0.05"),
    owner_role=words.RESOURCE_MANAGEMENT,
    cause=words.BY_PRODUCT,
    customer="product_id_crm",
    refs=(Ref("product", "crm", "product_id_crm"), Ref("product", "crm", "first_product")),
    source="DOMAIN §4: one number with two live users, tolerance 0",
)

LIVE_PRODUCT_ON_CLOSED_ACCOUNT = Rule(
    rule_id="live_product_on_closed_account",
    family="standing",
    title=words.said("Live product on a closed account", "在用产品账户已销户"),
    meaning=words.said(
        "CRM has the product in use, billing closed the account that pays for it", "产品在用, 账务系统付费账户已销户"
    ),
    grain=words.PRODUCT,
    subject=("product_id_crm",),
    by_product="product_id_crm",
    match_keys="province, account_no",
    left=words.said("Product status (CRM)", "产品状态(客户资源)"),
    right=words.said("Account closed (billing)", "销户日期(账务)"),
    found=f"""
        select product.province, product.product_id_crm, product.account_no, product.product_status as left_value,
            coalesce(strftime(account.closed_on, '%Y-%m-%d'), 'closed') as right_value,
            greatest(coalesce(product.monthly_price_fen, 0), 0)::bigint as money_fen,
            greatest(product.source_version, account.source_version) as touched_at
        from core.product product
        join core.account account on account.province = product.province and account.account_no = product.account_no
        where product.product_status in {words.LIVE} and account.account_status = 'closed'
    """,
    base=words.LIVE_PRODUCTS,
    needs=("product", "account"),
    grace_days=DAYS_UNTIL_SEEN,
    severity=Severity.MAJOR,
    owner_role=words.BILLING_ASSURANCE,
    cause=words.BY_ACCOUNT,
    customer="product_id_crm",
    refs=(Ref("product", "crm", "product_id_crm"), Ref("account", "billing", "account_no")),
    details=("account_no",),
    source=_SOURCE,
)

LIVE_PRODUCT_OF_CLOSED_CUSTOMER = Rule(
    rule_id="live_product_of_closed_customer",
    family="standing",
    title=words.said("Live product of a closed customer", "在用产品客户已注销"),
    meaning=words.said("CRM has the product in use and its customer closed", "客户资源系统产品在用, 客户已注销"),
    grain=words.PRODUCT,
    subject=("product_id_crm",),
    by_product="product_id_crm",
    match_keys="province, customer_key",
    left=words.said("Product status", "产品状态"),
    right=words.said("Customer status", "客户状态"),
    found=f"""
        select product.province, product.product_id_crm, product.customer_key, product.product_status as left_value,
            customer.customer_status as right_value, greatest(coalesce(product.monthly_price_fen, 0), 0)::bigint as money_fen,
            greatest(product.source_version, customer.source_version) as touched_at
        from core.product product
        join core.customer customer on customer.system = 'crm' and customer.province = product.province
            and customer.customer_key = product.customer_key
        where product.product_status in {words.LIVE} and customer.customer_status = 'closed'
    """,
    base=words.LIVE_PRODUCTS,
    needs=("product", "customer"),
    grace_days=DAYS_UNTIL_SEEN,
    severity=Severity.MAJOR,
    owner_role=words.CUSTOMER_DATA,
    cause=words.BY_CUSTOMER,
    customer="customer_key",
    refs=(Ref("product", "crm", "product_id_crm"), Ref("customer", "crm", "customer_key")),
    details=("customer_key",),
    source=_SOURCE,
)

LIVE_PRODUCT_WITHOUT_RESOURCE = Rule(
    rule_id="live_product_without_resource",
    family="standing",
    title=words.said("Live product without a resource", "在用产品无资源"),
    meaning=words.said(
        "CRM has the product in use and no circuit, port or number in use for it", "产品在用, 无任何在用专线、端口或号码资源"
    ),
    grain=words.PRODUCT,
    subject=("product_id_crm",),
    by_product="product_id_crm",
    match_keys="province, product_id_crm",
    left=words.said("Product status", "产品状态"),
    right=words.said("Resources in use", "在用资源数"),
    found=f"""
        select product.province, product.product_id_crm, product.product_status as left_value, '0' as right_value,
            greatest(coalesce(product.monthly_price_fen, 0), 0)::bigint as money_fen, product.source_version as touched_at
        from core.product product
        anti join (select province, product_id_crm from core.resource where resource_status in {words.RESOURCE_IN_USE}) used
            on used.province = product.province and used.product_id_crm = product.product_id_crm
        where product.product_status in {words.LIVE}
    """,
    base=words.LIVE_PRODUCTS,
    needs=("product", "resource"),
    undetermined="is_withheld('resource', province, product_id_crm)",
    grace_days=DAYS_UNTIL_SEEN,
    severity=Severity.MAJOR,
    owner_role=words.RESOURCE_MANAGEMENT,
    cause=words.BY_PRODUCT,
    customer="product_id_crm",
    refs=(Ref("product", "crm", "product_id_crm"),),
    source=_SOURCE,
)

STRANDED_CIRCUIT = Rule(
    rule_id="stranded_circuit",
    family="standing",
    title=words.said("Stranded circuit", "沉没专线"),
    meaning=words.said(
        "A circuit is still in use thirty days after its product ended, or serves no product",
        "产品拆机三十天后专线仍为在用, 或专线不属于任何产品",
    ),
    grain=words.said("circuit", "专线"),
    subject=("resource_id",),
    by_product="product_id_crm",
    match_keys="province, product_id_crm",
    left=words.said("Resource status", "资源状态"),
    right=words.said("Product ended", "产品拆机日期"),
    found=f"""
        select province, resource_id, product_id_crm, resource_status as left_value,
            coalesce(strftime(ended_on, '%Y-%m-%d'), 'no product') as right_value,
            greatest(coalesce(monthly_price_fen, 0), 0)::bigint as money_fen,
            coalesce(ended_on::timestamptz, source_version) as touched_at
        from odd_resource
        where resource_kind = 'circuit' and resource_status in {words.RESOURCE_IN_USE}
            and (product_id_crm is null or product_status = 'terminated')
    """,
    base=Base("core.resource", "resource_kind = 'circuit'"),
    needs=("resource", "product"),
    grace_days=STRANDED_AFTER_DAYS,
    severity=Severity.MAJOR,
    owner_role=words.RESOURCE_MANAGEMENT,
    cause="'resource:' || province || '|' || resource_id",
    customer="product_id_crm",
    refs=(Ref("resource", "crm", "resource_id"), Ref("product", "crm", "product_id_crm")),
    details=("product_id_crm",),
    source="DOMAIN §4: stranded circuit, 0 past a grace period",
)
