"""Orphans of revenue: bills, items and payments for accounts, bills and products nobody knows."""

from __future__ import annotations

from decimal import Decimal

from reconcile.rule import Base, Ref, Rule, Severity
from reconcile.rules import vocabulary as words

SOURCE = "DOMAIN §4: bill, order or revenue for an unknown customer, account or user, tolerance 0"

BILL_FOR_UNKNOWN_ACCOUNT = Rule(
    rule_id="bill_for_unknown_account",
    family="revenue references",
    title=words.said("Bill of an unknown account", "账单账户未知"),
    meaning=words.said("A bill was made for an account that is not among the accounts", "账单所属账户不在账户清单中"),
    grain=words.BILL_MONTH,
    subject=("bill_no", "month"),
    match_keys="province, account_no",
    left=words.said("Account on the bill", "账单账户"),
    right=words.said("Known", "账户清单"),
    found="""
        select bill.province, bill.bill_no, bill.bill_month as month, bill.account_no, bill.account_no as left_value,
            null as right_value, abs(bill.total_fen)::bigint as money_fen
        from core.bill bill join kept on kept.province = bill.province and kept.month = bill.bill_month
        anti join core.account account on account.province = bill.province and account.account_no = bill.account_no
    """,
    base=Base(words.BILLS),
    needs=("bill", "account"),
    undetermined="is_withheld('account', province, account_no)",
    severity=Severity.CRITICAL,
    stops_above=Decimal("0.10"),
    owner_role=words.BILLING_ASSURANCE,
    cause=words.BY_ACCOUNT,
    customer="account_no",
    refs=(Ref("bill", "billing", "bill_no"),),
    source=SOURCE,
)

ITEM_FOR_UNKNOWN_ACCOUNT = Rule(
    rule_id="item_for_unknown_account",
    family="revenue references",
    title=words.said("Bill items of an unknown account", "账单明细账户未知"),
    meaning=words.said("Items were charged to an account that is not among the accounts", "明细计入的账户不在账户清单中"),
    grain=words.said("product, account, month", "产品实例, 账户, 账期"),
    subject=("account_no", "product_id_crm", "month"),
    by_product="product_id_crm",
    match_keys="province, account_no",
    left=words.said("Charged, fen", "计费金额(分)"),
    right=words.said("Known", "账户清单"),
    found="""
        select charged.province, charged.account_no, coalesce(charged.product_id_crm, '') as product_id_crm, charged.month,
            sum(charged.amount_fen)::varchar as left_value, null as right_value,
            abs(sum(charged.amount_fen))::bigint as money_fen, sum(charged.items)::bigint as items,
            min(charged.bill_no) as bill_no
        from charge charged join kept using (province, month)
        anti join core.account account on account.province = charged.province and account.account_no = charged.account_no
        group by charged.province, charged.account_no, coalesce(charged.product_id_crm, ''), charged.month
    """,
    base=Base(words.CHARGES),
    needs=("bill_item", "account"),
    undetermined="is_withheld('account', province, account_no)",
    severity=Severity.CRITICAL,
    stops_above=Decimal("0.10"),
    owner_role=words.BILLING_ASSURANCE,
    cause=words.BY_ACCOUNT,
    customer="product_id_crm",
    refs=(Ref("bill", "billing", "bill_no"), Ref("product", "crm", "product_id_crm")),
    details=("items", "bill_no"),
    missing=Ref("account", "billing", "account_no"),
    source=SOURCE,
)

