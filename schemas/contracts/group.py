"""集团客户生产管理系统, after docs/interfaces.md "SOAP"."""

from __future__ import annotations

from schemas.contract import Bounds, Contract, Label, Matches, Mode, RequiredWhen, Severity
from schemas.contracts.columns import code, day, moment, personal, text

OWNER = "group-data@operator"

GROUP_CUSTOMER = Contract(
    system="group",
    feed="group_customer",
    unit="04001",
    entity="customer",
    period="daily",
    mode=Mode.FULL,
    label=Label(en="Group customers", zh="集团客户"),
    owner=OWNER,
    columns=(
        text("customer_key", "Group", "集团编号", source="groupId", required=True),
        text("parent_key", "Parent group", "上级集团编号", source="parentGroupId"),
        text("customer_name", "Name", "集团名称", source="groupName"),
        text("uscc", "Unified social credit code", "统一社会信用代码"),
        text("org_code", "Organisation code", "组织机构代码", source="orgCode"),
        code("group_level", "group_level", "Level", "集团级别", source="groupLevel"),
        text("customer_id_crm", "Customer (CRM)", "CRM客户编号", source="crmCustomerId"),
        code("industry", "industry", "Industry", "行业"),
        personal("address", "Address", "地址"),
        text("manager_id", "Customer manager", "客户经理编号", source="managerId"),
        code("customer_status", "customer_status", "Status", "客户状态", source="status", required=True),
        moment("updated_at", "Updated", "更新时间", source="updatedAt", required=True),
    ),
    key=("customer_key",),
    version="updated_at",
    rules=(
        Matches(name="customer_key_shape", column="customer_key", pattern=r"[A-Z0-9]{4,12}"),
        Matches(name="uscc_shape", column="uscc", pattern=r"[0-9A-Z]{18}", severity=Severity.WARNING),
    ),
    bounds=Bounds(min_rows=1),
)

PRODUCTION_JOB = Contract(
    system="group",
    feed="production_job",
    unit="04002",
    entity="production_job",
    period="daily",
    mode=Mode.INCREMENTAL,
    label=Label(en="Production jobs", zh="开通项目"),
    owner=OWNER,
    columns=(
        text("job_no", "Job number", "项目编号", source="jobNo", required=True),
        text("customer_key", "Group", "集团编号", source="groupId"),
        text("order_no", "Order number", "定单编号", source="orderNo"),
        text("product_id_crm", "Product (CRM)", "产品实例编号", source="productId"),
        text("job_name", "Name", "项目名称", source="jobName"),
        text("team", "Team", "项目组"),
        personal("leader_name", "Leader", "负责人", source="leaderName"),
        code("job_state", "job_state", "State", "状态", source="state", required=True),
        code("abort_reason", "abort_reason", "Abort reason", "流产原因", source="abortReason"),
        day("planned_on", "Planned", "计划完成日", source="plannedOn"),
        day("finished_on", "Finished", "实际完成日", source="finishedOn"),
        moment("updated_at", "Updated", "更新时间", source="updatedAt", required=True),
    ),
    key=("job_no",),
    version="updated_at",
    rules=(
        RequiredWhen(
            name="abort_names_its_reason", column="abort_reason", when="job_state", values=("failed",), severity=Severity.WARNING
        ),
    ),
)

CONTRACTS = (GROUP_CUSTOMER, PRODUCTION_JOB)
