"""Whose an account, an order, a group is, in two systems; and who looks after it."""

from __future__ import annotations

from decimal import Decimal

from reconcile.rule import Base, Ref, Rule, Severity
from reconcile.rules import vocabulary as words

SOURCE = "DOMAIN §4: customer or account mapped differently in two systems; manager differs; never many-to-many; tolerance 0"
_ACCOUNT_REFS = (Ref("account", "billing", "account_no"),)

# Two CRM records that identity found to be one customer are not different customers.
ACCOUNT_MAPPED_DIFFERENTLY = Rule(
    rule_id="account_mapped_differently",
    family="mapping",
    title=words.said("Account mapped to different customers", "账户归属客户不一致"),
    meaning=words.said(
        "Billing maps the account to one customer, CRM has it pay for the products of others only",
        "账务系统将账户归属某客户, 客户资源系统中该账户只为其他客户的产品付费",
    ),
    grain=words.ACCOUNT,
    subject=("account_no",),
    match_keys="province, account_no",
    left=words.said("Customer (billing)", "客户(账务)"),
    right=words.said("Customers (CRM)", "客户(客户资源)"),
    found="""
        select account.province, account.account_no, account.customer_id_crm as left_value,
            string_agg(distinct payer.customer_key, ',' order by payer.customer_key) as right_value,
            greatest(coalesce(any_value(charged.amount_fen), 0), 0)::bigint as money_fen,
            sum(payer.products)::bigint as products, list_sort(list(distinct payer.customer_key)) as customer_keys
        from (
            select * from core.account named where named.customer_id_crm is not null and not exists (
                select 1 from payer own where own.province = named.province and own.account_no = named.account_no
                    and own.customer_key = named.customer_id_crm)
        ) account
        join payer on payer.province = account.province and payer.account_no = account.account_no
        left join golden on golden.system = 'crm' and golden.province = account.province
            and golden.customer_key = account.customer_id_crm
        left join account_charge charged on charged.province = account.province and charged.account_no = account.account_no
        group by account.province, account.account_no, account.customer_id_crm, golden.customer_id
        having not coalesce(bool_or(payer.customer_id = golden.customer_id), false)
    """,
    base=Base("core.account semi join payer using (province, account_no)", "customer_id_crm is not null"),
    needs=("account", "product"),
    details=("products",),
    severity=Severity.CRITICAL,
    owner_role=words.CUSTOMER_DATA,
    cause=words.BY_ACCOUNT,
    customer="account_no",
    refs=(*_ACCOUNT_REFS, Ref("customer", "crm", "customer_keys", many=True)),
    stops_above=Decimal("0.10"),
    source=SOURCE,
)

ACCOUNT_SHARED_BY_CUSTOMERS = Rule(
    rule_id="account_shared_by_customers",
    family="mapping",
    title=words.said("Account shared by customers", "账户被多个客户共用"),
    meaning=words.said(
        "CRM has one account pay for the products of more than one customer: accounts and customers are never many-to-many",
        "同一账户为多个客户的产品付费: 账户与客户不得多对多",
    ),
    grain=words.ACCOUNT,
    subject=("account_no",),
    match_keys="province, account_no",
    left=words.said("Customers (CRM)", "客户(客户资源)"),
    right=words.said("Allowed", "允许数"),
    found="""
        select payer.province, payer.account_no, string_agg(distinct payer.customer_key, ',' order by payer.customer_key)
            as left_value, '1' as right_value, greatest(coalesce(any_value(charged.amount_fen), 0), 0)::bigint as money_fen,
            list_sort(list(distinct payer.customer_key)) as customer_keys
        from payer
        semi join (select province, account_no from payer group by province, account_no having count(*) > 1) several
            on several.province = payer.province and several.account_no = payer.account_no
        left join account_charge charged on charged.province = payer.province and charged.account_no = payer.account_no
        group by payer.province, payer.account_no
        having count(distinct coalesce(payer.customer_id, 'crm|' || payer.customer_key)) > 1
    """,
    base=Base("payer", subjects="count(distinct account_no)"),
    needs=("account", "product"),
    severity=Severity.MAJOR,
    owner_role=words.CUSTOMER_DATA,
    cause=words.BY_ACCOUNT,
    customer="account_no",
    refs=(*_ACCOUNT_REFS, Ref("customer", "crm", "customer_keys", many=True)),
    source=SOURCE,
)

