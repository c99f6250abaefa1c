"""综合定单工单管理系统, after docs/interfaces.md "Database"."""

from __future__ import annotations

from schemas.contract import Between, Contract, Label, Mode, Ordered, RequiredWhen, Severity
from schemas.contracts.columns import code, fen, integer, moment, personal, text

OWNER = "orders-data@operator"

PRODUCT_ORDER = Contract(
    system="orders",
    feed="product_order",
    unit="02001",
    entity="product_order",
    period="daily",
    mode=Mode.INCREMENTAL,
    label=Label(en="Product orders", zh="定单"),
    owner=OWNER,
    columns=(
        text("order_no", "Order number", "定单编号", required=True),
        text("customer_no_orders", "Customer number (orders)", "定单客户编号", source="customer_no"),
        text("customer_name", "Customer name", "客户名称"),
        text("uscc", "Unified social credit code", "统一社会信用代码"),
        text("customer_id_crm", "Customer (CRM)", "CRM客户编号", source="crm_customer_id"),
        text("product_id_crm", "Product (CRM)", "产品实例编号", source="product_id"),
        code("offering", "offering", "Offering", "产品", source="offering_code", required=True),
        code("service_kind", "service_kind", "Service kind", "业务类型"),
        code("order_action", "order_action", "Action", "动作", source="action", required=True),
        code("order_state", "order_state", "State", "定单状态", source="state", required=True),
        code("order_channel", "order_channel", "Channel", "受理渠道", source="channel"),
        moment("ordered_at", "Ordered", "受理时间", required=True),
        moment("completed_at", "Completed", "竣工时间"),
        fen("price_fen", "Agreed monthly price", "协议月价"),
        moment("updated_at", "Updated", "更新时间", required=True),
    ),
    key=("order_no",),
    version="updated_at",
    money="price_fen",
    rules=(
        Between(name="price_range", column="price_fen", low=0, high=100_000_000_000),
        Ordered(name="ordered_before_completed", lower="ordered_at", upper="completed_at"),
        RequiredWhen(
            name="completed_has_time", column="completed_at", when="order_state", values=("completed",), severity=Severity.WARNING
        ),
    ),
)

WORK_ORDER = Contract(
    system="orders",
    feed="work_order",
    unit="02002",
    entity="work_order",
    period="daily",
    mode=Mode.INCREMENTAL,
    label=Label(en="Work orders", zh="工单"),
    owner=OWNER,
    columns=(
        text("work_order_no", "Work order number", "工单编号", required=True),
        text("order_no", "Order number", "定单编号", required=True),
        integer("step_no", "Step", "环节序号", required=True),
        text("step_name", "Step name", "环节名称"),
        text("department", "Department", "部门"),
        personal("owner_name", "Owner", "处理人"),
        code("work_order_state", "work_order_state", "State", "工单状态", source="state", required=True),
        moment("due_rule_at", "Due by rule", "规定时限"),
        moment("due_promised_at", "Due as promised", "承诺时限"),
        moment("due_contract_at", "Due by contract", "协议时限"),
        code("governing_deadline", "deadline_kind", "Governing deadline", "适用时限"),
        moment("started_at", "Started", "开始时间"),
        moment("finished_at", "Finished", "完成时间"),
        moment("updated_at", "Updated", "更新时间", required=True),
    ),
    key=("work_order_no",),
    version="updated_at",
    rules=(
        Between(name="step_range", column="step_no", low=1, high=99),
        Ordered(name="started_before_finished", lower="started_at", upper="finished_at"),
    ),
)

CONTRACTS = (PRODUCT_ORDER, WORK_ORDER)
