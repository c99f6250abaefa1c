"""What exists in the world: each system's records, and a table that knows their state on every night."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Generic, TypeVar

from simulator.firms import Firm

NEVER = 10**6


@dataclass(slots=True)
class Record:
    """A record of one system. `born` and `gone` are numbers of nights; `gone` is a physical removal, unannounced."""

    key: str
    updated: datetime
    born: int = field(default=0, kw_only=True)
    gone: int = field(default=NEVER, kw_only=True)
    deleted: bool = field(default=False, kw_only=True)


@dataclass(slots=True)
class Customer:
    """A firm as served in one province, with its key in every system that knows it (empty: not in that system)."""

    firm: Firm
    province: str
    pattern: str
    opened: date
    manager_id: str
    manager_name: str
    crm: str = ""
    billing: str = ""
    orders: str = ""
    group: str = ""
    since: int = 0


@dataclass(slots=True)
class Party:
    """Who a customer is in one system's words; ids may be blank or wrong."""

    name: str
    uscc: str
    org_code: str
    crm_customer_id: str


@dataclass(slots=True)
class CrmCustomer(Record):
    customer: Customer
    name: str
    short_name: str
    uscc: str
    org_code: str
    licence_no: str
    category: str
    list_status: str
    address: str
    phone: str
    manager_id: str
    manager_name: str
    group_id: str
    status: str


@dataclass(slots=True)
class Contact(Record):
    customer_key: str
    name: str
    role: str
    phone: str
    email: str


@dataclass(slots=True)
class Contract(Record):
    customer_key: str
    title: str
    status: str
    signed_on: date
    starts_on: date
    ends_on: date
    amount_fen: int


@dataclass(slots=True)
class Product(Record):
    """A subscription. `account_key` is empty until billing has an account for it."""

    customer: Customer
    contract_key: str
    account_key: str
    offering: str
    service_kind: str
    service_no: str
    status: str
    started_on: date | None
    ended_on: date | None
    price_fen: int


@dataclass(slots=True)
class Resource(Record):
    product_key: str
    kind: str
    name: str
    bandwidth_mbps: int | None
    a_end: str
    z_end: str
    status: str


@dataclass(slots=True)
class Account(Record):
    customer: Customer
    party: Party
    crm_customer_id: str
    status: str
    opened_on: date
    closed_on: date | None
    arrears_fen: int
    address: str
    phone: str


@dataclass(slots=True)
class Order(Record):
    """A product order. `steps_done` are the times its finished work orders ended; None spreads them up to completion."""

    customer: Customer
    party: Party
    product_key: str
    offering: str
    service_kind: str
    action: str
    state: str
    channel: str
    ordered_at: datetime
    completed_at: datetime | None
    price_fen: int
    steps_done: tuple[datetime, ...] | None


@dataclass(slots=True)
class GroupCustomer(Record):
    customer: Customer
    parent_key: str
    name: str
    uscc: str
    org_code: str
    crm_customer_id: str
    address: str
    manager_id: str
    status: str


@dataclass(slots=True)
class Job(Record):
    customer: Customer
    order_key: str
    product_key: str
    name: str
    team: str
    leader: str
    state: str
    abort_reason: str
    planned_on: date
    finished_on: date | None


R = TypeVar("R", bound=Record)


class Table(Generic[R]):
    """Records of one kind in one province. The first form is kept; changes lie beside it by night."""

    def __init__(self, key_format: str) -> None:
        self._key_format = key_format
        self._numbered = 0
        self.rows: dict[str, R] = {}
        self._changes: dict[str, list[tuple[int, dict[str, object]]]] = {}
        self._gone: dict[str, int] = {}

    def new_key(self) -> str:
        """The next key of this table."""
        self._numbered += 1
        return self._key_format % self._numbered

    def add(self, record: R) -> R:
        """Puts a record in."""
        self.rows[record.key] = record
        return record

    def change(self, key: str, night: int, updated: datetime, **attributes: object) -> None:
        """Notes what a record becomes on a night; nights come in order."""
        self._changes.setdefault(key, []).append((night, {"updated": updated, **attributes}))

    def get(self, key: str, night: int) -> R:
        """A record as at the end of a night."""
        record = self.rows[key]
        changes = self._changes.get(key)
        if not changes:
            return record
        merged: dict[str, object] = {}
        for when, attributes in changes:
            if when <= night:
                merged.update(attributes)
        return replace(record, **merged) if merged else record  # type: ignore[arg-type]

    def at(self, night: int) -> Iterator[R]:
        """Every record that exists at the end of a night, as it then is, in the order of creation."""
        for key in self.rows:
            record = self.get(key, night)
            if record.born <= night < record.gone:
                yield record
