"""What happens in one province in one night: about one customer in a hundred changes. Nights come in order."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from simulator import clientele, names
from simulator.book import Book
from simulator.catalogue import ACTIVE, SUSPENDED, TERMINATED, add_contract, add_resources, new_product
from simulator.entities import Customer, Order, Product
from simulator.firms import FirmMaker
from simulator.fulfilment import DONE, add_job, place, step_count
from simulator.nights import day_of, night_of, stream, working_time

CUSTOMERS_CHANGED = 0.01
STEP_FINISHED = 0.35
ABORTED = 0.02


@dataclass(slots=True)
class Night:
    """One night's events of one province."""

    book: Book
    makers: FirmMaker
    index: int
    day: date
    rng: random.Random

    def happen(self) -> None:
        """Lets the night happen."""
        book, rng = self.book, self.rng
        self._progress_orders()
        keys = [c.crm for c in book.customers if c.crm and c.pattern == clientele.SERVED]
        for _ in range(max(2, round(len(book.by_crm) * CUSTOMERS_CHANGED))):
            event = rng.choices(_EVENTS, weights=_WEIGHTS)[0]
            customer = book.by_crm[rng.choice(keys)]
            if customer.crm not in book.pinned.customers:
                event(self, customer)
        self._new_customer()
        self._forget_group_customer()

    def _now(self) -> datetime:
        return working_time(self.rng, self.day)

    def _progress_orders(self) -> None:
        still = []
        for key in self.book.in_flight:
            order = self.book.orders.get(key, self.index)
            if order.action == "A" and self.rng.random() < ABORTED:
                self._abort(order)
                continue
            if self.rng.random() < STEP_FINISHED and not self._step(order):
                continue
            still.append(key)
        self.book.in_flight = still

    def _step(self, order: Order) -> bool:
        """Ends one work order; True while the order is still open."""
        now = self._now()
        done = (*(order.steps_done or ()), now)
        if len(done) < step_count(order.offering):
            self.book.orders.change(order.key, self.index, now, state="PROC", steps_done=done)
            self._job(order, now, state="10")
            return True
        self.book.orders.change(order.key, self.index, now, state=DONE, steps_done=done, completed_at=now)
        product = self.book.products.get(order.product_key, self.index)
        if order.action == "A":
            self._job(order, now, state="20", finished_on=self.day)
            self._activate(product, now)
        else:
            self._terminate(product, now)
        return False

    def _abort(self, order: Order) -> None:
        """An order and its project come to nothing (流产); the product never starts."""
        now = self._now()
        self.book.orders.change(order.key, self.index, now, state="FAIL")
        self._job(order, now, state="90", abort_reason=self.rng.choice(("01", "02", "03", "99")), finished_on=self.day)
        self.book.products.change(order.product_key, self.index, now, status=TERMINATED, ended_on=self.day)

    def _job(self, order: Order, now: datetime, **changed: object) -> None:
        job = self.book.job_of_order.get(order.key)
        if job:
            self.book.jobs.change(job, self.index, now, **changed)

    def _activate(self, product: Product, now: datetime) -> None:
        book, customer = self.book, product.customer
        account = product.account_key or self._account_of(customer)
        book.products.change(product.key, self.index, now, status=ACTIVE, started_on=self.day, account_key=account)
        add_resources(self.rng, book, replace(product, status=ACTIVE), self.day, self.index)

    def _account_of(self, customer: Customer) -> str:
        book = self.book
        if not customer.billing:
            customer.billing = "?"
            clientele.give_keys(book, customer)
        for key in book.accounts_of.get(customer.billing, []):
            if book.accounts.get(key, self.index).status != "3" and not book.pinned.account(key):
                return key
        return clientele.add_account(self.rng, book, replace(customer, since=self.index, opened=self.day)).key

    def _terminate(self, product: Product, now: datetime) -> None:
        self.book.products.change(product.key, self.index, now, status=TERMINATED, ended_on=self.day)
        for key in self.book.resources_of.get(product.key, []):
            removed = self.rng.random() < 0.3
            self.book.resources.change(key, self.index, now, status="3", deleted=removed)

    def _free_product(self, customer: Customer, *states: str) -> Product | None:
        """A product of the customer in one of the states, without a contradiction and with no order running."""
        busy = {self.book.orders.rows[k].product_key for k in self.book.in_flight}
        for key in self.book.products_of.get(customer.crm, []):
            product = self.book.products.get(key, self.index)
            if product.status in states and key not in busy and not self.book.pinned.product(key):
                return product
        return None

    def move_or_call(self, customer: Customer) -> None:
        """The customer's address, phone or manager changes in crm; billing hears of the address half the time."""
        now, rng, book = self._now(), self.rng, self.book
        manager = rng.choice(book.managers)
        city = customer.firm.parts.region
        possible: tuple[dict[str, object], ...] = (
            {"phone": names.phone(rng)},
            {"address": names.address(rng, book.province, city)},
            {"manager_id": manager[0], "manager_name": manager[1]},
        )
        changes = rng.choice(possible)
        book.crm.change(customer.crm, self.index, now, **changes)
        if "manager_id" in changes and customer.group:
            book.group.change(customer.group, self.index, now, manager_id=manager[0])
        if "address" in changes and rng.random() < 0.5:
            for key in book.accounts_of.get(customer.billing, []):
                book.accounts.change(key, self.index, now, **changes)

    def order_more(self, customer: Customer) -> None:
        """The customer orders a product under a contract that runs, or a new one."""
        book = self.book
        running = [k for k in book.contracts_of.get(customer.crm, []) if book.contracts.get(k, self.index).status == "active"]
        contract = running[0] if running else add_contract(self.rng, book, customer, "active", night=self.index, day=self.day).key
        product = new_product(self.rng, book, customer, contract, night=self.index, day=self.day)
        order = place(self.rng, book, product, "A", product.updated, night=self.index)
        book.in_flight.append(order.key)
        add_job(self.rng, book, order, self.index)
        amount = book.contracts.get(contract, self.index).amount_fen + product.price_fen * 12
        book.contracts.change(contract, self.index, self._now(), amount_fen=amount)

    def give_up(self, customer: Customer) -> None:
        """The customer orders the end of a product."""
        product = self._free_product(customer, ACTIVE, SUSPENDED)
        if product:
            order = place(self.rng, self.book, product, "T", self._now(), night=self.index)
            self.book.in_flight.append(order.key)

    def stop_or_resume(self, customer: Customer) -> None:
        """A product is stopped for a while, or comes back."""
        product = self._free_product(customer, ACTIVE, SUSPENDED)
        if product:
            other = SUSPENDED if product.status == ACTIVE else ACTIVE
            self.book.products.change(product.key, self.index, self._now(), status=other)

    def change_contacts(self, customer: Customer) -> None:
        """A contact is added, or one is removed."""
        book = self.book
        if self.rng.random() < 0.5:
            clientele.add_contacts(self.rng, book, replace(customer, since=self.index, opened=self.day))
            return
        for key in book.contacts_of.get(customer.crm, []):
            if not book.contacts.get(key, self.index).deleted:
                book.contacts.change(key, self.index, self._now(), deleted=True)
                return

    def renew(self, customer: Customer) -> None:
        """A contract that runs is extended by a year."""
        for key in self.book.contracts_of.get(customer.crm, []):
            contract = self.book.contracts.get(key, self.index)
            if contract.status == "active":
                self.book.contracts.change(key, self.index, self._now(), ends_on=contract.ends_on + timedelta(days=365))
                return

    def rename(self, customer: Customer) -> None:
        """crm and group learn the firm's new name; the other systems keep the old one."""
        book, firm = self.book, customer.firm
        if not book.dirt.renamed:
            return
        parts = self.makers.renamed(self.rng, firm.parts)
        now = self._now()
        book.crm.change(customer.crm, self.index, now, name=parts.full(), short_name=parts.short())
        book.note("renamed", "crm.customer", customer.crm, f"{firm.name} -> {parts.full()}", since=self.index)
        if customer.group:
            book.group.change(customer.group, self.index, now, name=parts.full())

    def owe(self, customer: Customer) -> None:
        """An account's arrears change."""
        for key in self.book.accounts_of.get(customer.billing, []):
            arrears = self.rng.choice((0, self.rng.randrange(5_000, 900_000)))
            if self.book.accounts.get(key, self.index).status == "1":
                self.book.accounts.change(key, self.index, self._now(), arrears_fen=arrears)
                return

    def alarm(self, customer: Customer) -> None:
        """A resource of an active product fails, or is mended."""
        product = self._free_product(customer, ACTIVE)
        for key in self.book.resources_of.get(product.key, [])[:1] if product else []:
            status = "1" if self.book.resources.get(key, self.index).status == "2" else "2"
            self.book.resources.change(key, self.index, self._now(), status=status)

    def _new_customer(self) -> None:
        """Now and then a new firm signs a contract and orders its first products."""
        if self.rng.random() > 0.01 * len(self.book.customers) / 10:
            return
        firm = self.makers.company(None)
        firm.province = self.book.province
        customer = clientele.enlist(self.rng, self.book, firm, clientele.ORDERING, opened=self.day, since=self.index)
        clientele.give_keys(self.book, customer)
        clientele.add_crm(self.rng, self.book, customer)
        clientele.add_contacts(self.rng, self.book, customer)
        clientele.add_orders_party(self.rng, self.book, customer)
        if customer.group:
            clientele.add_group(self.rng, self.book, customer, {})
        for _ in range(self.rng.randrange(1, 4)):
            self.order_more(customer)

    def _forget_group_customer(self) -> None:
        """Now and then the group system drops a head office that is nobody's customer; only its absence tells."""
        if self.rng.random() > 0.2:
            return
        parents = {g.parent_key for g in self.book.group.rows.values()}
        for customer in self.book.customers:
            if customer.pattern != clientele.HEAD or customer.group in parents:
                continue
            record = self.book.group.get(customer.group, self.index)
            if record.gone > self.index:
                self.book.group.change(customer.group, self.index, record.updated, gone=self.index)
                return


_Event = Callable[[Night, Customer], None]
_TABLE: tuple[tuple[_Event, int], ...] = (
    (Night.move_or_call, 30),
    (Night.order_more, 18),
    (Night.give_up, 10),
    (Night.stop_or_resume, 8),
    (Night.change_contacts, 10),
    (Night.renew, 8),
    (Night.rename, 3),
    (Night.owe, 8),
    (Night.alarm, 5),
)
_EVENTS = tuple(event for event, _ in _TABLE)
_WEIGHTS = tuple(weight for _, weight in _TABLE)


def pass_night(books: dict[str, Book], maker: FirmMaker, index: int) -> None:
    """Lets one night happen in every province."""
    for book in books.values():
        rng = stream(book.seed, "night", index, book.province)
        Night(book, maker, index, day_of(night_of(index)), rng).happen()