ITEM_FOR_UNKNOWN_BILL = Rule(
    rule_id="item_for_unknown_bill",
    family="revenue references",
    title=words.said("Bill items without a bill", "明细无账单"),
    meaning=words.said("Items name a bill that billing did not send", "明细所属账单未报送"),
    grain=words.BILL_MONTH,
    subject=("bill_no", "month"),
    match_keys="province, bill_no",
    left=words.said("Sum of items, fen", "明细合计(分)"),
    right=words.said("Bill", "账单"),
    found="""
        select items.province, items.bill_no, items.month, items.account_no, items.amount_fen::varchar as left_value,
            null as right_value, abs(items.amount_fen)::bigint as money_fen, items.items
        from bill_sum items join kept using (province, month)
        anti join core.bill bill on bill.province = items.province and bill.bill_no = items.bill_no
    """,
    base=Base("bill_sum join kept using (province, month)"),
    needs=("bill", "bill_item"),
    undetermined="is_withheld('bill', province, bill_no)",
    severity=Severity.CRITICAL,
    stops_above=Decimal("0.10"),
    owner_role=words.BILLING_ASSURANCE,
    cause=words.BY_BILL,
    customer="account_no",
    refs=(Ref("account", "billing", "account_no"),),
    details=("items", "account_no"),
    missing=Ref("bill", "billing", "bill_no"),
    source=SOURCE,
)

ITEM_FOR_UNKNOWN_PRODUCT = Rule(
    rule_id="item_for_unknown_product",
    family="revenue references",
    title=words.said("Revenue of an unknown product", "未知产品计费"),
    meaning=words.said("Billing charges a product that CRM does not have", "账务系统对客户资源系统中不存在的产品计费"),
    grain=words.PRODUCT_MONTH,
    subject=("product_id_crm", "month"),
    by_product="product_id_crm",
    match_keys="province, product_id_crm",
    left=words.said("Charged, fen (billing)", "计费金额(分, 账务)"),
    right=words.said("Product (CRM)", "产品(客户资源)"),
    found="""
        select charged.province, charged.product_id_crm, charged.month, sum(charged.amount_fen)::varchar as left_value,
            null as right_value, greatest(sum(charged.amount_fen), 0)::bigint as money_fen,
            sum(charged.items)::bigint as items, min(charged.bill_no) as bill_no, min(charged.account_no) as account_no
        from charge charged join kept using (province, month)
        anti join core.product product on product.province = charged.province
            and product.product_id_crm = charged.product_id_crm
        where charged.product_id_crm is not null
        group by charged.province, charged.product_id_crm, charged.month
    """,
    base=Base(words.CHARGES, "product_id_crm is not null"),
    needs=("bill_item", "product"),
    undetermined="is_withheld('product_instance', province, product_id_crm)",
    severity=Severity.CRITICAL,
    stops_above=Decimal("0.10"),
    owner_role=words.BILLING_ASSURANCE,
    cause=words.BY_PRODUCT,
    customer="account_no",
    refs=(Ref("bill", "billing", "bill_no"), Ref("account", "billing", "account_no")),
    details=("items", "bill_no", "account_no"),
    missing=Ref("product", "crm", "product_id_crm"),
    source=SOURCE,
)

PAYMENT_FOR_UNKNOWN_ACCOUNT = Rule(
    rule_id="payment_for_unknown_account",
    family="revenue references",
    title=words.said("Payment to an unknown account", "缴费账户未知"),
    meaning=words.said("Money came for an account that is not among the accounts", "缴费所属账户不在账户清单中"),
    grain=words.said("payment", "缴费流水"),
    subject=("payment_no",),
    match_keys="province, account_no",
    left=words.said("Account paid to", "缴费账户"),
    right=words.said("Known", "账户清单"),
    found="""
        select payment.province, payment.payment_no, payment.account_no, payment.account_no as left_value, null as right_value,
            abs(payment.amount_fen)::bigint as money_fen
        from core.payment payment
        anti join core.account account on account.province = payment.province and account.account_no = payment.account_no
    """,
    base=Base("core.payment"),
    needs=("payment", "account"),
    undetermined="is_withheld('account', province, account_no)",
    severity=Severity.CRITICAL,
    stops_above=Decimal("0.10"),
    owner_role=words.BILLING_ASSURANCE,
    cause=words.BY_ACCOUNT,
    customer="account_no",
    refs=(Ref("payment", "billing", "payment_no"),),
    source=SOURCE,
)
