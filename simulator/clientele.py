"""Which firms each province serves, which systems know them, and their records in crm, billing and group."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

from simulator import names, sight
from simulator.book import Book
from simulator.entities import Account, Contact, CrmCustomer, Customer, GroupCustomer, Party, Table
from simulator.firms import GROUP, Firm
from simulator.nights import BEFORE_FIRST, random_day, stream, working_time

CUSTOMERS_A_MANAGER = 25
BOTH_PROVINCES_SHARE = 0.03
SERVED, PROSPECT, ORDERING, CLOSED, LEGACY, HEAD = "served", "prospect", "ordering", "closed", "legacy", "head"
_PATTERNS = (SERVED, PROSPECT, ORDERING, CLOSED, LEGACY)
_PATTERN_WEIGHTS = (82, 7, 3, 4, 4)
_SYSTEMS = {
    SERVED: ("crm", "billing", "orders"),
    PROSPECT: ("crm",),
    ORDERING: ("crm", "orders"),
    CLOSED: ("crm", "billing", "orders"),
    LEGACY: ("billing",),
    HEAD: ("group",),
}
_GROUP_SHARE = {SERVED: 0.75, PROSPECT: 0.3, ORDERING: 0.5, CLOSED: 0.5, LEGACY: 0.0, HEAD: 1.0}
_FIRST_DAY = date.fromisoformat("2012-01-01")
_LATEST_OPENING = date.fromisoformat("2025-06-30")


def settle(books: dict[str, Book], firms: list[Firm]) -> None:
    """Makes every firm a customer of its province (some of both), gives keys, and fills crm, group and account tables."""
    for book in books.values():
        rng = stream(book.seed, "managers", book.province)
        count = max(2, len(firms) // len(books) // CUSTOMERS_A_MANAGER)
        book.managers = [(f"M{i:04d}", names.person(rng)) for i in range(1, count + 1)]
    rng = stream(next(iter(books.values())).seed, "patterns")
    needs_head = {(f.province, f.parent.firm_id) for f in firms if f.parent and f.parent.level == GROUP}
    for firm in firms:
        pattern = _pattern(rng, firm)
        abroad = rng.random() < BOTH_PROVINCES_SHARE
        for province, book in books.items():
            if province == firm.province:
                enlist(rng, book, firm, pattern)
            elif pattern == SERVED and abroad:
                enlist(rng, book, firm, SERVED)
            elif (province, firm.firm_id) in needs_head:
                enlist(rng, book, firm, HEAD)
    for book in books.values():
        _number(book)
        _fill(book)


def _pattern(rng: random.Random, firm: Firm) -> str:
    drawn = rng.choices(_PATTERNS, weights=_PATTERN_WEIGHTS)[0]
    if firm.level == GROUP:
        return SERVED if rng.random() < 0.6 else HEAD
    return SERVED if firm.junk_code or firm.former or firm.same_name_as else drawn


def enlist(rng: random.Random, book: Book, firm: Firm, pattern: str, *, opened: date | None = None, since: int = 0) -> Customer:
    """Makes a firm a customer of a province. A system it is in holds `?` until keys are given."""
    manager = ("", "") if pattern == PROSPECT else rng.choice(book.managers)
    opened = opened or random_day(rng, _FIRST_DAY, _LATEST_OPENING)
    customer = Customer(firm, book.province, pattern, opened, *manager, since=since)
    for system in _SYSTEMS[pattern]:
        setattr(customer, system, "?")
    if firm.level == GROUP or rng.random() < _GROUP_SHARE[pattern]:
        customer.group = "?"
    book.customers.append(customer)
    return customer


def give_keys(book: Book, customer: Customer) -> None:
    """Gives a customer its key in each of its systems that has none yet."""
    if customer.crm == "?":
        customer.crm = book.crm.new_key()
        book.by_crm[customer.crm] = customer
    if customer.billing == "?":
        customer.billing = book.billing_customers.new_key()
    if customer.orders == "?":
        customer.orders = book.orders_customers.new_key()
    if customer.group == "?":
        customer.group = book.group.new_key()


def _number(book: Book) -> None:
    tables: dict[str, Table[Any]] = {
        "crm": book.crm,
        "billing": book.billing_customers,
        "orders": book.orders_customers,
        "group": book.group,
    }
    for system, table in tables.items():
        members = [c for c in book.customers if getattr(c, system)]
        stream(book.seed, "numbering", system, book.province).shuffle(members)
        for customer in members:
            setattr(customer, system, table.new_key())
    book.by_crm = {c.crm: c for c in book.customers if c.crm}


def _fill(book: Book) -> None:
    rngs = {s: stream(book.seed, "records", s, book.province) for s in ("crm", "contacts", "billing", "orders", "group")}
    for customer in sorted((c for c in book.customers if c.crm), key=lambda c: c.crm):
        add_crm(rngs["crm"], book, customer)
        add_contacts(rngs["contacts"], book, customer)
    for customer in sorted((c for c in book.customers if c.billing), key=lambda c: c.billing):
        for _ in range(rngs["billing"].choices((1, 2, 3), weights=(80, 15, 5))[0]):
            add_account(rngs["billing"], book, customer)
    for customer in sorted((c for c in book.customers if c.orders), key=lambda c: c.orders):
        add_orders_party(rngs["orders"], book, customer)
    groups = {c.firm.firm_id: c.group for c in book.customers if c.group}
    for customer in sorted((c for c in book.customers if c.group), key=lambda c: c.group):
        add_group(rngs["group"], book, customer, groups)


def _touched(rng: random.Random, opened: date, night: int) -> tuple[date, int]:
    day = random_day(rng, max(opened, BEFORE_FIRST - timedelta(days=700)), BEFORE_FIRST) if not night else opened
    return day, night


def add_crm(rng: random.Random, book: Book, customer: Customer) -> CrmCustomer:
    """The customer's record in crm."""
    firm = customer.firm
    seen = sight.look(rng, book, firm, "crm")
    sight.note_all(book, "crm.customer", customer.crm, seen.notes, customer.since)
    day, night = _touched(rng, customer.opened, customer.since)
    group_id = sight.cross_reference(rng, book, "crm.customer", customer.crm, customer.group)
    category = "1" if firm.level == GROUP else rng.choice(("2", "3", "4", "1"))
    return book.crm.add(
        CrmCustomer(
            customer.crm, working_time(rng, day), customer, seen.name, firm.parts.short(), seen.uscc, seen.org_code,
            firm.licence_no if rng.random() < 0.7 and not firm.junk_code else "", category,
            "2" if customer.pattern == PROSPECT else "1", firm.address, firm.phone, customer.manager_id,
            customer.manager_name, group_id, "9" if customer.pattern == CLOSED else "1", born=night,
        )
    )  # fmt: skip


