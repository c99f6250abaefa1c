"""Payments against bills: each way of settling by hand, and how well unnamed payments of a simulated world find theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import duckdb
import pytest
from scene import Scene
from sqlalchemy import Engine, text

from reconcile.rules.payments import BILL_OVERPAID, PAYMENT_NAMES_ANOTHERS_BILL, REVERSAL_WITHOUT_PAYMENT
from reconcile.run import reconcile
from reconcile.settlement import settle
from simulator import billing_units, charges
from simulator.nights import night_of, share
from simulator.world import World

RULES = (BILL_OVERPAID, PAYMENT_NAMES_ANOTHERS_BILL, REVERSAL_WITHOUT_PAYMENT)
Bill = tuple[str, str, int]
Payment = tuple[str, str, str | None, int, str]


def settled(bills: Iterable[Bill], payments: Iterable[Payment]) -> duckdb.DuckDBPyConnection:
    """Bills (number, account, fen) and payments (number, account, bill, fen, when) settled."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'Asia/Shanghai'; create schema core")
    connection.execute("create table core.bill (province varchar, bill_no varchar, account_no varchar, total_fen bigint)")
    connection.execute(
        "create table core.payment (province varchar, payment_no varchar, account_no varchar, bill_no varchar, "
        "amount_fen bigint, paid_at timestamptz)"
    )
    connection.executemany("insert into core.bill values ('gd', ?, ?, ?)", [list(bill) for bill in bills])
    connection.executemany("insert into core.payment values ('gd', ?, ?, ?, ?, ?)", [list(payment) for payment in payments])
    settle(connection)
    return connection


def ways(connection: duckdb.DuckDBPyConnection) -> dict[str, set[tuple[str, str | None]]]:
    found: dict[str, set[tuple[str, str | None]]] = {}
    for how, payment, bill in connection.execute("select how, payment_no, bill_no from settled").fetchall():
        found.setdefault(how, set()).add((payment, bill))
    return found


def test_every_way_a_payment_may_settle_bills() -> None:
    bills = [("B1", "A1", 100), ("B2", "A2", 100), ("B3", "A3", 300), ("B4", "A3", 50), ("B5", "A4", 70), ("B6", "A4", 80),
             ("B7", "A5", 90), ("B8", "A6", 40), ("B9", "A7", 10), ("BA", "A7", 20)]  # fmt: skip
    payments: list[Payment] = [
        ("P1", "A1", "B1", 100, "2026-03-01"), ("P2", "A2", None, 100, "2026-03-01"), ("P3", "A3", None, 120, "2026-03-01"),
        ("P4", "A3", None, 180, "2026-03-02"), ("P5", "A4", None, 150, "2026-03-02"), ("P6", "A5", None, 95, "2026-03-02"),
        ("P7", "A6", None, 40, "2026-03-01"), ("P8", "A6", None, -40, "2026-03-02"), ("P9", "A6", None, 40, "2026-03-03"),
        ("PA", "A7", None, 15, "2026-03-03"),
    ]  # fmt: skip
    connection = settled(bills, payments)
    assert ways(connection) == {
        "named": {("P1", "B1")}, "whole": {("P2", "B2"), ("P9", "B8")}, "parts": {("P3", "B3"), ("P4", "B3")},
        "several": {("P5", "B5"), ("P5", "B6")}, "only": {("P6", "B7")}, "reversed": {("P7", None), ("P8", None)},
    }  # fmt: skip
    suggested = connection.execute("select payment_no, bill_no, place from suggested_settlement order by place").fetchall()
    assert suggested == [("PA", "B9", 1), ("PA", "BA", 2)]


def test_two_bills_of_one_amount_are_left_to_a_person() -> None:
    bills = [("B1", "A1", 100), ("B2", "A1", 100)]
    connection = settled(bills, [("P1", "A1", None, 100, "2026-03-01")])
    assert ways(connection) == {}
    assert connection.execute("select count(*) from suggested_settlement").fetchone() == (2,)


def test_payments_in_any_order_settle_alike() -> None:
    """Two parts that are all an account paid are one answer, whichever came first."""
    parts: list[Payment] = [("P1", "A1", None, 40, "2026-03-01"), ("P2", "A1", None, 60, "2026-03-02")]
    for payments in (parts, parts[::-1]):
        assert ways(settled([("B1", "A1", 100)], payments)) == {"parts": {("P1", "B1"), ("P2", "B1")}}


def test_a_reversal_takes_back_a_payment_made_before_it() -> None:
    """One of a payment that is not known takes none that was made later; the next one does."""
    payments: list[Payment] = [
        ("R0", "A1", None, -100, "2026-03-01"), ("P1", "A1", None, 100, "2026-03-05"), ("R1", "A1", None, -100, "2026-03-06"),
        ("P2", "A1", None, 100, "2026-03-07"), ("R2", "A1", None, -100, "2026-03-07"), ("R3", "A1", None, -100, "2026-03-08"),
    ]  # fmt: skip
    connection = settled([("B1", "A1", 100)], payments)
    assert ways(connection) == {"reversed": {("P1", None), ("R1", None), ("P2", None), ("R2", None)}}


