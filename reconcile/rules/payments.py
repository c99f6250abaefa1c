"""Payments against bills: what cannot be right whichever bill an unnamed payment was for.

What unnamed payments were for is no rule's to say: `bsshub reconcile payments` shows what amounts tell (`reconcile.settlement`).
"""

from __future__ import annotations

from decimal import Decimal

from reconcile.rule import Base, Ref, Rule, Severity
from reconcile.rules import vocabulary as words

BILL_OVERPAID = Rule(
    rule_id="bill_overpaid",
    family="payments",
    title=words.said("Bill paid more than once or too much", "账单重复或超额缴费"),
    meaning=words.said(
        "Payments that name the bill, less reversals, are more than it: the rest is the customer's money",
        "指明该账单的缴费扣除冲正后超过账单金额, 多出部分属客户",
    ),
    grain=words.BILL_MONTH,
    subject=("bill_no", "month"),
    match_keys="province, bill_no",
    left=words.said("Paid, fen", "缴费金额(分)"),
    right=words.said("Billed, fen", "账单金额(分)"),
    found="""
        select bill.province, bill.bill_no, bill.bill_month as month, bill.account_no, paid.fen::varchar as left_value,
            bill.total_fen::varchar as right_value, paid.fen - bill.total_fen as money_fen, paid.payment_nos
        from core.bill bill join kept on kept.province = bill.province and kept.month = bill.bill_month
        join (
            select province, bill_no, account_no, sum(amount_fen)::bigint as fen, list_sort(list(payment_no)) as payment_nos
            from core.payment where bill_no is not null group by province, bill_no, account_no
        ) paid on paid.province = bill.province and paid.bill_no = bill.bill_no and paid.account_no = bill.account_no
        where paid.fen > greatest(bill.total_fen, 0)
    """,
    base=Base(words.BILLS),
    needs=("bill", "payment"),
    severity=Severity.MAJOR,
    owner_role=words.BILLING_ASSURANCE,
    cause=words.BY_BILL,
    customer="account_no",
    refs=(Ref("bill", "billing", "bill_no"), Ref("payment", "billing", "payment_nos", many=True)),
    tolerance=Decimal("0.05"),
    warns_above=Decimal("0.02"),
    deadline_days=2,
    source="issue 4: payments against bills, overpayment; DOMAIN §4: matching",
)

PAYMENT_NAMES_ANOTHERS_BILL = Rule(
    rule_id="payment_names_anothers_bill",
    family="payments",
    title=words.said("Payment names another account's bill", "缴费指向他户账单"),
    meaning=words.said("A payment into one account names a bill of another", "缴费账户与所指账单的账户不同"),
    grain=words.said("payment", "缴费"),
    subject=("payment_no",),
    match_keys="province, bill_no",
    left=words.said("Account paid into", "缴费账户"),
    right=words.said("Account of the bill", "账单账户"),
    found="""
        select payment.province, payment.payment_no, payment.account_no, payment.account_no as left_value,
            bill.account_no as right_value, abs(payment.amount_fen)::bigint as money_fen, payment.bill_no
        from core.payment payment
        join core.bill bill on bill.province = payment.province and bill.bill_no = payment.bill_no
        where bill.account_no <> payment.account_no
    """,
    base=Base("core.payment", "bill_no is not null"),
    needs=("bill", "payment"),
    details=("bill_no",),
    severity=Severity.MAJOR,
    owner_role=words.BILLING_ASSURANCE,
    cause=words.BY_ACCOUNT,
    customer="account_no",
    refs=(Ref("payment", "billing", "payment_no"), Ref("bill", "billing", "bill_no")),
    source="issue 4: payments against bills; DOMAIN §4: account mapped differently, tolerance 0",
)

REVERSAL_WITHOUT_PAYMENT = Rule(
    rule_id="reversal_without_payment",
    family="payments",
    title=words.said("Reversal without its payment", "冲正无对应缴费"),
    meaning=words.said(
        "Reversals of an account and bill take back more than was paid; payments of the first 31 days known are not judged",
        "同一账户账单的冲正超过已缴金额; 已知缴费的前31天不稽核",
    ),
    grain=words.said("account, bill", "账户, 账单"),
    subject=("account_no", "bill_no"),
    match_keys="province, account_no, bill_no",
    left=words.said("Reversed, fen", "冲正金额(分)"),
    right=words.said("Paid, fen", "缴费金额(分)"),
    found="""
        select province, account_no, coalesce(bill_no, '') as bill_no, back_fen::varchar as left_value,
            paid_fen::varchar as right_value, back_fen - paid_fen as money_fen, payment_nos, last_back_at, first_known_at
        from (
            select province, account_no, bill_no, coalesce(-sum(amount_fen) filter (amount_fen < 0), 0)::bigint as back_fen,
                coalesce(sum(amount_fen) filter (amount_fen > 0), 0)::bigint as paid_fen,
                list_sort(list(payment_no) filter (amount_fen < 0)) as payment_nos,
                max(paid_at) filter (amount_fen < 0) as last_back_at,
                min(min(paid_at)) over (partition by province) as first_known_at
            from core.payment group by province, account_no, bill_no
        ) summed where back_fen > paid_fen
    """,
    base=Base("core.payment", "amount_fen < 0"),
    needs=("payment",),
    undetermined="last_back_at < first_known_at + interval 31 day",
    severity=Severity.MAJOR,
    owner_role=words.BILLING_ASSURANCE,
    cause=words.BY_ACCOUNT,
    customer="account_no",
    refs=(Ref("payment", "billing", "payment_nos", many=True),),
    deadline_days=2,
    source="issue 4: payments against bills, reversals",
)
