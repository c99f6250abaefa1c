"""The contradictions planted once orders and jobs exist: each kind in a few records, which later nights leave alone.

A product carries one contradiction at most, a customer with one of its own has no product that carries another.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TypeVar

from simulator.book import Book
from simulator.catalogue import ACTIVE, BY_CODE, PENDING, TERMINATED
from simulator.clientele import SERVED
from simulator.entities import Account, Customer, Job, Order, Product
from simulator.fulfilment import DONE, step_count, step_times
from simulator.nights import stream

T = TypeVar("T")
LATE_START = date.fromisoformat("2026-02-11")
_LONG_AGO = date.fromisoformat("2025-11-30")
USUALLY = 0.5
_FEWEST_PEERS = 60
_OLD = datetime.fromisoformat("2026-02-02T10:00:00")


def plant(book: Book) -> None:
    """Plants every kind, as often as the rates of the book's dirt say."""
    planter = Planter(book, stream(book.seed, "planting", book.province))
    dirt = book.dirt
    for customer_kind in (_unknown_customer, _unknown_account):
        planter.customers(customer_kind, dirt.unmapped)
    for customer_kind in (_closed_customer, _closed_account, _other_manager, _group_of_another, _second_billing_number):
        planter.customers(customer_kind, dirt.record_faults)
    for billing_kind in _BILLING:
        planter.products(billing_kind, dirt.billing_faults, ACTIVE)
    for record_kind in _RECORDS:
        planter.products(record_kind, dirt.record_faults, ACTIVE)
    for pending_kind in _PENDING:
        planter.products(pending_kind, dirt.record_faults, PENDING)
    planter.products(_stranded, dirt.record_faults, TERMINATED)


@dataclass(slots=True)
class Planter:
    """Draws the records to contradict. A kind answers whether the record drawn could bear it."""

    book: Book
    rng: random.Random

    def customers(self, kind: Callable[[Planter, Customer], bool], rate: float) -> None:
        """Plants a kind in a share of the customers who have products and no order running."""
        pinned, tables = self.book.pinned, self.book
        candidates = []
        for crm, customer in tables.by_crm.items():
            products = [tables.products.rows[key] for key in tables.products_of.get(crm, [])]
            accounts = tables.accounts_of.get(customer.billing, [])
            free = not any(p.status == PENDING or pinned.product(p.key) for p in products)
            settled = any(p.status == ACTIVE for p in products) and not any(pinned.account(key) for key in accounts)
            if customer.pattern == SERVED and free and settled and crm not in pinned.customers:
                candidates.append(customer)
        count = self._count(rate, len(tables.by_crm))
        for customer in self._drawn(candidates):
            if count and kind(self, customer):
                pinned.customers.add(customer.crm)
                count -= 1

    def products(self, kind: Callable[[Planter, Product], bool], rate: float, status: str) -> None:
        """Plants a kind in a share of the products, among those of a status that have been so for long."""
        pinned, tables = self.book.pinned, self.book
        candidates = [
            product
            for product in tables.products.rows.values()
            if product.status == status
            and product.customer.pattern == SERVED
            and (status == PENDING or _since_long(product))
            and product.customer.crm not in pinned.customers
            and not pinned.product(product.key)
            and not pinned.account(product.account_key)
        ]
        count = self._count(rate, len(tables.products.rows))
        for product in self._drawn(candidates):
            if count and kind(self, product):
                pinned.products.add(product.key)
                count -= 1

    def _count(self, rate: float, of: int) -> int:
        return max(1, round(rate * of)) if rate else 0

    def _drawn(self, candidates: Sequence[T]) -> list[T]:
        return self.rng.sample(candidates, len(candidates))

    def order(self, product: Product) -> Order:
        return self.book.orders.rows[self.book.add_order_of[product.key]]

    def job(self, order: Order) -> Job | None:
        key = self.book.job_of_order.get(order.key)
        return self.book.jobs.rows[key] if key else None

    def circuits(self, product: Product) -> list[str]:
        """The product's resources, where the only kind is a circuit."""
        keys = self.book.resources_of.get(product.key, [])
        return keys if all(self.book.resources.rows[key].kind == "CIRCUIT" for key in keys) else []

    def orders_of(self, product: Product) -> list[Order]:
        return [order for order in self.book.orders.rows.values() if order.product_key == product.key]

    def another_customer(self, than: Customer) -> Customer:
        """A served customer who carries no contradiction of its own."""
        pinned = self.book.pinned
        others = [c for c in self.book.by_crm.values() if c.pattern == SERVED and c.crm not in pinned.customers and c is not than]
        return self.rng.choice(others)

    def forget_dirt(self, feed: str, key: str) -> None:
        """A row that is never sent bears no dirt."""
        self.book.injected = [i for i in self.book.injected if (i.feed, i.key) != (feed, key)]


