"""Each crm, group and orders record as its system sends it (`docs/interfaces.md`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any

from simulator.book import Book
from simulator.entities import Contact, Contract, CrmCustomer, GroupCustomer, Job, Order, Product, Resource, Table
from simulator.fulfilment import work_orders
from simulator.nights import share

Row = dict[str, object]

KEYS = {
    "crm.customer": "customer_id", "crm.contact": "contact_id", "crm.contract": "contract_no",
    "crm.product_instance": "product_id", "crm.resource": "resource_id", "group.group_customer": "groupId",
    "group.production_job": "jobNo", "orders.product_order": "order_no", "orders.work_order": "work_order_no",
}  # fmt: skip
ORDER_COLUMNS = (
    "order_no", "customer_no", "customer_name", "uscc", "crm_customer_id", "product_id", "offering_code", "service_kind",
    "action", "state", "channel", "ordered_at", "completed_at", "price_fen", "updated_at",
)  # fmt: skip
WORK_ORDER_COLUMNS = (
    "work_order_no", "order_no", "step_no", "step_name", "department", "owner_name", "state", "due_rule_at",
    "due_promised_at", "due_contract_at", "governing_deadline", "started_at", "finished_at", "updated_at",
)  # fmt: skip


def version_column(feed: str) -> str:
    """Name of the column that says when a row was last touched."""
    return "updatedAt" if feed.startswith("group.") else "updated_at"


def rfc3339(moment: datetime) -> str:
    """crm's way to write a time."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}+08:00"


def yuan(fen: int, comma: bool) -> str:
    """crm's way to write money: yuan with two decimals, sometimes with thousands commas."""
    sign, fen = ("-" if fen < 0 else ""), abs(fen)
    return f"{sign}{fen // 100:{',' if comma else ''}}.{fen % 100:02d}"


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _without_missing(row: Row, key: str) -> Row:
    """Shows missing values in one of crm's four ways; which one stays the same for a row."""
    missing = [name for name, value in row.items() if value is None or value == ""]
    for name in missing:
        way = int(share("missing", key, name) * 4)
        if way == 0:
            del row[name]
        else:
            row[name] = (None, "", "N/A")[way - 1]
    return row


def _closing(record: Any) -> Row:
    return {"deleted": record.deleted, "updated_at": rfc3339(record.updated)}


def crm_customer(_book: Book, r: CrmCustomer) -> Row:
    return _without_missing(
        {
            "customer_id": r.key, "name": r.name, "short_name": r.short_name, "uscc": r.uscc, "org_code": r.org_code,
            "licence_no": r.licence_no, "category": r.category, "list_status": r.list_status,
            "industry": r.customer.firm.industry, "address": r.address, "phone": r.phone, "manager_id": r.manager_id,
            "manager_name": r.manager_name, "group_id": r.group_id, "status": r.status,
            "created_on": _day(r.customer.opened), **_closing(r),
        },
        r.key,
    )  # fmt: skip


def crm_contact(_book: Book, r: Contact) -> Row:
    row: Row = {
        "contact_id": r.key, "customer_id": r.customer_key, "name": r.name, "role": r.role, "phone": r.phone, "email": r.email,
    }  # fmt: skip
    return _without_missing({**row, **_closing(r)}, r.key)


def crm_contract(_book: Book, r: Contract) -> Row:
    row: Row = {
        "contract_no": r.key, "customer_id": r.customer_key, "title": r.title, "status": r.status,
        "signed_on": _day(r.signed_on), "starts_on": _day(r.starts_on), "ends_on": _day(r.ends_on),
        "amount": yuan(r.amount_fen, share("comma", r.key) < 0.3),
    }  # fmt: skip
    return _without_missing({**row, **_closing(r)}, r.key)