# Several accounts of one billing customer are usual. A second billing customer for one CRM customer is the duplicate; an
# account that pays for several customers tells nothing about whose it is, and has a rule of its own.
DUPLICATE_ACCOUNT = Rule(
    rule_id="duplicate_account",
    family="mapping",
    title=words.said("Duplicate account", "重复开户"),
    meaning=words.said(
        "One CRM customer pays through accounts of more than one billing customer number",
        "同一客户通过多个计费客户编号下的账户付费",
    ),
    grain=words.said("customer, later billing number", "客户, 后开计费编号"),
    subject=("customer_key", "customer_no_billing"),
    match_keys="province, customer_key",
    left=words.said("First billing customer", "首个计费客户"),
    right=words.said("Further billing customer", "其余计费客户"),
    found="""
        with single as (
            select province, account_no, any_value(customer_key) as customer_key from payer
            group by province, account_no having count(*) = 1
        ), paying as (
            select single.province, single.customer_key, account.customer_no_billing, min(account.opened_on) as opened_on,
                list_sort(list(account.account_no)) as account_nos, min(account.account_no) as account_no,
                coalesce(sum(charged.amount_fen), 0) as amount_fen
            from single join core.account account on account.province = single.province
                and account.account_no = single.account_no
            left join account_charge charged on charged.province = single.province and charged.account_no = single.account_no
            where account.customer_no_billing is not null and account.account_status <> 'closed'
            group by single.province, single.customer_key, account.customer_no_billing
        ), first_one as (
            select province, customer_key, arg_min(customer_no_billing, (opened_on, customer_no_billing)) as first_no
            from paying group by province, customer_key having count(*) > 1
        )
        select paying.province, paying.customer_key, paying.customer_no_billing, first_one.first_no as left_value,
            paying.customer_no_billing as right_value, greatest(paying.amount_fen, 0)::bigint as money_fen,
            paying.account_nos, paying.account_no
        from paying join first_one using (province, customer_key) where paying.customer_no_billing <> first_one.first_no
    """,
    base=Base("payer", subjects="count(distinct customer_key)"),
    needs=("account", "product"),
    severity=Severity.MAJOR,
    owner_role=words.CUSTOMER_DATA,
    cause=words.BY_ACCOUNT,
    customer="customer_key",
    refs=(Ref("customer", "crm", "customer_key"), Ref("account", "billing", "account_nos", many=True)),
    details=("account_no",),
    source="DOMAIN §4: duplicate account, tolerance 0",
)

ORDER_MAPPED_DIFFERENTLY = Rule(
    rule_id="order_mapped_differently",
    family="mapping",
    title=words.said("Order and product name different customers", "定单与产品客户不一致"),
    meaning=words.said(
        "An order names one CRM customer, CRM gives its product to another", "定单所记客户与该产品在客户资源系统中的客户不一致"
    ),
    grain=words.ORDER,
    subject=("order_no",),
    by_product="product_id_crm",
    match_keys="province, product_id_crm",
    left=words.said("Customer (orders)", "客户(定单)"),
    right=words.said("Customer (CRM)", "客户(客户资源)"),
    found="""
        select ordered.province, ordered.order_no, ordered.product_id_crm, ordered.customer_id_crm as left_value,
            ordered.customer_key as right_value, greatest(coalesce(ordered.monthly_price_fen, 0), 0)::bigint as money_fen
        from odd_order ordered
        left join golden one on one.system = 'crm' and one.province = ordered.province
            and one.customer_key = ordered.customer_id_crm
        left join golden other on other.system = 'crm' and other.province = ordered.province
            and other.customer_key = ordered.customer_key
        where ordered.customer_id_crm <> ordered.customer_key and one.customer_id is distinct from other.customer_id
    """,
    base=Base("core.product_order", "customer_id_crm is not null and product_id_crm is not null"),
    needs=("product_order", "product"),
    severity=Severity.MAJOR,
    owner_role=words.CUSTOMER_DATA,
    cause=words.BY_PRODUCT,
    customer="product_id_crm",
    refs=(Ref("product_order", "orders", "order_no"), Ref("product", "crm", "product_id_crm")),
    details=("product_id_crm",),
    source=SOURCE,
)