def add_contacts(rng: random.Random, book: Book, customer: Customer) -> None:
    """One to three contacts."""
    roles = rng.sample(("LEGAL", "BIZ", "TECH", "FIN"), rng.choice((1, 2, 3)))
    for role in roles:
        day, night = _touched(rng, customer.opened, customer.since)
        key = book.contacts.new_key()
        email = f"u{rng.randrange(10**6)}@example.cn" if rng.random() < 0.6 else ""
        contact = Contact(key, working_time(rng, day), customer.crm, names.person(rng), role, names.phone(rng), email, born=night)
        book.contacts.add(contact)
        book.contacts_of.setdefault(customer.crm, []).append(key)


def add_account(rng: random.Random, book: Book, customer: Customer) -> Account:
    """An account in billing; accounts of one customer share its party."""
    firm = customer.firm
    siblings = book.accounts_of.setdefault(customer.billing, [])
    key = book.accounts.new_key()
    if siblings:
        first = book.accounts.rows[siblings[0]]
        party, crm_id = first.party, first.crm_customer_id
        notes = book.billing_notes[customer.billing]
    else:
        seen = sight.look(rng, book, firm, "billing")
        crm_id = "" if rng.random() < book.dirt.cross_references_blank else customer.crm
        notes = seen.notes if crm_id or not customer.crm else [*seen.notes, ("cross_reference_blank", customer.crm)]
        party = Party(seen.name, seen.uscc, seen.org_code, crm_id)
        book.billing_notes[customer.billing] = notes
    sight.note_all(book, "billing.account", key, notes, customer.since)
    siblings.append(key)
    day, night = _touched(rng, customer.opened, customer.since)
    closed = customer.pattern in (CLOSED, LEGACY)
    owing = not closed and not night and rng.random() < 0.06
    return book.accounts.add(
        Account(
            key, working_time(rng, day), customer, party, crm_id, "3" if closed else "2" if owing else "1", customer.opened,
            day if closed else None, rng.randrange(5_000, 5_000_000) if owing else 0, firm.address, firm.phone, born=night,
        )
    )  # fmt: skip


def add_orders_party(rng: random.Random, book: Book, customer: Customer) -> Party:
    """Who the customer is on its orders."""
    seen = sight.look(rng, book, customer.firm, "orders")
    feed = "orders.product_order"
    sight.note_all(book, feed, customer.orders, seen.notes, customer.since)
    crm_id = sight.cross_reference(rng, book, feed, customer.orders, customer.crm)
    party = Party(seen.name, seen.uscc, seen.org_code, crm_id)
    book.orders_parties[customer.orders] = party
    return party


def add_group(rng: random.Random, book: Book, customer: Customer, groups: dict[str, str]) -> GroupCustomer:
    """The customer's record in the group system, below its parent's where that is known in this province."""
    firm = customer.firm
    seen = sight.look(rng, book, firm, "group")
    feed = "group.group_customer"
    sight.note_all(book, feed, customer.group, seen.notes, customer.since)
    day, night = _touched(rng, customer.opened, customer.since)
    crm_id = sight.cross_reference(rng, book, feed, customer.group, customer.crm)
    parent = groups.get(firm.parent.firm_id, "") if firm.parent else ""
    return book.group.add(
        GroupCustomer(
            customer.group, working_time(rng, day), customer, parent, seen.name, seen.uscc, seen.org_code, crm_id,
            firm.address, customer.manager_id, "9" if customer.pattern == CLOSED else "1", born=night,
        )
    )  # fmt: skip
