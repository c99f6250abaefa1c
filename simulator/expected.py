"""The clean rows a hub should hold after a night: missing values null, money in fen, codes canonical (`docs/interfaces.md`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from simulator import billing_units, charges
from simulator.layouts import ACCOUNT, BILL, BILL_ITEM, PAYMENT, BillingRow, Layout
from simulator.views import KEYS, ROW_FEEDS, Row, clean_rows
from simulator.world import World

CODES: dict[str, dict[str, str]] = {
    "account_status": {"1": "active", "2": "suspended", "3": "closed"},
    "bill_status": {"0": "new", "1": "partiallyPaid", "2": "settled"},
    "charge_item": {
        "1001": "recurring", "1002": "usage", "1003": "circuit", "1004": "one_off", "1005": "discount", "1006": "penalty",
    },
    "payment_kind": {"1": "payment", "2": "reversal"},
    "payment_channel": {"10": "store", "20": "web", "30": "manager", "40": "bank", "50": "agent"},
    "offering": {
        "IPL": "internet_leased_line", "MPLS": "mpls_vpn", "IDC": "idc", "SIP": "sip_trunk", "MGRP": "mobile_group_plan",
        "IOT": "iot", "SMS": "enterprise_sms", "CLOUD": "cloud",
    },
    "service_kind": {"F": "fixed", "M": "mobile", "C": "converged"},
    "order_action": {"A": "add", "M": "modify", "T": "delete"},
    "order_state": {
        "NEW": "acknowledged", "PROC": "inProgress", "HOLD": "held", "DONE": "completed", "CANC": "cancelled", "FAIL": "failed",
    },
    "order_channel": {"10010": "hotline", "YYT": "store", "CM": "manager", "DL": "agent", "WT": "web", "ES": "eservice"},
    "work_order_state": {"0": "pending", "1": "inProgress", "2": "completed", "3": "rejected", "4": "cancelled"},
    "deadline_kind": {"R": "rule", "P": "promised", "C": "contract"},
    "customer_category": {"1": "group", "2": "economic", "3": "strategic", "4": "important"},
    "list_status": {"1": "named", "2": "prospect"},
    "industry": {
        "GOV": "government", "FIN": "finance", "EDU": "education", "MED": "health", "MFG": "manufacturing", "TRD": "trade",
        "TRN": "transport", "ENE": "energy", "ICT": "ict", "OTH": "other",
    },
    "customer_status": {"1": "active", "2": "dormant", "9": "closed"},
    "contact_role": {"LEGAL": "legal_person", "BIZ": "business", "TECH": "technical", "FIN": "finance"},
    "contract_status": {"draft": "draft", "active": "active", "expired": "expired", "terminated": "terminated"},
    "product_status": {"00": "active", "10": "suspended", "20": "terminated", "30": "pendingActive"},
    "resource_kind": {"CIRCUIT": "circuit", "NUMBER": "number", "PORT": "port"},
    "resource_status": {"0": "available", "1": "reserved", "2": "alarm", "3": "suspended"},
    "group_level": {"1": "group", "2": "company", "3": "branch"},
    "job_state": {"00": "acknowledged", "10": "inProgress", "20": "completed", "90": "failed"},
    "abort_reason": {"01": "customer_cancelled", "02": "no_resource", "03": "construction_blocked", "99": "other"},
}  # fmt: skip
_CODE_COLUMNS: dict[str, dict[str, str]] = {
    "billing.account": {"status": "account_status"},
    "billing.bill": {"status": "bill_status"},
    "billing.bill_item": {"item_code": "charge_item"},
    "billing.payment": {"kind": "payment_kind", "channel": "payment_channel"},
    "orders.product_order": {
        "offering_code": "offering", "service_kind": "service_kind", "action": "order_action", "state": "order_state",
        "channel": "order_channel",
    },
    "orders.work_order": {"state": "work_order_state", "governing_deadline": "deadline_kind"},
    "crm.customer": {
        "category": "customer_category", "list_status": "list_status", "industry": "industry", "status": "customer_status",
    },
    "crm.contact": {"role": "contact_role"},
    "crm.contract": {"status": "contract_status"},
    "crm.product_instance": {"offering_code": "offering", "service_kind": "service_kind", "status": "product_status"},
    "crm.resource": {"kind": "resource_kind", "status": "resource_status"},
    "group.group_customer": {"groupLevel": "group_level", "industry": "industry", "status": "customer_status"},
    "group.production_job": {"state": "job_state", "abortReason": "abort_reason"},
}  # fmt: skip
_YUAN = {"amount": "amount_fen", "monthly_price": "monthly_price_fen"}
_COLUMNS: dict[str, tuple[str, ...]] = {
    "crm.customer": (
        "customer_id", "name", "short_name", "uscc", "org_code", "licence_no", "category", "list_status", "industry", "address",
        "phone", "manager_id", "manager_name", "group_id", "status", "created_on", "deleted", "updated_at",
    ),
    "crm.contact": ("contact_id", "customer_id", "name", "role", "phone", "email", "deleted", "updated_at"),
    "crm.contract": (
        "contract_no", "customer_id", "title", "status", "signed_on", "starts_on", "ends_on", "amount", "deleted", "updated_at",
    ),
    "crm.product_instance": (
        "product_id", "customer_id", "contract_no", "account_no", "offering_code", "service_kind", "service_no", "status",
        "started_on", "ended_on", "monthly_price", "deleted", "updated_at",
    ),
    "crm.resource": (
        "resource_id", "product_id", "kind", "name", "bandwidth_mbps", "a_end", "z_end", "status", "deleted", "updated_at",
    ),
}  # fmt: skip
_MONTHLY: dict[str, Layout] = {"billing.bill": BILL, "billing.bill_item": BILL_ITEM}
DAILY_FEEDS = (*ROW_FEEDS, "billing.account", "billing.payment")
MONTHLY_FEEDS = tuple(_MONTHLY)


def _canonical(feed: str, column: str, value: object) -> object:
    if value is None or value in ("", "N/A"):
        return None
    table = _CODE_COLUMNS[feed].get(column)
    if table:
        return CODES[table][str(value)]
    if isinstance(value, date):
        return value.isoformat()
    if column in _YUAN:
        return int(Decimal(str(value).replace(",", "")) * 100)
    if column in ("updated_at", "updatedAt"):
        return str(value).replace(" ", "T")[:19]
    return value


def canonical_row(feed: str, province: str, row: Row) -> Row:
    """A source row as the hub should hold it, under its source column names; yuan columns become `…_fen`."""
    columns = _COLUMNS.get(feed, tuple(row))
    shown = {_YUAN.get(c, c): _canonical(feed, c, row.get(c)) for c in columns}
    return {"province": province, **shown}


def _billing_rows(world: World, feed: str, province: str, period: str) -> Iterator[BillingRow]:
    if feed in _MONTHLY:
        for bill in billing_units.month_bills(world, province, period):
            yield from [bill.row] if feed == "billing.bill" else bill.items
        return
    index = world.reach(period)
    book = world.books[province]
    if feed == "billing.account":
        for account in book.accounts.at(index):
            yield charges.account_row(account)
    else:
        totals = billing_units.bill_totals(world, province, charges.billed_month(period))
        yield from charges.payments(book, period, totals)


def rows(world: World, feed: str, province: str, period: str) -> Iterator[Row]:
    """The clean rows of a feed: current state at the end of a night; of payments, those of the night; of bills, the month's."""
    if feed in ROW_FEEDS:
        for row in clean_rows(world.books[province], feed, world.reach(period)):
            yield canonical_row(feed, province, row)
        return
    layout = {"billing.account": ACCOUNT, "billing.payment": PAYMENT, **_MONTHLY}[feed]
    for values in _billing_rows(world, feed, province, period):
        yield canonical_row(feed, province, dict(zip(layout.columns, values, strict=True)))


def key_column(feed: str) -> str:
    """Source name of a feed's key."""
    layouts = {layout.feed: layout for layout in (ACCOUNT, PAYMENT, BILL, BILL_ITEM)}
    return KEYS[feed] if feed in KEYS else layouts[feed].columns[0]


def write(world: World, feed: str, period: str, path: Path) -> None:
    """Writes the expected rows of both provinces, sorted by (province, key)."""
    found: list[Row] = []
    for province in world.provinces:
        found += sorted(rows(world, feed, province, period), key=lambda row: str(row[key_column(feed)]))
    write_parquet(found, path)


def write_parquet(rows_: Iterable[Row], path: Path, columns: Iterable[str] = ()) -> None:
    """Writes rows as Parquet; an empty table has the named columns, as text."""
    table = pa.Table.from_pylist(list(rows_))
    if not table.num_columns:
        table = pa.table({name: pa.array([], pa.string()) for name in columns})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
