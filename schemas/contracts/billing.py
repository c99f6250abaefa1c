"""集中账务计费系统, after docs/interfaces.md "Files"."""

from __future__ import annotations

from schemas.contract import Between, Bounds, Contract, DateBetween, Equals, Label, Matches, Mode, Ordered, RequiredWhen, Severity
from schemas.contracts.columns import code, day, fen, integer, moment, personal, text

OWNER = "billing-data@operator"

ACCOUNT = Contract(
    system="billing",
    feed="account",
    unit="01001",
    entity="account",
    period="daily",
    mode=Mode.FULL,
    label=Label(en="Billing accounts", zh="账户"),
    owner=OWNER,
    columns=(
        text("account_no", "Account number", "账户编号", width=12, required=True),
        text("customer_no_billing", "Customer number (billing)", "计费客户编号", source="customer_no", width=12),
        text("customer_name", "Customer name", "客户名称", width=80),
        text("uscc", "Unified social credit code", "统一社会信用代码", width=18),
        text("org_code", "Organisation code", "组织机构代码", width=10),
        text("customer_id_crm", "Customer (CRM)", "CRM客户编号", source="crm_customer_id", width=12),
        code("account_status", "account_status", "Status", "账户状态", source="status", width=1, required=True),
        day("opened_on", "Opened", "开户日期", width=8, required=True),
        day("closed_on", "Closed", "销户日期", width=8, open_ended=True),
        fen("arrears_fen", "Arrears", "欠费金额", width=15, required=True),
        personal("address", "Address", "地址", width=120),
        personal("contact_phone", "Contact phone", "联系电话", width=20),
        moment("updated_at", "Updated", "更新时间", width=14, required=True),
    ),
    key=("account_no",),
    version="updated_at",
    money="arrears_fen",
    rules=(
        Matches(name="account_no_shape", column="account_no", pattern=r"[A-Z0-9]{4,12}"),
        Between(name="arrears_range", column="arrears_fen", low=-100_000_000_000, high=100_000_000_000),
        Ordered(name="opened_before_closed", lower="opened_on", upper="closed_on"),
        Matches(name="uscc_shape", column="uscc", pattern=r"[0-9A-Z]{18}", severity=Severity.WARNING),
    ),
    bounds=Bounds(min_rows=1),
    due_hour=9,
)

BILL = Contract(
    system="billing",
    feed="bill",
    unit="01002",
    entity="bill",
    period="monthly",
    mode=Mode.FULL,
    label=Label(en="Bills", zh="账单"),
    owner=OWNER,
    columns=(
        text("bill_no", "Bill number", "账单编号", required=True),
        text("account_no", "Account number", "账户编号", required=True),
        text("bill_month", "Bill month", "账期", required=True),
        integer("item_count", "Items", "明细条数", required=True),
        fen("total_fen", "Total", "账单金额", required=True),
        fen("tax_fen", "Tax", "税额"),
        day("issued_on", "Issued", "出账日期", required=True),
        day("due_on", "Due", "缴费截止日"),
        code("bill_status", "bill_status", "Status", "账单状态", source="status", required=True),
    ),
    key=("bill_no",),
    money="total_fen",
    rules=(
        Equals(name="bill_month_is_period", column="bill_month"),
        Between(name="item_count_range", column="item_count", low=0, high=1_000_000),
        Between(name="total_range", column="total_fen", low=-100_000_000_000, high=1_000_000_000_000),
        Ordered(name="issued_before_due", lower="issued_on", upper="due_on"),
    ),
    bounds=Bounds(min_rows=1),
    due_day=5,
)

BILL_ITEM = Contract(
    system="billing",
    feed="bill_item",
    unit="01003",
    entity="bill_item",
    period="monthly",
    mode=Mode.FULL,
    label=Label(en="Bill items", zh="账单明细"),
    owner=OWNER,
    columns=(
        text("item_no", "Item number", "明细编号", required=True),
        text("bill_no", "Bill number", "账单编号", required=True),
        text("account_no", "Account number", "账户编号", required=True),
        text("product_id_crm", "Product (CRM)", "产品实例编号", source="product_id"),
        code("charge_item", "charge_item", "Charge item", "费用项", source="item_code", required=True),
        text("item_name", "Item name", "费用名称"),
        personal("service_no", "Service number", "业务号码"),
        integer("quantity", "Quantity", "数量"),
        fen("price_fen", "Price", "单价"),
        fen("amount_fen", "Amount", "金额", required=True),
        fen("tax_fen", "Tax", "税额"),
        day("charged_from", "Charged from", "计费起始", required=True),
        day("charged_to", "Charged to", "计费截止", required=True),
    ),
    key=("item_no",),
    money="amount_fen",
    rules=(
        Matches(name="item_no_shape", column="item_no", pattern=r"[A-Z0-9]{6,24}"),
        Between(name="quantity_range", column="quantity", low=0, high=1_000_000_000),
        Between(name="amount_range", column="amount_fen", low=-10_000_000_000, high=10_000_000_000),
        DateBetween(name="charged_from_in_month", column="charged_from", low="period_start", high="period_end"),
        DateBetween(name="charged_to_in_month", column="charged_to", low="period_start", high="period_end"),
        Ordered(name="charged_in_order", lower="charged_from", upper="charged_to"),
    ),
    bounds=Bounds(min_rows=1, max_bad_share=0.15),
    due_day=5,
)

PAYMENT = Contract(
    system="billing",
    feed="payment",
    unit="01004",
    entity="payment",
    period="daily",
    mode=Mode.EVENT,
    label=Label(en="Payments", zh="缴费记录"),
    owner=OWNER,
    columns=(
        text("payment_no", "Payment number", "缴费流水号", width=16, required=True),
        text("account_no", "Account number", "账户编号", width=12, required=True),
        text("bill_no", "Bill number", "账单编号", width=16),
        fen("amount_fen", "Amount", "金额", width=15, required=True),
        code("payment_kind", "payment_kind", "Kind", "类型", source="kind", width=1, required=True),
        code("payment_channel", "payment_channel", "Channel", "渠道", source="channel", width=2),
        moment("paid_at", "Paid", "缴费时间", width=14, required=True),
        personal("payer_name", "Payer", "付款人", width=60),
    ),
    key=("payment_no",),
    money="amount_fen",
    rules=(
        Between(name="amount_range", column="amount_fen", low=-100_000_000_000, high=100_000_000_000),
        RequiredWhen(
            name="reversal_names_its_bill", column="bill_no", when="payment_kind", values=("reversal",), severity=Severity.WARNING
        ),
    ),
    due_hour=9,
)

CONTRACTS = (ACCOUNT, BILL, BILL_ITEM, PAYMENT)
