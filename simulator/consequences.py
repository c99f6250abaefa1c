"""What the planted contradictions must show a reconciler, told from the world alone: one case a rule, subject and month.

Rules are named as the hub's catalogue names them; a subject of several keys is their values in the order of their names,
joined by `|`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from simulator import billing_units, charges
from simulator.book import Book, Inconsistency
from simulator.catalogue import ACTIVE, SUSPENDED
from simulator.charges import FEWER_ITEMS, OTHER_ACCOUNT, UNLIKE_PEERS_FEN, WRONG_TAX, WRONG_TAX_FEN, Bill, billed_month
from simulator.entities import Product
from simulator.nights import month_bounds
from simulator.planting import LATE_START
from simulator.world import World

_RENT, _DISCOUNT = ("1001", "1003"), "1005"
_ORDER_RULES = {
    "steps_open": "order_done_work_open",
    "work_done": "work_done_order_open",
    "order_product": "order_for_unknown_product",
    "order_open": "product_live_order_open",
    "never_started": "order_done_product_pending",
    "ended": "end_done_product_live",
    "order_customer": "order_mapped_differently",
}


def of_month(world: World, book: Book, month: str) -> Iterator[Inconsistency]:
    """What a month's bills show."""
    bills = list(billing_units.month_bills(world, book.province, month))
    for bill in bills:
        yield from _of_bill(book, month, bill)
    by_product: dict[str, list[tuple[str, int]]] = {}
    for bill in bills:
        for item in bill.items:
            by_product.setdefault(str(item[3]), []).append((str(item[4]), int(str(item[9]))))
    yield from _of_charges(book, month, by_product)


def _of_bill(book: Book, month: str, bill: Bill) -> Iterator[Inconsistency]:
    key, account = str(bill.row[0]), str(bill.row[1])
    if bill.fault == FEWER_ITEMS:
        yield Inconsistency("item_count_differs", book.province, month, key, account, 0, f"{len(bill.items)} items sent")
    if bill.fault == WRONG_TAX:
        yield Inconsistency("tax_differs", book.province, month, key, account, WRONG_TAX_FEN, f"tax {bill.row[5]}")
    if bill.fault == OTHER_ACCOUNT:
        item = bill.items[-1]
        amount = abs(int(str(item[9])))
        yield Inconsistency("item_on_another_account", book.province, month, key, str(item[2]), amount, f"bill of {account}")
    if account in book.pinned.of("account_unknown"):
        yield Inconsistency("bill_for_unknown_account", book.province, month, key, account, abs(int(str(bill.row[4]))), "")
        sums: dict[str, int] = {}
        for item in bill.items:
            sums[str(item[3])] = sums.get(str(item[3]), 0) + int(str(item[9]))
        for product, amount in sums.items():
            subject = f"{account}|{product}"
            yield Inconsistency("item_for_unknown_account", book.province, month, subject, key, abs(amount), "")


def _of_charges(book: Book, month: str, by_product: dict[str, list[tuple[str, int]]]) -> Iterator[Inconsistency]:
    pinned = book.pinned
    rents = {key: [amount for code, amount in by_product.get(key, []) if code in _RENT] for key in pinned.products}

    def case(rule: str, key: str, amount: int, detail: str) -> Inconsistency:
        return Inconsistency(rule, book.province, month, key, book.products.rows[key].account_key, amount, detail)

    for key in sorted(pinned.rent_repeated):
        yield case("billed_twice", key, rents[key][0], "rent twice")
    for rule, offs in (("billed_price_differs", pinned.price_off), ("wrong_proration", pinned.rent_off),
                       ("line_is_not_quantity_times_price", pinned.line_off)):  # fmt: skip
        for key, off in sorted(offs.items()):
            yield case(rule, key, abs(off), f"off by {off}")
    for key in sorted(pinned.over_discounted):
        discount = sum(amount for code, amount in by_product[key] if code == _DISCOUNT)
        yield case("wrong_discount", key, -discount - sum(rents[key]), f"discount {discount}")
    for key in sorted(pinned.unlike_peers):
        yield case("charge_unlike_peers", key, UNLIKE_PEERS_FEN, "a charge like no other")
    yield from _outside_service(book, month, {key: sum(rents[key]) for key in pinned.shown_start})
    for account, stray in sorted(pinned.stray_products.items()):
        amount = sum(amount for _, amount in by_product[stray])
        yield Inconsistency("item_for_unknown_product", book.province, month, stray, account, amount, "nobody has it")


def _outside_service(book: Book, month: str, rents: dict[str, int]) -> Iterator[Inconsistency]:
    """Rent of the days before the start that CRM shows."""
    first, last = month_bounds(month)
    days = min(max((LATE_START - first).days, 0), (last - first).days + 1)
    for key, rent in sorted(rents.items()) if days else ():
        amount = rent * days // ((last - first).days + 1)
        account = book.products.rows[key].account_key
        detail = f"crm says in use from {LATE_START}"
        yield Inconsistency("charged_outside_service", book.province, month, key, account, amount, detail)


def of_months(book: Book, months: Sequence[str]) -> Iterator[Inconsistency]:
    """What all the months together show of a product."""
    for key in sorted(book.pinned.never_billed):
        product = book.products.rows[key]
        amount = product.price_fen * len(months)
        yield Inconsistency("in_use_without_revenue", book.province, "", key, product.account_key, amount, "no bill item")
    for account, stray in sorted(book.pinned.stray_products.items()):
        amount = charges.STRAY_FEN * len(months)
        yield Inconsistency("billed_but_never_ordered", book.province, "", stray, account, amount, "nobody ordered it")


