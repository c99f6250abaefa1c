"""Figures that leave their peers or their own yesterday: signals for a person, no proof of a fault."""

from __future__ import annotations

from reconcile.rule import Base, Ref, Rule, Severity
from reconcile.rules import vocabulary as words

FEWEST_PEERS = 30
SWING_PERCENT = 3
FEWEST_ROWS_MOVED = 20

# Exact: n·x − Σx is compared with its standard deviation by squares, so nothing is ever divided or rounded.
CHARGE_UNLIKE_PEERS = Rule(
    rule_id="charge_unlike_peers",
    family="peers",
    title=words.said("Charge unlike its peers", "费用偏离同类"),
    meaning=words.said(
        f"A product's charge of a month lies beyond four standard deviations of the mean of its offering "
        f"(at least {FEWEST_PEERS} peers)",
        f"产品当月费用偏离同类产品均值四倍标准差以上(同类不少于{FEWEST_PEERS}个)",
    ),
    grain=words.PRODUCT_MONTH,
    subject=("product_id_crm", "month"),
    match_keys="province, offering, month",
    left=words.said("Charged, fen", "计费金额(分)"),
    right=words.said("Mean of the offering, fen", "同类均值(分)"),
    found=f"""
        with member as (
            select charged.province, charged.product_id_crm, charged.month, charged.amount_fen as fen, charged.bill_no,
                product.offering
            from product_charge charged join kept using (province, month)
            join core.product product on product.province = charged.province
                and product.product_id_crm = charged.product_id_crm
        ), offering as (
            select province, offering, month, count(*)::hugeint as n, sum(fen::hugeint) as s, sum(fen::hugeint * fen) as q
            from member group by province, offering, month having count(*) >= {FEWEST_PEERS}
        )
        select member.province, member.product_id_crm, member.month, member.fen::varchar as left_value,
            (s // n)::varchar as right_value, abs(member.fen - s // n)::bigint as money_fen, member.offering,
            n::bigint as peers, member.bill_no
        from member join offering using (province, offering, month)
        where (n * member.fen - s) * (n * member.fen - s) > 16 * (n * q - s * s)
    """,
    base=Base(words.CHARGES, "product_id_crm is not null"),
    needs=("bill_item", "product"),
    details=("offering", "peers"),
    severity=Severity.MINOR,
    owner_role=words.BILLING_ASSURANCE,
    cause=words.BY_PRODUCT,
    customer="product_id_crm",
    refs=(Ref("product", "crm", "product_id_crm"), Ref("bill", "billing", "bill_no")),
    deadline_days=2,
    source="DOMAIN §4: peers, mean ± 4σ",
)

DAY_SWING = Rule(
    rule_id="day_swing",
    family="peers",
    title=words.said("Day swing", "日间波动"),
    meaning=words.said(
        f"A feed that sends its whole picture every night has {SWING_PERCENT} % more or fewer rows than the night before, "
        f"and at least {FEWEST_ROWS_MOVED} rows",
        f"每日全量接口行数较前一日波动超过{SWING_PERCENT}%(且不少于{FEWEST_ROWS_MOVED}行)",
    ),
    grain=words.said("feed, night", "接口, 日期"),
    subject=("feed", "period"),
    match_keys="system, feed, province, period",
    left=words.said("Rows the night before", "前一日行数"),
    right=words.said("Rows tonight", "当日行数"),
    found=f"""
        select province, feed, period, previous::varchar as left_value, accepted::varchar as right_value,
            abs(coalesce(accepted_fen - previous_fen, 0))::bigint as money_fen
        from nightly_picture
        where abs(accepted - previous) * 100 > {SWING_PERCENT} * previous and abs(accepted - previous) >= {FEWEST_ROWS_MOVED}
    """,
    base=Base("nightly_picture", "previous is not null"),
    needs=(),
    severity=Severity.MINOR,
    owner_role=words.DATA_ENGINEERING,
    cause="'feed:' || province || '|' || feed",
    deadline_days=2,
    source="DOMAIN §4: day swing, 3 %",
)

CONTROL_TOTALS_DIFFER = Rule(
    rule_id="control_totals_differ",
    family="peers",
    title=words.said("Control totals differ", "控制总数不符"),
    meaning=words.said(
        "The sender's own count or sum of a unit differs from what was received of it",
        "发送方控制总数(行数或金额)与实收不一致",
    ),
    grain=words.said("feed, period", "接口, 账期"),
    subject=("feed", "period"),
    match_keys="system, feed, province, period",
    left=words.said("Sender: rows, fen", "发送方: 行数, 金额(分)"),
    right=words.said("Received: rows, fen", "实收: 行数, 金额(分)"),
    found="""
        select province, feed, period, concat_ws(', ', control_rows, control_fen) as left_value,
            concat_ws(', ', received, received_fen) as right_value,
            abs(coalesce(control_fen - received_fen, 0))::bigint as money_fen, batch_id
        from controlled
        where control_rows <> received or unreadable = 0 and control_fen <> received_fen
    """,
    base=Base("controlled"),
    needs=(),
    details=("batch_id",),
    severity=Severity.MAJOR,
    owner_role=words.DATA_ENGINEERING,
    cause="'feed:' || province || '|' || feed",
    source="DOMAIN §4: sender's control totals vs recomputed, tolerance 0",
)
