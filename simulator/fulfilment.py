"""Orders behind the products, their work orders, and production jobs of circuits."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from simulator import names
from simulator.book import Book
from simulator.catalogue import ACTIVE, BY_CODE, PENDING, TERMINATED
from simulator.entities import Job, Order, Product
from simulator.nights import BEFORE_FIRST, share, stream, working_time

STEPS = (
    ("需求受理", "区县建维中心"),
    ("资源核查", "运维部"),
    ("方案审批", "市场部"),
    ("工程施工", "工程建设部"),
    ("开通测试", "综合部"),
)
CHANNELS = ("10010", "YYT", "CM", "DL", "WT", "ES")
_CHANNEL_WEIGHTS = (5, 15, 55, 10, 10, 5)
DONE = "DONE"
_OWNERS = tuple(names.person(random.Random(number)) for number in range(500))


def step_count(offering: str) -> int:
    """Work orders an order of this offering has: circuits are built, the rest is switched on."""
    return 5 if offering in ("MPLS", "IDC") else 4 if BY_CODE[offering].circuit else 2


@dataclass(slots=True)
class _Plan:
    product: Product
    action: str
    state: str
    ordered_at: datetime
    completed_at: datetime | None


def _plans(rng: random.Random, product: Product) -> Iterator[_Plan]:
    if product.status == PENDING:
        day = BEFORE_FIRST - timedelta(days=rng.randrange(1, 15))
        yield _Plan(product, "A", rng.choice(("NEW", "PROC", "PROC", "HOLD")), working_time(rng, day), None)
        return
    started = product.started_on or BEFORE_FIRST
    ordered = working_time(rng, started - timedelta(days=rng.randrange(5, 40)))
    yield _Plan(product, "A", DONE, ordered, working_time(rng, started))
    if product.status == TERMINATED and product.ended_on:
        ended = product.ended_on
        ordered = working_time(rng, max(ended - timedelta(days=rng.randrange(1, 10)), started))
        yield _Plan(product, "T", DONE, ordered, max(ordered, working_time(rng, ended)))
    elif product.status == ACTIVE and rng.random() < 0.08:
        day = started + timedelta(days=rng.randrange(max((BEFORE_FIRST - started).days - 30, 1)))
        state = rng.choices((DONE, "CANC", "FAIL"), weights=(80, 14, 6))[0]
        ordered = working_time(rng, day)
        completed = working_time(rng, min(day + timedelta(days=rng.randrange(1, 20)), BEFORE_FIRST))
        yield _Plan(product, "M", state, ordered, completed)


def fulfil(book: Book) -> None:
    """Orders of every product, numbered in the order they were placed, with jobs for circuits of group customers."""
    rng = stream(book.seed, "orders", book.province)
    plans = [p for product in book.products.rows.values() for p in _plans(rng, product)]
    plans.sort(key=lambda p: (p.ordered_at, p.product.key, p.action))
    for plan in plans:
        if plan.product.key not in book.pinned.never_ordered:
            order = _base_order(rng, book, plan)
            add_job(stream(book.seed, "job", book.province, order.key), book, order, 0)


def _base_order(rng: random.Random, book: Book, plan: _Plan) -> Order:
    finished = plan.state in (DONE, "CANC", "FAIL")
    done: tuple[datetime, ...] | None = None if plan.state == DONE else ()
    if plan.state == "PROC":
        done = (min(plan.ordered_at + timedelta(hours=20), working_time(rng, BEFORE_FIRST)),)
    updated = plan.completed_at if finished and plan.completed_at else max((plan.ordered_at, *(done or ())))
    order = place(rng, book, plan.product, plan.action, plan.ordered_at)
    order.state, order.steps_done, order.updated = plan.state, done, updated
    order.completed_at = plan.completed_at if plan.state == DONE else None
    if not finished:
        book.in_flight.append(order.key)
    return order


def place(rng: random.Random, book: Book, product: Product, action: str, ordered_at: datetime, *, night: int = 0) -> Order:
    """A new order for a product."""
    key = book.orders.new_key()
    channel = rng.choices(CHANNELS, weights=_CHANNEL_WEIGHTS)[0]
    customer = product.customer
    order = Order(
        key, ordered_at, customer, book.orders_parties[customer.orders], product.key, product.offering, product.service_kind,
        action, "NEW", channel, ordered_at, None, product.price_fen, (), born=night,
    )  # fmt: skip
    if action == "A":
        book.add_order_of[product.key] = key
    return book.orders.add(order)


def add_job(rng: random.Random, book: Book, order: Order, night: int) -> None:
    """The production job of an order that builds a circuit for a customer of the group system."""
    customer = order.customer
    if not customer.group or order.action != "A" or not BY_CODE[order.offering].circuit:
        return
    key = book.jobs.new_key()
    finished = order.completed_at.date() if order.completed_at else None
    state = "20" if order.state == DONE else "00" if order.state == "NEW" else "10"
    planned = order.ordered_at.date() + timedelta(days=rng.randrange(10, 40))
    name = f"{customer.firm.parts.trade}{BY_CODE[order.offering].title}开通"
    team = f"{rng.choice(('第一', '第二', '第三', '政企'))}项目组"
    leader = names.person(rng)
    keys = (order.key, order.product_key)
    book.jobs.add(Job(key, order.updated, customer, *keys, name, team, leader, state, "", planned, finished, born=night))
    book.job_of_order[order.key] = key


def step_times(order: Order) -> tuple[datetime, ...]:
    """When the finished work orders of an order ended; those of an old order are spread evenly up to its completion."""
    if order.steps_done is not None:
        return order.steps_done
    completed = order.completed_at or order.updated
    steps = step_count(order.offering)
    span = (completed - order.ordered_at) / steps
    times = [order.ordered_at + timedelta(seconds=int((span * i).total_seconds())) for i in range(1, steps)]
    return (*times, completed)


def work_orders(order: Order, seed: int) -> Iterator[tuple[object, ...]]:
    """Rows of `t_work_order` for one order, in the column order of `docs/interfaces.md`."""
    done = step_times(order)
    base = int(order.key[2:]) * 10
    for step, (name, department) in enumerate(STEPS[: step_count(order.offering)], start=1):
        finished = done[step - 1] if step <= len(done) else None
        started = _started(order, step, done)
        state = _step_state(order, finished, started)
        drawn = share(seed, "step", order.key, step)
        rule = order.ordered_at + timedelta(days=2 * step)
        promised = order.ordered_at + timedelta(days=2 * step - 1) if drawn < 0.5 else None
        agreed = order.ordered_at + timedelta(days=3 * step) if drawn < 0.2 else None
        governing = "C" if agreed else "P" if promised else "R"
        ended = finished or (order.updated if state in ("3", "4") else None)
        updated = ended or started or order.ordered_at
        owner = _OWNERS[int(drawn * len(_OWNERS))]
        yield (f"WO{base + step:011d}", order.key, step, name, department, owner, state, rule, promised, agreed, governing,
               started, ended, updated)  # fmt: skip


def _started(order: Order, step: int, done: tuple[datetime, ...]) -> datetime | None:
    if order.state == "NEW" or step - 1 > len(done):
        return None
    return order.ordered_at if step == 1 else done[step - 2]


def _step_state(order: Order, finished: datetime | None, started: datetime | None) -> str:
    if finished:
        return "2"
    if order.state == "CANC":
        return "4"
    if order.state == "FAIL":
        return "3" if started else "4"
    return "1" if started else "0"
