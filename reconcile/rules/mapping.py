"""Whose an account is, in two systems."""

from __future__ import annotations

from decimal import Decimal

from reconcile.rule import Ref, Rule, Severity
from schemas.contract import Label

# Two CRM records that identity found to be one customer are not different customers.
ACCOUNT_MAPPED_DIFFERENTLY = Rule(
    rule_id="account_mapped_differently",
    family="mapping",
    grain=Label(en="account", zh="账户"),
    cause="'account:' || province || '|' || account_no",
    customer="account_no",
    refs=(Ref("account", "billing", "account_no"),),
    title=Label(en="Account mapped to different customers", zh="账户归属客户不一致"),
    meaning=Label(
        en="Billing maps the account to one customer, CRM has it pay for the products of others only",
        zh="账务系统将账户归属某客户, 客户资源系统中该账户只为其他客户的产品付费",
    ),
    subject=("account_no",),
    match_keys="province, account_no",
    left=Label(en="Customer (billing)", zh="客户(账务)"),
    right=Label(en="Customers (CRM)", zh="客户(客户资源)"),
    found="""
        with payer as (
            select product.province, product.account_no, product.customer_key, golden.customer_id
            from core.product product left join golden on golden.system = 'crm' and golden.province = product.province
                and golden.customer_key = product.customer_key
            where product.account_no is not null
        ), charged as (
            select province, account_no, arg_max(amount_fen, month) as amount_fen from (
                select province, account_no, month, sum(amount_fen) as amount_fen
                from product_month join kept using (province, month) group by all
            ) group by all
        )
        select account.province, account.account_no, account.customer_id_crm as left_value,
            string_agg(distinct payer.customer_key, ',' order by payer.customer_key) as right_value,
            greatest(coalesce(any_value(charged.amount_fen), 0), 0)::bigint as money_fen,
            count(*) as products, false as undetermined
        from core.account account
        join payer on payer.province = account.province and payer.account_no = account.account_no
        left join golden on golden.system = 'crm' and golden.province = account.province
            and golden.customer_key = account.customer_id_crm
        left join charged on charged.province = account.province and charged.account_no = account.account_no
        where account.customer_id_crm is not null
        group by account.province, account.account_no, account.customer_id_crm, golden.customer_id
        having not bool_or(payer.customer_key = account.customer_id_crm)
            and not coalesce(bool_or(payer.customer_id = golden.customer_id), false)
    """,
    base="""
        select account.province, count(*) as subjects from core.account account
        semi join core.product product on product.province = account.province and product.account_no = account.account_no
        where account.customer_id_crm is not null group by account.province
    """,
    needs=("account", "product"),
    details=("products",),
    severity=Severity.CRITICAL,
    owner_role="customer-data-steward",
    stops_above=Decimal("0.10"),
    source="DOMAIN §4: customer or account mapped differently in two systems, tolerance 0",
)
