"""Orphans: a row that names a customer, an account, a bill or a product that its owner does not know."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from reconcile.rule import Base, Ref, Rule, Severity
from reconcile.rules import vocabulary as words
from schemas.contract import Label

DAYS_UNTIL_KNOWN = 2
"""Systems are read one after the other: what one learned tonight, another may tell tomorrow."""
STOPS_ABOVE = Decimal("0.10")


@dataclass(frozen=True)
class Reference:
    """Rows of `child` (of `system`, keyed by `key`) name a `parent` of `parent_system` by `column`, which is its `parent_key`.

    `cause`: what an unknown parent is called in causes. `money`: an SQL expression over `child`. `where` keeps to some rows.
    `withheld_by`: the parent's feed, whose rows in quarantine may be the missing one. `unknown`: a shared table that already
    tells the rows whose parent is not known (`not is_known`). `by_product`: as a rule's.
    """

    rule_id: str
    title: Label
    meaning: Label
    grain: Label
    child: str
    system: str
    key: str
    column: str
    parent: str
    parent_system: str
    parent_key: str
    cause: str
    withheld_by: str
    owner_role: str
    money: str = "0"
    where: str = "true"
    customer: str | None = None
    severity: Severity = Severity.MAJOR
    unknown: str | None = None
    by_product: str | None = None


def orphans(reference: Reference) -> Rule:
    """The rule that finds rows of a daily feed whose reference leads nowhere."""
    r = reference
    named = f"{r.column} is not null and {r.where}"
    kept = f"system = '{r.system}' and {named}"
    orphaned = (
        f"from {r.unknown} child where not child.is_known and {named}"
        if r.unknown
        else f"""
            from core.{r.child} child
            anti join (select province, {r.parent_key} as key from core.{r.parent} where system = '{r.parent_system}') parent
                on parent.province = child.province and parent.key = child.{r.column}
            where {kept}"""
    )
    return Rule(
        rule_id=r.rule_id,
        family="references",
        title=r.title,
        meaning=r.meaning,
        grain=r.grain,
        subject=(r.key,),
        match_keys=f"province, {r.column}",
        left=words.said("Named", "引用的编号"),
        right=words.said("Known", "对方系统记录"),
        found=f"""
            select child.province, child.{r.key}, child.{r.column} as named, child.{r.column} as left_value,
                null as right_value, greatest(coalesce({r.money}, 0), 0)::bigint as money_fen,
                child.source_version as touched_at{f", child.{r.customer}" if r.customer not in (None, r.key) else ""}
            {orphaned}
        """,
        base=Base(f"core.{r.child}", kept),
        needs=(r.child, r.parent),
        severity=r.severity,
        owner_role=r.owner_role,
        cause=f"'{r.cause}:' || province || '|' || named",
        customer=r.customer,
        by_product=r.by_product,
        refs=(Ref(r.child, r.system, r.key),),
        undetermined=f"is_withheld('{r.withheld_by}', province, named)",
        stops_above=STOPS_ABOVE if r.severity is Severity.CRITICAL else None,
        grace_days=DAYS_UNTIL_KNOWN,
        source="DOMAIN §4: bill, order or revenue for an unknown customer, account or user, tolerance 0",
    )


PRODUCT_FOR_UNKNOWN_CUSTOMER = orphans(
    Reference(
        rule_id="product_for_unknown_customer",
        title=words.said("Product of an unknown customer", "产品归属未知客户"),
        meaning=words.said(
            "CRM has a product for a customer it does not have",
            "客户资源系统的产品归属于不存在的客户",
        ),
        grain=words.PRODUCT,
        child="product", system="crm", key="product_id_crm", column="customer_key",
        parent="customer", parent_system="crm", parent_key="customer_key",
        cause="customer", withheld_by="customer", owner_role=words.CUSTOMER_DATA, customer="product_id_crm",
        by_product="product_id_crm",
        money=f"case when child.product_status in {words.LIVE} then child.monthly_price_fen end",
        severity=Severity.CRITICAL,
    )
)  # fmt: skip
PRODUCT_FOR_UNKNOWN_ACCOUNT = orphans(
    Reference(
        rule_id="product_for_unknown_account",
        title=words.said("Product paid by an unknown account", "产品付费账户未知"),
        meaning=words.said(
            "CRM names an account that billing does not have",
            "客户资源系统所记付费账户在账务系统中不存在",
        ),
        grain=words.PRODUCT,
        child="product", system="crm", key="product_id_crm", column="account_no",
        parent="account", parent_system="billing", parent_key="account_no",
        cause="account", withheld_by="account", owner_role=words.BILLING_ASSURANCE, customer="product_id_crm",
        by_product="product_id_crm",
        money=f"case when child.product_status in {words.LIVE} then child.monthly_price_fen end",
        severity=Severity.CRITICAL,
    )
)  # fmt: skip
PRODUCT_FOR_UNKNOWN_CONTRACT = orphans(
    Reference(
        rule_id="product_for_unknown_contract",
        title=words.said("Product under an unknown contract", "产品所属协议未知"),
        meaning=words.said("CRM has a product under a contract it does not have", "客户资源系统的产品所属协议不存在"),
        grain=words.PRODUCT,
        child="product", system="crm", key="product_id_crm", column="contract_no",
        parent="agreement", parent_system="crm", parent_key="contract_no",
        cause="contract", withheld_by="contract", owner_role=words.CUSTOMER_DATA, customer="product_id_crm",
        by_product="product_id_crm",
        money=f"case when child.product_status in {words.LIVE} then child.monthly_price_fen end",
    )
)  # fmt: skip
ACCOUNT_FOR_UNKNOWN_CUSTOMER = orphans(
    Reference(
        rule_id="account_for_unknown_customer",
        title=words.said("Account of an unknown customer", "账户归属未知客户"),
        meaning=words.said(
            "Billing maps an account to a customer that CRM does not have",
            "账务系统账户所对应的客户在客户资源系统中不存在",
        ),
        grain=words.ACCOUNT,
        child="account", system="billing", key="account_no", column="customer_id_crm",
        parent="customer", parent_system="crm", parent_key="customer_key",
        cause="customer", withheld_by="customer", owner_role=words.CUSTOMER_DATA, customer="account_no",
        severity=Severity.CRITICAL,
    )
)  # fmt: skip
ORDER_FOR_UNKNOWN_CUSTOMER = orphans(
    Reference(
        rule_id="order_for_unknown_customer",
        title=words.said("Order of an unknown customer", "定单客户未知"),
        meaning=words.said(
            "An order names a CRM customer that CRM does not have",
            "定单所记客户在客户资源系统中不存在",
        ),
        grain=words.ORDER,
        child="product_order", system="orders", key="order_no", column="customer_id_crm",
        parent="customer", parent_system="crm", parent_key="customer_key",
        cause="customer", withheld_by="customer", owner_role=words.ORDER_MANAGEMENT, customer="product_id_crm",
        by_product="product_id_crm",
        severity=Severity.CRITICAL,
    )
)  # fmt: skip
ORDER_FOR_UNKNOWN_PRODUCT = orphans(
    Reference(
        rule_id="order_for_unknown_product",
        title=words.said("Order of an unknown product", "定单产品未知"),
        meaning=words.said(
            "An order that was not given up is for a product CRM does not have",
            "未撤销的定单对应的产品在客户资源系统中不存在",
        ),
        grain=words.ORDER,
        child="product_order", system="orders", key="order_no", column="product_id_crm",
        parent="product", parent_system="crm", parent_key="product_id_crm",
        cause="product", by_product="named", withheld_by="product_instance", owner_role=words.ORDER_MANAGEMENT,
        money="child.price_fen", where="order_state not in ('cancelled', 'failed')",
        severity=Severity.CRITICAL, unknown="odd_order",
    )
)  # fmt: skip
CONTRACT_FOR_UNKNOWN_CUSTOMER = orphans(
    Reference(
        rule_id="contract_for_unknown_customer",
        title=words.said("Contract of an unknown customer", "协议归属未知客户"),
        meaning=words.said(
            "CRM has a contract with a customer it does not have",
            "客户资源系统的协议归属于不存在的客户",
        ),
        grain=words.said("contract", "协议"),
        child="agreement", system="crm", key="contract_no", column="customer_key",
        parent="customer", parent_system="crm", parent_key="customer_key",
        cause="customer", withheld_by="customer", owner_role=words.CUSTOMER_DATA, customer="customer_key",
    )
)  # fmt: skip
CONTACT_FOR_UNKNOWN_CUSTOMER = orphans(
    Reference(
        rule_id="contact_for_unknown_customer",
        title=words.said("Contact of an unknown customer", "联系人归属未知客户"),
        meaning=words.said(
            "CRM has a contact of a customer it does not have",
            "客户资源系统的联系人归属于不存在的客户",
        ),
        grain=words.said("contact", "联系人"),
        child="contact", system="crm", key="contact_id", column="customer_key",
        parent="customer", parent_system="crm", parent_key="customer_key",
        cause="customer", withheld_by="customer", owner_role=words.CUSTOMER_DATA, customer="customer_key",
        severity=Severity.MINOR,
    )
)  # fmt: skip
RESOURCE_FOR_UNKNOWN_PRODUCT = orphans(
    Reference(
        rule_id="resource_for_unknown_product",
        title=words.said("Resource of an unknown product", "资源所属产品未知"),
        meaning=words.said(
            "A resource in use serves a product CRM does not have",
            "在用资源所属产品在客户资源系统中不存在",
        ),
        grain=words.said("resource", "资源"),
        child="resource", system="crm", key="resource_id", column="product_id_crm",
        parent="product", parent_system="crm", parent_key="product_id_crm",
        cause="product", by_product="named", withheld_by="product_instance", owner_role=words.RESOURCE_MANAGEMENT,
        where=f"resource_status in {words.RESOURCE_IN_USE}", unknown="odd_resource",
    )
)  # fmt: skip
JOB_FOR_UNKNOWN_ORDER = orphans(
    Reference(
        rule_id="job_for_unknown_order",
        title=words.said("Production job of an unknown order", "开通项目定单未知"),
        meaning=words.said(
            "A production job works on an order that orders does not have",
            "开通项目对应的定单在定单系统中不存在",
        ),
        grain=words.said("production job", "开通项目"),
        child="production_job", system="group", key="job_no", column="order_no",
        parent="product_order", parent_system="orders", parent_key="order_no",
        cause="order", withheld_by="product_order", owner_role=words.GROUP_PRODUCTION, customer="product_id_crm",
        unknown="ordered_job",
    )
)  # fmt: skip
JOB_FOR_UNKNOWN_CUSTOMER = orphans(
    Reference(
        rule_id="job_for_unknown_customer",
        title=words.said("Production job of an unknown group customer", "开通项目集团客户未知"),
        meaning=words.said("A production job names a group customer that is not there", "开通项目所记集团客户不存在"),
        grain=words.said("production job", "开通项目"),
        child="production_job", system="group", key="job_no", column="customer_key",
        parent="customer", parent_system="group", parent_key="customer_key",
        cause="group", withheld_by="group_customer", owner_role=words.GROUP_PRODUCTION, customer="product_id_crm",
    )
)  # fmt: skip
GROUP_FOR_UNKNOWN_CUSTOMER = orphans(
    Reference(
        rule_id="group_for_unknown_customer",
        title=words.said("Group customer mapped to an unknown customer", "集团客户对应客户未知"),
        meaning=words.said(
            "The group system names a CRM customer that CRM does not have",
            "集团系统所记客户编号在客户资源系统中不存在",
        ),
        grain=words.said("group customer", "集团客户"),
        child="customer", system="group", key="customer_key", column="customer_id_crm",
        parent="customer", parent_system="crm", parent_key="customer_key",
        cause="customer", withheld_by="customer", owner_role=words.CUSTOMER_DATA,
    )
)  # fmt: skip
CUSTOMER_OF_UNKNOWN_GROUP = orphans(
    Reference(
        rule_id="customer_of_unknown_group",
        title=words.said("Customer mapped to an unknown group", "客户对应集团未知"),
        meaning=words.said(
            "CRM names a group id that the group system does not have",
            "客户资源系统所记集团编号在集团系统中不存在",
        ),
        grain=words.CUSTOMER,
        child="customer", system="crm", key="customer_key", column="group_id_group",
        parent="customer", parent_system="group", parent_key="customer_key",
        cause="group", withheld_by="group_customer", owner_role=words.CUSTOMER_DATA, customer="customer_key",
    )
)  # fmt: skip