def of_payments(world: World, book: Book, nights: Iterable[str]) -> Iterator[Inconsistency]:
    """Payments of these nights to accounts that billing does not send, and those that name a bill and are more than it."""
    unknown = book.pinned.of("account_unknown")
    for night in nights:
        world.reach(night)
        totals = billing_units.bill_totals(world, book.province, billed_month(night))
        for payment, account, bill, amount, *_ in charges.payments(book, night, totals):
            fen = int(str(amount))
            if account in unknown:
                yield Inconsistency("payment_for_unknown_account", book.province, "", str(payment), str(account), abs(fen), night)
            excess = fen - totals[str(account)][1]
            if bill and excess > 0:
                month = billed_month(night)
                yield Inconsistency("bill_overpaid", book.province, month, str(bill), str(account), excess, night)


def of_records(book: Book) -> Iterator[Inconsistency]:
    """What the records of crm, orders and group show, in every month."""
    yield from _of_products(book)
    yield from _of_standing(book)
    yield from _of_orders(book)
    yield from _of_customers(book)
    yield from _of_unknown_customers(book)
    for key, other in book.pinned.of("account_shared").items():
        yield Inconsistency("account_shared_by_customers", book.province, "", key, other, 0, f"pays for {other}, of another")
    for key, crm in book.pinned.of("account_duplicate").items():
        subject = f"{crm}|{book.accounts.rows[key].customer.billing}"
        yield Inconsistency("duplicate_account", book.province, "", subject, key, 0, "opened once more")


def _of_products(book: Book) -> Iterator[Inconsistency]:
    pinned, products = book.pinned, book.products.rows

    def case(rule: str, key: str, subject: str = "", detail: str = "") -> Inconsistency:
        product = products[key]
        return Inconsistency(rule, book.province, "", subject or key, product.account_key, product.price_fen, detail)

    for key, other in pinned.of("number").items():
        yield case("number_with_two_live_users", key, detail=f"as {other}")
    for key in pinned.of("resource"):
        yield case("live_product_without_resource", key)
    for key, job in pinned.of("circuit").items():
        yield case("live_product_without_resource", key)
        yield case("job_done_circuit_missing", key, job)
    for key, contract in pinned.of("contract").items():
        yield case("product_for_unknown_contract", key, detail=contract)
    for key in pinned.of("ordered_price"):
        yield Inconsistency("ordered_price_differs", book.province, "", key, "", 700, "ordered dearer")
    for resource, key in pinned.of("stranded").items():
        yield case("stranded_circuit", key, resource)


def _of_standing(book: Book) -> Iterator[Inconsistency]:
    """Products whose account is unknown or closed, or whose customer is closed."""
    unknown, closed, gone = (book.pinned.of(kind) for kind in ("account_unknown", "account_closed", "customer_closed"))
    for product in book.products.rows.values():
        account, price = product.account_key, product.price_fen if _live(product) else 0
        if account in unknown:
            yield Inconsistency("product_for_unknown_account", book.province, "", product.key, account, price, "")
        if account in closed and _live(product):
            yield Inconsistency("live_product_on_closed_account", book.province, "", product.key, account, price, "")
        if product.customer.crm in gone and _live(product):
            yield Inconsistency("live_product_of_closed_customer", book.province, "", product.key, account, price, "")


def _live(product: Product) -> bool:
    return product.status in (ACTIVE, SUSPENDED)


def _of_orders(book: Book) -> Iterator[Inconsistency]:
    pinned, orders, jobs = book.pinned, book.orders.rows, book.jobs.rows

    def case(rule: str, key: str, price: int, detail: str = "") -> Inconsistency:
        return Inconsistency(rule, book.province, "", key, "", price, detail)

    for kind, rule in _ORDER_RULES.items():
        for key, other in pinned.of(kind).items():
            yield case(rule, key, orders[key].price_fen, other)
    for key in pinned.of("job_open"):
        yield case("order_done_job_open", key, orders[jobs[key].order_key].price_fen)
    for key in pinned.of("job_done"):
        yield case("job_done_order_open", key, orders[jobs[key].order_key].price_fen)
        yield case("job_done_circuit_missing", key, book.products.rows[jobs[key].product_key].price_fen)


def _of_customers(book: Book) -> Iterator[Inconsistency]:
    for key, group in book.pinned.of("manager").items():
        yield Inconsistency("manager_differs", book.province, "", f"{key}|{group}", group, 0, "")
    for key, other in book.pinned.of("group").items():
        yield Inconsistency("group_mapped_differently", book.province, "", key, other, 0, "")


def _of_unknown_customers(book: Book) -> Iterator[Inconsistency]:
    """Everything that names a customer whom CRM does not send."""
    unknown = book.pinned.of("customer_unknown")

    naming: tuple[tuple[str, Iterable[tuple[str, str, int]]], ...] = (
        ("product_for_unknown_customer",
         ((p.key, p.customer.crm, p.price_fen if _live(p) else 0) for p in book.products.rows.values())),
        ("contract_for_unknown_customer", ((c.key, c.customer_key, 0) for c in book.contracts.rows.values())),
        ("contact_for_unknown_customer", ((c.key, c.customer_key, 0) for c in book.contacts.rows.values())),
        ("account_for_unknown_customer", ((a.key, a.crm_customer_id, 0) for a in book.accounts.rows.values() if a.gone)),
        ("order_for_unknown_customer", ((o.key, o.party.crm_customer_id, 0) for o in book.orders.rows.values())),
        ("group_for_unknown_customer", ((g.key, g.crm_customer_id, 0) for g in book.group.rows.values())),
    )  # fmt: skip
    for rule, rows in naming:
        for key, customer, amount in rows:
            if customer in unknown:
                yield Inconsistency(rule, book.province, "", key, customer, amount, "")
