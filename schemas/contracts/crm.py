"""客户资源管理系统, after docs/interfaces.md "REST"."""

from __future__ import annotations

from schemas.contract import Between, Bounds, Contract, Label, Matches, Mode, Ordered, Severity
from schemas.contracts.columns import code, day, flag, integer, moment, personal, text, yuan

OWNER = "crm-data@operator"
DELETED = flag("is_removed", "Removed", "已删除", source="deleted")
UPDATED = moment("updated_at", "Updated", "更新时间", required=True)

CUSTOMER = Contract(
    system="crm",
    feed="customer",
    unit="03001",
    entity="customer",
    period="daily",
    mode=Mode.INCREMENTAL,
    label=Label(en="Customers", zh="客户"),
    owner=OWNER,
    columns=(
        text("customer_key", "Customer", "客户编号", source="customer_id", required=True),
        text("customer_name", "Name", "客户名称", source="name"),
        text("short_name", "Short name", "简称"),
        text("uscc", "Unified social credit code", "统一社会信用代码"),
        text("org_code", "Organisation code", "组织机构代码"),
        text("licence_no", "Licence number", "营业执照号"),
        code("customer_category", "customer_category", "Category", "客户类别", source="category"),
        code("list_status", "list_status", "List status", "名单制标识"),
        code("industry", "industry", "Industry", "行业"),
        personal("address", "Address", "地址"),
        personal("phone", "Phone", "电话"),
        text("manager_id", "Customer manager", "客户经理编号"),
        personal("manager_name", "Manager's name", "客户经理姓名"),
        text("group_id_group", "Group (group system)", "集团编号", source="group_id"),
        code("customer_status", "customer_status", "Status", "客户状态", source="status", required=True),
        day("created_on", "Created", "建档日期"),
        DELETED,
        UPDATED,
    ),
    key=("customer_key",),
    version="updated_at",
    deleted_flag="is_removed",
    rules=(
        Matches(name="customer_key_shape", column="customer_key", pattern=r"[A-Z0-9]{4,12}"),
        Matches(name="uscc_shape", column="uscc", pattern=r"[0-9A-Z]{18}", severity=Severity.WARNING),
    ),
)

CONTACT = Contract(
    system="crm",
    feed="contact",
    unit="03002",
    entity="contact",
    period="daily",
    mode=Mode.INCREMENTAL,
    label=Label(en="Contacts", zh="联系人"),
    owner=OWNER,
    columns=(
        text("contact_id", "Contact", "联系人编号", required=True),
        text("customer_key", "Customer", "客户编号", source="customer_id", required=True),
        personal("contact_name", "Name", "姓名", source="name"),
        code("contact_role", "contact_role", "Role", "角色", source="role"),
        personal("phone", "Phone", "电话"),
        personal("email", "E-mail", "电子邮箱"),
        DELETED,
        UPDATED,
    ),
    key=("contact_id",),
    version="updated_at",
    deleted_flag="is_removed",
)

CONTRACT = Contract(
    system="crm",
    feed="contract",
    unit="03003",
    entity="agreement",
    period="daily",
    mode=Mode.INCREMENTAL,
    label=Label(en="Contracts", zh="协议"),
    owner=OWNER,
    columns=(
        text("contract_no", "Contract number", "协议编号", required=True),
        text("customer_key", "Customer", "客户编号", source="customer_id", required=True),
        text("contract_title", "Title", "协议名称", source="title"),
        code("contract_status", "contract_status", "Status", "协议状态", source="status", required=True),
        day("signed_on", "Signed", "签订日期"),
        day("starts_on", "Starts", "生效日期"),
        day("ends_on", "Ends", "到期日期", open_ended=True),
        yuan("amount_fen", "Amount", "协议金额", source="amount"),
        DELETED,
        UPDATED,
    ),
    key=("contract_no",),
    version="updated_at",
    deleted_flag="is_removed",
    money="amount_fen",
    rules=(
        Ordered(name="starts_before_ends", lower="starts_on", upper="ends_on"),
        Between(name="amount_range", column="amount_fen", low=0, high=1_000_000_000_000),
    ),
)

PRODUCT_INSTANCE = Contract(
    system="crm",
    feed="product_instance",
    unit="03004",
    entity="product",
    period="daily",
    mode=Mode.INCREMENTAL,
    label=Label(en="Product instances", zh="产品实例"),
    owner=OWNER,
    columns=(
        text("product_id_crm", "Product", "产品实例编号", source="product_id", required=True),
        text("customer_key", "Customer", "客户编号", source="customer_id", required=True),
        text("contract_no", "Contract number", "协议编号"),
        text("account_no", "Billing account", "付费账户"),
        code("offering", "offering", "Offering", "产品", source="offering_code", required=True),
        code("service_kind", "service_kind", "Service kind", "业务类型"),
        personal("service_no", "Service number", "业务号码"),
        code("product_status", "product_status", "Status", "产品状态", source="status", required=True),
        day("started_on", "Started", "开通日期"),
        day("ended_on", "Ended", "终止日期", open_ended=True),
        yuan("monthly_price_fen", "Monthly price", "月价", source="monthly_price"),
        DELETED,
        UPDATED,
    ),
    key=("product_id_crm",),
    version="updated_at",
    deleted_flag="is_removed",
    money="monthly_price_fen",
    rules=(
        Ordered(name="started_before_ended", lower="started_on", upper="ended_on"),
        Between(name="price_range", column="monthly_price_fen", low=0, high=100_000_000_000),
    ),
)

RESOURCE = Contract(
    system="crm",
    feed="resource",
    unit="03005",
    entity="resource",
    period="daily",
    mode=Mode.FULL,
    label=Label(en="Resources", zh="资源"),
    owner=OWNER,
    columns=(
        text("resource_id", "Resource", "资源编号", required=True),
        text("product_id_crm", "Product", "产品实例编号", source="product_id"),
        code("resource_kind", "resource_kind", "Kind", "资源类型", source="kind", required=True),
        personal("resource_name", "Name", "资源名称", source="name"),
        integer("bandwidth_mbps", "Bandwidth (Mbit/s)", "带宽(Mbps)"),
        personal("a_end", "A end", "A端"),
        personal("z_end", "Z end", "Z端"),
        code("resource_status", "resource_status", "Status", "资源状态", source="status", required=True),
        DELETED,
        UPDATED,
    ),
    key=("resource_id",),
    version="updated_at",
    deleted_flag="is_removed",
    rules=(Between(name="bandwidth_range", column="bandwidth_mbps", low=0, high=10_000_000),),
    bounds=Bounds(min_rows=1),
)

CONTRACTS = (CUSTOMER, CONTACT, CONTRACT, PRODUCT_INSTANCE, RESOURCE)