def _since_long(product: Product) -> bool:
    ended = product.ended_on is None or product.ended_on <= _LONG_AGO
    return product.started_on is not None and product.started_on <= _LONG_AGO and ended and bool(product.account_key)


def _unknown_customer(planter: Planter, customer: Customer) -> bool:
    """CRM does not send the customer; everything that names it is an orphan. Where references are usually recorded, one is
    taken that billing, orders and group all name."""
    book = planter.book
    accounts = [book.accounts.rows[key] for key in book.accounts_of[customer.billing]]
    named = [book.orders_parties[customer.orders].crm_customer_id, *(account.crm_customer_id for account in accounts)]
    named.append(book.group.rows[customer.group].crm_customer_id if customer.group else "")
    if book.dirt.cross_references_blank < USUALLY and not all(key == customer.crm for key in named):
        return False
    planter.book.crm.rows[customer.crm].gone = 0
    planter.forget_dirt("crm.customer", customer.crm)
    planter.book.pinned.plant("customer_unknown", customer.crm)
    return True


def _unknown_account(planter: Planter, customer: Customer) -> bool:
    """Billing does not send an account that it bills."""
    keys = {p.account_key for p in (planter.book.products.rows[k] for k in planter.book.products_of[customer.crm])}
    key = min(k for k in keys if k)
    planter.book.accounts.rows[key].gone = 0
    planter.forget_dirt("billing.account", key)
    planter.book.pinned.plant("account_unknown", key)
    return True


def _closed_customer(planter: Planter, customer: Customer) -> bool:
    planter.book.crm.rows[customer.crm].status = "9"
    planter.book.pinned.plant("customer_closed", customer.crm)
    return True


def _closed_account(planter: Planter, customer: Customer) -> bool:
    live = [planter.book.products.rows[k] for k in planter.book.products_of[customer.crm]]
    key = min(p.account_key for p in live if p.status == ACTIVE)
    account = planter.book.accounts.rows[key]
    account.status, account.closed_on, account.arrears_fen = "3", _LONG_AGO, 0
    planter.book.pinned.plant("account_closed", key)
    return True


def _other_manager(planter: Planter, customer: Customer) -> bool:
    """The group system keeps a manager whom CRM has replaced; both know that they speak of one customer."""
    book = planter.book
    if not customer.group or not (book.group.rows[customer.group].crm_customer_id or book.crm.rows[customer.crm].group_id):
        return False
    others = [manager for manager, _ in book.managers if manager != book.crm.rows[customer.crm].manager_id]
    book.group.rows[customer.group].manager_id = planter.rng.choice(others)
    book.pinned.plant("manager", customer.crm, customer.group)
    return True


def _group_of_another(planter: Planter, customer: Customer) -> bool:
    """CRM names the right group customer, which names another CRM customer, one that has no group."""
    book = planter.book
    strangers = [c for c in book.by_crm.values() if not c.group and c.crm not in book.pinned.customers]
    if not customer.group or not book.crm.rows[customer.crm].group_id or not strangers:
        return False
    other = planter.rng.choice(strangers)
    book.group.rows[customer.group].crm_customer_id = other.crm
    book.injected = [i for i in book.injected if (i.feed, i.key, i.kind) != _blank("group.group_customer", customer.group)]
    book.pinned.plant("group", customer.crm, other.crm)
    return True


def _blank(feed: str, key: str) -> tuple[str, str, str]:
    return feed, key, "cross_reference_blank"


def _second_billing_number(planter: Planter, customer: Customer) -> bool:
    """Billing opened the customer once more, under a number of its own, and one product pays there."""
    book = planter.book
    products = [book.products.rows[k] for k in book.products_of[customer.crm]]
    movable = [p for p in products if p.status == ACTIVE and _since_long(p)]
    if len({p.key for p in products if p.account_key}) < 2 or not movable:
        return False
    product = movable[0]
    if not any(p.account_key == product.account_key for p in products if p is not product):
        return False
    first = book.accounts.rows[product.account_key]
    twin = replace(customer, billing=book.billing_customers.new_key())
    party = replace(first.party, name=customer.firm.name, crm_customer_id=customer.crm)
    account: Account = replace(
        first, key=book.accounts.new_key(), customer=twin, party=party, crm_customer_id=customer.crm, status="1", arrears_fen=0,
        opened_on=first.opened_on + timedelta(days=30), closed_on=None,
    )  # fmt: skip
    book.accounts.add(account)
    product.account_key = account.key
    book.pinned.plant("account_duplicate", account.key, customer.crm)
    return True


