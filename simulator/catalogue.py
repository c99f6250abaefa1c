"""Contracts, products and their resources: what each customer has."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta

from simulator.book import Book
from simulator.clientele import CLOSED, ORDERING, PROSPECT, SERVED
from simulator.entities import Contract, Customer, Product, Resource
from simulator.nights import BEFORE_FIRST, random_day, stream, working_time

PRODUCTS_A_CUSTOMER = 10
ACTIVE, SUSPENDED, TERMINATED, PENDING = "00", "10", "20", "30"
_STATES = (ACTIVE, SUSPENDED, TERMINATED, PENDING)
_STATE_WEIGHTS = (915, 10, 65, 10)


@dataclass(frozen=True, slots=True)
class Offering:
    """What can be subscribed: price range in yuan, how it is delivered, what the bill calls it."""

    code: str
    service_kind: str
    low: int
    high: int
    circuit: bool
    title: str


OFFERINGS = (
    Offering("IPL", "F", 800, 20_000, True, "互联网专线"),
    Offering("MPLS", "F", 1_500, 40_000, True, "数据专线"),
    Offering("IDC", "F", 3_000, 60_000, True, "主机托管"),
    Offering("SIP", "F", 300, 5_000, True, "语音专线"),
    Offering("MGRP", "M", 58, 2_000, False, "移动集团套餐"),
    Offering("IOT", "M", 20, 900, False, "物联网卡"),
    Offering("SMS", "M", 100, 3_000, False, "企业短信"),
    Offering("CLOUD", "C", 500, 15_000, False, "云业务"),
)
BY_CODE = {o.code: o for o in OFFERINGS}
_OFFERING_WEIGHTS = (22, 10, 6, 10, 26, 12, 7, 7)
_BANDWIDTHS = (10, 20, 50, 100, 200, 500, 1000, 2000)


def stock(books: dict[str, Book], customers: int) -> None:
    """Gives the books `customers` × 10 products in all, spread unevenly over those who may have any."""
    seed = next(iter(books.values())).seed
    holders = [(book, c) for book in books.values() for c in book.customers if c.pattern in (SERVED, ORDERING, CLOSED)]
    rng = stream(seed, "portfolio")
    weights = [0.3 + rng.expovariate(1.0) for _ in holders]
    scale = customers * PRODUCTS_A_CUSTOMER / sum(weights)
    carried = 0.0
    sizes = []
    for weight in weights:
        carried += weight * scale
        sizes.append(max(1, int(carried)))
        carried -= sizes[-1]
    equipped = [(book, customer, size) for (book, customer), size in zip(holders, sizes, strict=True)]
    for book, customer, size in sorted(equipped, key=lambda e: (e[0].province, e[1].crm)):
        _equip(stream(seed, "products", book.province, customer.crm), book, customer, size)
    for book in books.values():
        for customer in book.customers:
            if customer.pattern == PROSPECT and customer.crm:
                add_contract(stream(seed, "drafts", book.province, customer.crm), book, customer, "draft")


def _equip(rng: random.Random, book: Book, customer: Customer, size: int) -> None:
    status = {SERVED: "active", ORDERING: "active", CLOSED: "terminated"}[customer.pattern]
    contracts = [add_contract(rng, book, customer, status) for _ in range(1 + size // 8)]
    accounts = book.accounts_of.get(customer.billing, [])
    for _ in range(size):
        contract = rng.choice(contracts)
        account = rng.choice(accounts) if accounts else ""
        product = add_product(rng, book, customer, contract.key, account)
        contract.amount_fen += product.price_fen * 12
    if rng.random() < 0.3:
        add_contract(rng, book, customer, "expired")


def add_contract(
    rng: random.Random, book: Book, customer: Customer, status: str, *, night: int = 0, day: date = BEFORE_FIRST
) -> Contract:
    """A contract; an active one outlives the nights a story may reach, an ended one ended before the first."""
    if status in ("expired", "terminated"):
        starts = random_day(rng, date.fromisoformat("2012-06-01"), date.fromisoformat("2022-12-31"))
        ends = random_day(rng, starts + timedelta(days=365), date.fromisoformat("2025-12-31"))
    elif night:
        starts, ends = day, day + timedelta(days=365 * 2)
    else:
        starts = customer.opened + timedelta(days=rng.randrange(7, 30))
        ends = random_day(rng, date.fromisoformat("2027-01-01"), date.fromisoformat("2029-12-31"))
    updated = working_time(rng, day if night else min(starts + timedelta(days=rng.randrange(40)), BEFORE_FIRST))
    title = f"{customer.firm.parts.trade}{rng.choice(('通信服务', '专线租用', '综合信息服务', '云网融合服务'))}协议"
    amount = 0 if status in ("active", "terminated") else rng.randrange(10, 900) * 100_000
    key = book.contracts.new_key()
    contract = Contract(key, updated, customer.crm, title, status, starts - timedelta(days=7), starts, ends, amount, born=night)
    book.contracts_of.setdefault(customer.crm, []).append(key)
    return book.contracts.add(contract)


def _status_of(rng: random.Random, book: Book, customer: Customer, account: str) -> str:
    status = rng.choices(_STATES, weights=_STATE_WEIGHTS)[0]
    if customer.pattern == CLOSED:
        return TERMINATED
    if customer.pattern == ORDERING:
        return PENDING
    if status == ACTIVE and account and book.accounts.rows[account].status == "2":
        return SUSPENDED
    return status


def add_product(rng: random.Random, book: Book, customer: Customer, contract: str, account: str) -> Product:
    """A product of the base state, in use for some time, ended, or still on order."""
    status = _status_of(rng, book, customer, account)
    started = ended = None
    updated = BEFORE_FIRST - timedelta(days=rng.randrange(20))
    if status != PENDING:
        recent = status != TERMINATED and rng.random() < 0.04
        newest = date.fromisoformat("2026-02-10" if recent else "2025-11-30")
        started = random_day(rng, book.contracts.rows[contract].starts_on, newest)
        updated = started + timedelta(days=rng.randrange((BEFORE_FIRST - started).days))
    if status == TERMINATED and started:
        ended = updated = random_day(rng, max(started + timedelta(days=30), date.fromisoformat("2024-01-01")), BEFORE_FIRST)
    product = _product(rng, book, customer, contract=contract, account=account, status=status)
    product.started_on, product.ended_on, product.updated = started, ended, working_time(rng, updated)
    if status != PENDING:
        add_resources(rng, book, product, updated, 0)
    return product


def new_product(rng: random.Random, book: Book, customer: Customer, contract: str, *, night: int, day: date) -> Product:
    """A product just ordered on a night."""
    product = _product(rng, book, customer, contract=contract, account="", status=PENDING)
    product.updated, product.born = working_time(rng, day), night
    return product


def _product(rng: random.Random, book: Book, customer: Customer, *, contract: str, account: str, status: str) -> Product:
    offering = rng.choices(OFFERINGS, weights=_OFFERING_WEIGHTS)[0]
    price = rng.randrange(offering.low, offering.high) * 100
    number = f"{rng.choice(('176', '186', '185', '156'))}{rng.randrange(10**8):08d}"
    service = f"{customer.firm.region_code[:4]}{offering.code}{rng.randrange(10**6):06d}" if offering.circuit else number
    key = book.products.new_key()
    kind = "C" if rng.random() < 0.03 else offering.service_kind
    placeholder = working_time(rng, BEFORE_FIRST)
    product = Product(key, placeholder, customer, contract, account, offering.code, kind, service, status, None, None, price)
    book.products_of.setdefault(customer.crm, []).append(key)
    return book.products.add(product)


def add_resources(rng: random.Random, book: Book, product: Product, day: date, night: int) -> None:
    """The circuit and port, or the number, a product runs on."""
    offering = BY_CODE[product.offering]
    state = {ACTIVE: "1", SUSPENDED: "1", TERMINATED: "3"}.get(product.status, "1")
    kinds = ("CIRCUIT", "PORT") if offering.circuit and rng.random() < 0.4 else ("CIRCUIT",) if offering.circuit else ("NUMBER",)
    for kind in kinds:
        key = book.resources.new_key()
        bandwidth = rng.choice(_BANDWIDTHS) if offering.circuit else None
        ends = (product.customer.firm.address, "核心机房") if kind == "CIRCUIT" else ("", "")
        name = product.service_no if kind != "PORT" else f"{product.service_no}/GE0/{rng.randrange(48)}"
        updated = working_time(rng, day)
        book.resources.add(Resource(key, updated, product.key, kind, name, bandwidth, *ends, state, born=night))
        book.resources_of.setdefault(product.key, []).append(key)