def _class(book_seed: int, province: str, month: str, account: str) -> str:
    drawn = share(book_seed, "pays", province, month, account)
    return "in full" if drawn < 0.80 else "in parts" if drawn < 0.88 else "too much" if drawn < 0.90 else "reversed"


def test_unnamed_payments_of_a_world_find_their_bills() -> None:
    """Precision and recall a class, no payment naming its bill. What is left over is suggested, never guessed."""
    world = World(seed=5, customers=300)
    nights = [night_of(index) for index in range(1, 36)]
    world.reach(nights[-1])
    truth: dict[str, tuple[str, str]] = {}
    bills: dict[str, Bill] = {}
    payments: list[Payment] = []
    for province, book in world.books.items():
        for night in nights:
            month = charges.billed_month(night)
            totals = billing_units.bill_totals(world, province, month)
            bills |= {
                province + number: (province + number, province + account, fen) for account, (number, fen) in totals.items()
            }
            for number, account, _, fen, _, _, paid_at, *_ in charges.payments(book, night, totals):
                key = f"{province}{number}"
                truth[key] = (_class(book.seed, province, month, str(account)), province + totals[str(account)][0])
                payments.append((key, f"{province}{account}", None, int(str(fen)), str(paid_at)))
    connection = settled(bills.values(), payments)
    told = connection.execute("select payment_no, bill_no, how from settled where how <> 'reversed'").fetchall()
    wanted = Counter(kind for kind, _ in truth.values())
    answered = Counter(truth[payment][0] for payment, _, _ in told)
    right = Counter(truth[payment][0] for payment, bill, _ in told if truth[payment][1] == bill)
    scores = {kind: (right[kind], answered[kind], wanted[kind]) for kind in wanted}
    # (right, answered, all): every answer is right, and every payment of a bill's own amount is answered. Of one paid, reversed
    # and paid again, the first two settle nothing. One that is too much may be for either of two bills: suggested.
    assert scores.keys() == {"in full", "in parts", "too much", "reversed"}
    for kind, (good, given, every) in scores.items():
        assert good == given == {"too much": 0, "reversed": every // 3}.get(kind, every), (kind, scores)
    offered = {(str(payment), str(bill)) for payment, bill in
               connection.execute("select payment_no, bill_no from suggested_settlement").fetchall()}  # fmt: skip
    assert {(payment, bill) for payment, (kind, bill) in truth.items() if kind == "too much"} <= offered


@pytest.mark.postgres
def test_overpaid_anothers_and_reversed_too_often(store_engine: Engine) -> None:
    scene = Scene()
    for account in ("A1", "A2"):
        scene.account(account, f"K{account}", account)
        scene.bill(f"B-{account}", account, 10000, items=1)
        scene.item(f"I-{account}", f"B-{account}", "P00001", 10000, account_no=account)

    def pay(number: str, account: str, bill: str | None, fen: int, day: str) -> None:
        kind = "payment" if fen > 0 else "reversal"
        scene.say("payment", "billing", number, account_no=account, bill_no=bill, amount_fen=fen, payment_kind=kind, paid_at=day)

    pay("Y1", "A1", "B-A1", 10000, "2026-03-01 08:00+08")
    pay("Y2", "A1", "B-A1", 10000, "2026-03-02 08:00+08")
    pay("Y3", "A2", "B-A1", 500, "2026-03-03 08:00+08")
    pay("Y4", "A2", "B-A2", -700, "2026-04-20 08:00+08")
    pay("Y5", "A1", None, -300, "2026-03-04 08:00+08")
    reconcile(store_engine, scene.into_store(store_engine), "20260421", [100], rules=RULES)
    with store_engine.connect() as store:
        rows = store.execute(
            text("select rule_id, subject, money_fen from recon.breaks where recorded_to is null order by rule_id")
        )
        found = {(rule, subject.get("payment_no") or subject["bill_no"], money) for rule, subject, money in rows}
    assert found == {
        ("bill_overpaid", "B-A1", 10000), ("payment_names_anothers_bill", "Y3", 500), ("reversal_without_payment", "B-A2", 700),
    }  # fmt: skip


@pytest.mark.postgres
def test_how_long_payments_are_known_is_each_provinces_own(store_engine: Engine) -> None:
    """A reversal soon after a province's first known payment may be of one before it, however long the other is known."""
    scene = Scene()
    scene.say("payment", "billing", "Y1", account_no="A1", amount_fen=10, payment_kind="payment", paid_at="2026-01-01 08:00+08")
    for number, fen, day in (("Y2", 10, "2026-04-01"), ("Y3", -50, "2026-04-10")):
        kind, paid_at = "payment" if fen > 0 else "reversal", f"{day} 08:00+08"
        scene.say(
            "payment", "billing", number, province="js", account_no="A2", amount_fen=fen, payment_kind=kind, paid_at=paid_at
        )
    summary = reconcile(store_engine, scene.into_store(store_engine), "20260421", [100], rules=[REVERSAL_WITHOUT_PAYMENT])
    assert [(outcome.breaks, outcome.undetermined) for outcome in summary.outcomes] == [(0, 1)]