def _repeated_rent(planter: Planter, product: Product) -> bool:
    """Twice a dear rent would be unlike its peers as well."""
    offering = BY_CODE[product.offering]
    if product.price_fen > (offering.low + offering.high) * 100 // 3:
        return False
    planter.book.pinned.rent_repeated.add(product.key)
    return True


def _price_off(planter: Planter, product: Product) -> bool:
    planter.book.pinned.price_off[product.key] = planter.rng.randrange(100, 500)
    return True


def _rent_off(planter: Planter, product: Product) -> bool:
    planter.book.pinned.rent_off[product.key] = planter.rng.randrange(2, 900)
    return True


def _line_off(planter: Planter, product: Product) -> bool:
    planter.book.pinned.line_off[product.key] = planter.rng.randrange(2, 900)
    return True


def _over_discounted(planter: Planter, product: Product) -> bool:
    planter.book.pinned.over_discounted.add(product.key)
    return True


def _unlike_peers(planter: Planter, product: Product) -> bool:
    """One of an offering at most, and only where there are peers enough to tell."""
    book = planter.book
    if product.offering in {book.products.rows[key].offering for key in book.pinned.unlike_peers}:
        return False
    peers = [p for p in book.products.rows.values() if p.offering == product.offering and p.status == ACTIVE and p.account_key]
    if len(peers) < _FEWEST_PEERS:
        return False
    book.pinned.unlike_peers.add(product.key)
    return True


def _late_start(planter: Planter, product: Product) -> bool:
    planter.book.pinned.shown_start[product.key] = LATE_START
    return True


def _stray_product(planter: Planter, product: Product) -> bool:
    """The account that pays for this product is charged for another, which nobody has."""
    strays = planter.book.pinned.stray_products
    if product.account_key in strays:
        return False
    strays[product.account_key] = f"P8{len(strays) + 1:08d}"
    return True


def _shared_number(planter: Planter, product: Product) -> bool:
    """Another product, taken into use before, has the same number."""
    since = (product.started_on, product.key)
    for other in planter.book.products.rows.values():
        alike = other.status == ACTIVE and other.offering == product.offering and other.customer is not product.customer
        if alike and _since_long(other) and (other.started_on, other.key) < since and not planter.book.pinned.product(other.key):
            if other.customer.crm in planter.book.pinned.customers:
                continue
            product.service_no = other.service_no
            planter.book.pinned.products.add(other.key)
            planter.book.pinned.plant("number", product.key, other.key)
            return True
    return False


def _without_resource(planter: Planter, product: Product) -> bool:
    if BY_CODE[product.offering].circuit:
        return False
    for key in planter.book.resources_of.pop(product.key, []):
        del planter.book.resources.rows[key]
    planter.book.pinned.plant("resource", product.key)
    return True


def _without_circuit(planter: Planter, product: Product) -> bool:
    job = planter.job(planter.order(product))
    if job is None or not planter.circuits(product):
        return False
    for key in planter.book.resources_of.pop(product.key):
        del planter.book.resources.rows[key]
    planter.book.pinned.plant("circuit", product.key, job.key)
    return True


def _unknown_contract(planter: Planter, product: Product) -> bool:
    product.contract_key = f"HT9{len(planter.book.pinned.of('contract')) + 1:07d}"
    planter.book.pinned.plant("contract", product.key, product.contract_key)
    return True


def _steps_open(planter: Planter, product: Product) -> bool:
    order = planter.order(product)
    order.steps_done = step_times(order)[:-1]
    planter.book.pinned.plant("steps_open", order.key)
    return True


def _order_open(planter: Planter, product: Product) -> bool:
    """The product is in use, its order never came to an end. A job would contradict the order too."""
    order = planter.order(product)
    if planter.job(order) or len(planter.orders_of(product)) > 1:
        return False
    order.state, order.steps_done, order.completed_at = "PROC", step_times(order)[:1], None
    planter.book.pinned.plant("order_open", order.key, product.key)
    return True


def _job_open(planter: Planter, product: Product) -> bool:
    job = planter.job(planter.order(product))
    if job is None:
        return False
    job.state, job.finished_on = "10", None
    planter.book.pinned.plant("job_open", job.key)
    return True