GROUP_MAPPED_DIFFERENTLY = Rule(
    rule_id="group_mapped_differently",
    family="mapping",
    title=words.said("Group and CRM map each other differently", "集团与客户互指不一致"),
    meaning=words.said(
        "CRM names a group customer that names another CRM customer",
        "客户资源系统所记集团客户, 在集团系统中对应另一客户",
    ),
    grain=words.CUSTOMER,
    subject=("customer_key",),
    match_keys="province, group id",
    left=words.said("Group (CRM)", "集团编号(客户资源)"),
    right=words.said("Customer (group)", "客户编号(集团)"),
    found="""
        select customer.province, customer.customer_key, customer.group_id_group as left_value,
            grouped.customer_id_crm as right_value, 0::bigint as money_fen, customer.group_id_group
        from core.customer customer
        join core.customer grouped on grouped.system = 'group' and grouped.province = customer.province
            and grouped.customer_key = customer.group_id_group
        left join golden one on one.system = 'crm' and one.province = customer.province
            and one.customer_key = customer.customer_key
        left join golden other on other.system = 'crm' and other.province = grouped.province
            and other.customer_key = grouped.customer_id_crm
        where customer.system = 'crm' and grouped.customer_id_crm <> customer.customer_key
            and one.customer_id is distinct from other.customer_id
    """,
    base=Base("core.customer", "system = 'crm' and group_id_group is not null"),
    needs=("customer",),
    severity=Severity.MAJOR,
    owner_role=words.CUSTOMER_DATA,
    cause=words.BY_CUSTOMER,
    customer="customer_key",
    refs=(Ref("customer", "crm", "customer_key"), Ref("customer", "group", "group_id_group")),
    source=SOURCE,
)

# By the cross-references that the systems recorded themselves: a manager is no reason to doubt a link, nor a link a manager.
MANAGER_DIFFERS = Rule(
    rule_id="manager_differs",
    family="mapping",
    title=words.said("Customer manager differs", "客户经理不一致"),
    meaning=words.said(
        "CRM and the group system name different managers of one customer", "客户资源系统与集团系统所记客户经理不一致"
    ),
    grain=words.CUSTOMER,
    subject=("customer_key", "group_key"),
    match_keys="province, recorded cross-reference",
    left=words.said("Manager (CRM)", "客户经理(客户资源)"),
    right=words.said("Manager (group)", "客户经理(集团)"),
    found="""
        select customer.province, customer.customer_key, grouped.customer_key as group_key, customer.manager_id as left_value,
            grouped.manager_id as right_value, 0::bigint as money_fen,
            greatest(customer.source_version, grouped.source_version) as touched_at
        from linked_group
        join core.customer customer on customer.system = 'crm' and customer.province = linked_group.province
            and customer.customer_key = linked_group.customer_key
        join core.customer grouped on grouped.system = 'group' and grouped.province = linked_group.province
            and grouped.customer_key = linked_group.group_key
        where customer.manager_id <> grouped.manager_id
    """,
    base=Base("linked_group"),
    needs=("customer",),
    grace_days=2,
    severity=Severity.MINOR,
    owner_role=words.CUSTOMER_DATA,
    cause=words.BY_CUSTOMER,
    customer="customer_key",
    refs=(Ref("customer", "crm", "customer_key"), Ref("customer", "group", "group_key")),
    deadline_days=2,
    source=SOURCE,
)