def crm_product(book: Book, r: Product) -> Row:
    row: Row = {
        "product_id": r.key, "customer_id": r.customer.crm, "contract_no": r.contract_key, "account_no": r.account_key,
        "offering_code": r.offering, "service_kind": r.service_kind, "service_no": r.service_no, "status": r.status,
        "started_on": _day(book.pinned.shown_start.get(r.key, r.started_on)), "ended_on": _day(r.ended_on),
        "monthly_price": yuan(r.price_fen, share("comma", r.key) < 0.3),
    }  # fmt: skip
    return _without_missing({**row, **_closing(r)}, r.key)


def crm_resource(_book: Book, r: Resource) -> Row:
    row: Row = {
        "resource_id": r.key, "product_id": r.product_key, "kind": r.kind, "name": r.name,
        "bandwidth_mbps": r.bandwidth_mbps, "a_end": r.a_end, "z_end": r.z_end, "status": r.status,
    }  # fmt: skip
    return _without_missing({**row, **_closing(r)}, r.key)


def group_customer(_book: Book, r: GroupCustomer) -> Row:
    firm = r.customer.firm
    return {
        "groupId": r.key, "parentGroupId": r.parent_key, "groupName": r.name, "uscc": r.uscc, "orgCode": r.org_code,
        "groupLevel": firm.level, "crmCustomerId": r.crm_customer_id, "industry": firm.industry, "address": r.address,
        "managerId": r.manager_id, "status": r.status, "updatedAt": f"{r.updated:%Y-%m-%d %H:%M:%S}",
    }  # fmt: skip


def production_job(_book: Book, r: Job) -> Row:
    return {
        "jobNo": r.key, "groupId": r.customer.group, "orderNo": r.order_key, "productId": r.product_key, "jobName": r.name,
        "team": r.team, "leaderName": r.leader, "state": r.state, "abortReason": r.abort_reason,
        "plannedOn": r.planned_on.isoformat(), "finishedOn": _day(r.finished_on) or "",
        "updatedAt": f"{r.updated:%Y-%m-%d %H:%M:%S}",
    }  # fmt: skip


def product_order(_book: Book, r: Order) -> Row:
    party = r.party
    return {
        "order_no": r.key, "customer_no": r.customer.orders, "customer_name": party.name, "uscc": party.uscc or None,
        "crm_customer_id": party.crm_customer_id or None, "product_id": r.product_key, "offering_code": r.offering,
        "service_kind": r.service_kind, "action": r.action, "state": r.state, "channel": r.channel,
        "ordered_at": r.ordered_at, "completed_at": r.completed_at, "price_fen": r.price_fen, "updated_at": r.updated,
    }  # fmt: skip


_RENDER: dict[str, Callable[[Book, Any], Row]] = {
    "crm.customer": crm_customer,
    "crm.contact": crm_contact,
    "crm.contract": crm_contract,
    "crm.product_instance": crm_product,
    "crm.resource": crm_resource,
    "group.group_customer": group_customer,
    "group.production_job": production_job,
    "orders.product_order": product_order,
}
_TABLES = {
    "crm.customer": "crm", "crm.contact": "contacts", "crm.contract": "contracts", "crm.product_instance": "products",
    "crm.resource": "resources", "group.group_customer": "group", "group.production_job": "jobs",
    "orders.product_order": "orders", "orders.work_order": "orders",
}  # fmt: skip
ROW_FEEDS = tuple(_TABLES)


def render(book: Book, feed: str, record: Any) -> Iterator[Row]:
    """The rows one record makes in a feed: one, but an order makes a work order a step."""
    if feed == "orders.work_order":
        for values in work_orders(record, book.seed):
            yield dict(zip(WORK_ORDER_COLUMNS, values, strict=True))
    else:
        yield _RENDER[feed](book, record)


def table_of(book: Book, feed: str) -> Table[Any]:
    """The table behind a feed. Raises KeyError for a feed that is not a row feed."""
    table: Table[Any] = getattr(book, _TABLES[feed])
    return table


def clean_rows(book: Book, feed: str, night: int) -> Iterator[Row]:
    """Rows of a feed without broken rows and repeats, in the order of creation."""
    for record in table_of(book, feed).at(night):
        yield from render(book, feed, record)