def _ended_by_order(planter: Planter, product: Product) -> bool:
    order = _extra_order(planter, product, "T")
    planter.book.pinned.plant("ended", order.key, product.key)
    return True


def _unknown_product(planter: Planter, product: Product) -> bool:
    order = _extra_order(planter, product, "M")
    order.product_key = f"P7{len(planter.book.pinned.of('order_product')) + 1:08d}"
    planter.book.pinned.plant("order_product", order.key, order.product_key)
    return True


def _extra_order(planter: Planter, product: Product, action: str) -> Order:
    key = planter.book.orders.new_key()
    ordered = _OLD - timedelta(days=5)
    order = replace(planter.order(product), key=key, action=action, state=DONE, ordered_at=ordered, completed_at=_OLD,
                    updated=_OLD, steps_done=None)  # fmt: skip
    return planter.book.orders.add(order)


def _ordered_price(planter: Planter, product: Product) -> bool:
    for order in planter.orders_of(product):
        order.price_fen += 700
    planter.book.pinned.plant("ordered_price", product.key)
    return True


def _order_of_another(planter: Planter, product: Product) -> bool:
    order = planter.order(product)
    other = planter.another_customer(product.customer)
    order.party = replace(order.party, crm_customer_id=other.crm)
    planter.book.pinned.plant("order_customer", order.key, other.crm)
    return True


def _paid_by_another(planter: Planter, product: Product) -> bool:
    """An account pays for a product of another customer beside those of its own."""
    book = planter.book
    other = planter.another_customer(product.customer)
    own = [book.products.rows[k] for k in book.products_of.get(other.crm, [])]
    accounts = sorted({p.account_key for p in own if p.status == ACTIVE and not book.pinned.account(p.account_key)})
    if not accounts:
        return False
    product.account_key = accounts[0]
    book.pinned.plant("account_shared", accounts[0], product.key)
    return True


def _work_done(planter: Planter, product: Product) -> bool:
    """Every work order of an order is done, the order stays open."""
    book, order = planter.book, planter.order(product)
    if order.key not in book.in_flight:
        return False
    order.state, order.updated = "PROC", _OLD
    order.ordered_at = _OLD - timedelta(days=9)
    order.steps_done = tuple(_OLD - timedelta(days=n) for n in reversed(range(step_count(order.offering))))
    job = planter.job(order)
    if job:
        job.state, job.updated = "10", _OLD
    book.in_flight.remove(order.key)
    book.pinned.plant("work_done", order.key)
    return True


def _never_started(planter: Planter, product: Product) -> bool:
    """The order is done, CRM never put the product into use. A job would contradict CRM too."""
    book, order = planter.book, planter.order(product)
    if order.key not in book.in_flight or planter.job(order):
        return False
    order.state, order.completed_at, order.updated, order.steps_done = DONE, _OLD, _OLD, None
    order.ordered_at, product.updated = _OLD - timedelta(days=9), _OLD
    book.in_flight.remove(order.key)
    book.pinned.plant("never_started", order.key, product.key)
    return True


def _job_done(planter: Planter, product: Product) -> bool:
    """The job is done, the order is not, and CRM has no circuit."""
    book, order = planter.book, planter.order(product)
    job = planter.job(order)
    if order.key not in book.in_flight or job is None:
        return False
    order.state, order.steps_done = "PROC", (_OLD - timedelta(days=3),)
    order.ordered_at, order.updated = _OLD - timedelta(days=9), _OLD
    job.state, job.finished_on, job.updated = "20", _OLD.date(), _OLD
    book.in_flight.remove(order.key)
    book.pinned.plant("job_done", job.key, product.key)
    return True


def _stranded(planter: Planter, product: Product) -> bool:
    circuits = planter.circuits(product)
    if not circuits:
        return False
    record = planter.book.resources.rows[circuits[0]]
    record.status = "1"
    planter.book.pinned.plant("stranded", record.key, product.key)
    return True


_BILLING = (_repeated_rent, _price_off, _rent_off, _line_off, _over_discounted, _unlike_peers, _late_start, _stray_product)
_RECORDS = (
    _shared_number, _without_resource, _without_circuit, _unknown_contract, _steps_open, _order_open, _job_open, _ended_by_order,
    _unknown_product, _ordered_price, _order_of_another, _paid_by_another,
)  # fmt: skip
_PENDING = (_work_done, _never_started, _job_done)
