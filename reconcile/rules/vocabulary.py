"""Words that several families share: grains, owner roles, and the causes by which breaks are grouped."""

from __future__ import annotations

from reconcile.rule import Base
from schemas.contract import Label


def said(en: str, zh: str) -> Label:
    return Label(en=en, zh=zh)


PRODUCT = said("product", "产品实例")
PRODUCT_MONTH = said("product, month", "产品实例, 账期")
ACCOUNT = said("account", "账户")
BILL_MONTH = said("bill, month", "账单, 账期")
ORDER = said("order", "定单")
CUSTOMER = said("customer", "客户")

BILLING_ASSURANCE = "billing-assurance"
ORDER_MANAGEMENT = "order-management"
CUSTOMER_DATA = "customer-data-steward"
RESOURCE_MANAGEMENT = "resource-management"
GROUP_PRODUCTION = "group-production"
DATA_ENGINEERING = "data-engineering"

BY_PRODUCT = "'product:' || province || '|' || product_id_crm"
BY_ACCOUNT = "'account:' || province || '|' || account_no"
BY_BILL = "'bill:' || province || '|' || bill_no"
BY_ORDER = "'order:' || province || '|' || order_no"
BY_CUSTOMER = "'customer:' || province || '|' || customer_key"

LIVE = "('active', 'suspended')"
RESOURCE_IN_USE = "('reserved', 'alarm')"
OPEN_ORDER = "('acknowledged', 'inProgress', 'held')"
OPEN_STEP = "('pending', 'inProgress')"

# What several rules count (`Base.rows`), of the months judged where it has one.
CHARGES = "charge join kept using (province, month)"
RENTS = "rent join kept using (province, month)"
BILLS = "core.bill join (select province, month as bill_month from kept) judged using (province, bill_month)"
LIVE_PRODUCTS = Base("core.product", f"product_status in {LIVE}")
