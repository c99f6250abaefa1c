"""One province's instance of every system: its tables, each numbering from 1, and what was injected into them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from simulator.dirt import DirtRates
from simulator.entities import (
    Account,
    Contact,
    Contract,
    CrmCustomer,
    Customer,
    GroupCustomer,
    Job,
    Order,
    Party,
    Product,
    Resource,
    Table,
)

# What the hub should do with a row: a stale one is an older version of a key that came with it.
ACCEPT, QUARANTINE, DUPLICATE, STALE = "accept", "quarantine", "duplicate", "stale"


@dataclass(frozen=True, slots=True)
class Injected:
    """One instance of dirt. `key` is the source key of the row that bears it; in `orders.product_order` of identity
    kinds it is the customer_no, for its rows share one party. `expected` is what the hub should do with the row.
    `since` is the number of the first night (0: from the beginning); `row_no` counts over the unit's files, from 1
    (0: not a file feed)."""

    kind: str
    system: str
    feed: str
    province: str
    key: str
    expected: str
    detail: str
    since: int = 0
    row_no: int = 0


@dataclass(frozen=True, slots=True)
class Inconsistency:
    """One contradiction between systems. `subject` is the key the rule is about, `other` the second key, if any."""

    rule: str
    province: str
    month: str
    subject: str
    other: str
    amount_fen: int
    detail: str


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """An extra row, broken, whose key nothing else refers to; sent from night `since` on."""

    kind: str
    key: str
    since: int
    detail: str
    row: dict[str, object]


ACCOUNT_KINDS = ("account_unknown", "account_closed", "account_shared", "account_duplicate")


@dataclass(slots=True)
class Pinned:
    """Source keys that carry an injected contradiction; no event of a later night may touch them.

    `price_off`, `rent_off`, `line_off` are fen added to a product's unit price, rent and first usage line; `shown_start` is the
    day CRM shows as its start; `stray_products` is account → a product nobody knows, charged on it.
    """

    billed_after_end: set[str] = field(default_factory=set)
    never_ordered: set[str] = field(default_factory=set)
    never_billed: set[str] = field(default_factory=set)
    mapped_elsewhere: dict[str, str] = field(default_factory=dict)
    planted: dict[str, dict[str, str]] = field(default_factory=dict)
    products: set[str] = field(default_factory=set)
    customers: set[str] = field(default_factory=set)
    price_off: dict[str, int] = field(default_factory=dict)
    rent_off: dict[str, int] = field(default_factory=dict)
    line_off: dict[str, int] = field(default_factory=dict)
    rent_repeated: set[str] = field(default_factory=set)
    over_discounted: set[str] = field(default_factory=set)
    unlike_peers: set[str] = field(default_factory=set)
    shown_start: dict[str, date] = field(default_factory=dict)
    stray_products: dict[str, str] = field(default_factory=dict)

    def product(self, key: str) -> bool:
        """True if the product carries a contradiction."""
        return key in self.products or key in self.billed_after_end or key in self.never_ordered or key in self.never_billed

    def account(self, key: str) -> bool:
        """True if the account carries a contradiction: no further product may be paid by it."""
        return key in self.mapped_elsewhere or any(key in self.planted.get(kind, {}) for kind in ACCOUNT_KINDS)

    def plant(self, kind: str, key: str, other: str = "") -> None:
        """Records a contradiction of a kind under the key it is about, with the key or value that contradicts it."""
        self.planted.setdefault(kind, {})[key] = other

    def of(self, kind: str) -> dict[str, str]:
        """What was planted of a kind, in the order of its keys."""
        return dict(sorted(self.planted.get(kind, {}).items()))


@dataclass(slots=True)
class Book:
    """Tables of one province."""

    province: str
    seed: int
    dirt: DirtRates
    managers: list[tuple[str, str]] = field(default_factory=list)
    customers: list[Customer] = field(default_factory=list)
    by_crm: dict[str, Customer] = field(default_factory=dict)
    crm: Table[CrmCustomer] = field(default_factory=lambda: Table("C%08d"))
    contacts: Table[Contact] = field(default_factory=lambda: Table("L%08d"))
    contracts: Table[Contract] = field(default_factory=lambda: Table("HT%08d"))
    products: Table[Product] = field(default_factory=lambda: Table("P%09d"))
    resources: Table[Resource] = field(default_factory=lambda: Table("R%09d"))
    accounts: Table[Account] = field(default_factory=lambda: Table("%010d"))
    orders: Table[Order] = field(default_factory=lambda: Table("PO%010d"))
    group: Table[GroupCustomer] = field(default_factory=lambda: Table("G%07d"))
    jobs: Table[Job] = field(default_factory=lambda: Table("J%08d"))
    billing_customers: Table[Account] = field(default_factory=lambda: Table("K%08d"))
    orders_customers: Table[Order] = field(default_factory=lambda: Table("D%08d"))
    orders_parties: dict[str, Party] = field(default_factory=dict)
    billing_notes: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    accounts_of: dict[str, list[str]] = field(default_factory=dict)
    contacts_of: dict[str, list[str]] = field(default_factory=dict)
    contracts_of: dict[str, list[str]] = field(default_factory=dict)
    products_of: dict[str, list[str]] = field(default_factory=dict)
    add_order_of: dict[str, str] = field(default_factory=dict)
    price_before: dict[str, tuple[date, int]] = field(default_factory=dict)
    """Product → the day its price changed, and what it was until then, fen (`simulator.repricing`)."""
    job_of_order: dict[str, str] = field(default_factory=dict)
    resources_of: dict[str, list[str]] = field(default_factory=dict)
    in_flight: list[str] = field(default_factory=list)
    pinned: Pinned = field(default_factory=Pinned)
    injected: list[Injected] = field(default_factory=list)
    broken_accounts: list[str] = field(default_factory=list)
    broken: dict[str, list[BrokenRow]] = field(default_factory=dict)

    def note(self, kind: str, feed: str, key: str, detail: str, *, expected: str = ACCEPT, since: int = 0) -> None:
        """Records an instance of dirt that lasts from a night on."""
        self.injected.append(Injected(kind, feed.split(".", maxsplit=1)[0], feed, self.province, key, expected, detail, since))
