"""Figures that were signed and are no longer true."""

from __future__ import annotations

from decimal import Decimal

from reconcile.rule import Base, Rule, Severity
from schemas.contract import Label

SIGNED_FIGURE_CHANGED = Rule(
    rule_id="signed_figure_changed",
    family="signed",
    title=Label(en="A signed figure changed", zh="已签核数字变动"),
    meaning=Label(
        en="A figure of a month that a person signed is no longer what the data says; signing the month again settles it",
        zh="某月已由责任人签核的数字与现有数据不符; 重新签核后了结",
    ),
    grain=Label(en="month and figure", zh="账期与数字"),
    subject=("month", "figure"),
    match_keys="province, month, figure",
    left=Label(en="Signed", zh="签核值"),
    right=Label(en="Now", zh="现值"),
    found="""
        select province, month, figure, signed_value::varchar as left_value, value_now::varchar as right_value,
            case when ends_with(figure, '_fen') then abs(value_now - signed_value) else 0 end::bigint as money_fen, signature_id
        from (
            select province, month, figure, coalesce(signed.value, 0) as signed_value, coalesce(figure.value, 0) as value_now,
                coalesce(signed.signature_id, max(signed.signature_id) over (partition by month)) as signature_id
            from signed full join (select * from figure where month in (select month from signed)) figure
                using (province, month, figure)
        ) compared where signed_value <> value_now
    """,
    # A province of which nothing is left is judged too, and one that nothing was signed of.
    base=Base("""(
        select province, month from signed union all
        select province, month from figure where month in (select month from signed)
    ) signed_months"""),
    needs=(),
    cause="'signed:' || province || '|' || month",
    details=("signature_id",),
    severity=Severity.CRITICAL,
    owner_role="revenue-assurance",
    # It accuses a signature, not the data: the night is published, and the break beside it.
    stops_above=Decimal(1),
    source="DOMAIN §4: a figure found wrong after sign-off is its own, worse, event",
)
