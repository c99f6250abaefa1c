"""The price of a month is the price agreed for that month, not today's."""

from __future__ import annotations

from typing import Any

import pytest

from reconcile.rules import RULES
from tests.reconcile.test_catalogue import Rows, base, found, told

RULE = next(rule for rule in RULES if rule.rule_id == "billed_price_differs")


def repriced(completed_on: str, *, billed: int, before: int | None = 10000, now: int = 12000) -> Rows:
    """Product P1, its price changed by an order that was completed on a day; its item of February bears the price `billed`."""
    rows = base()
    rows["product", "P1"]["monthly_price_fen"] = now
    rows["bill_item", "I1"] |= {"price_fen": billed, "amount_fen": billed}
    rows["product_order", "O1"]["price_fen"] = before
    rows["product_order", "O9"] = rows["product_order", "O1"] | {
        "order_no": "O9",
        "order_action": "modify",
        "completed_at": f"{completed_on} 10:00:00+08",
        "price_fen": now,
    }
    return rows


def breaks(rows: Rows) -> list[dict[str, Any]]:
    with told(rows) as connection:
        return found(connection, (RULE,))


@pytest.mark.parametrize(
    ("completed_on", "billed"),
    [("2026-03-03", 10000), ("2026-02-10", 10000), ("2026-02-10", 12000), ("2026-02-01", 10000), ("2026-01-20", 12000)],
    ids=["changed after the month", "changed in it, the old", "changed in it, the new", "on its first day", "changed before it"],
)
def test_a_price_agreed_for_the_month_is_right(completed_on: str, billed: int) -> None:
    assert breaks(repriced(completed_on, billed=billed)) == []


@pytest.mark.parametrize(
    ("completed_on", "billed", "agreed", "fen"),
    [("2026-03-03", 12000, "10000", 2000), ("2026-01-20", 10000, "12000", 2000), ("2026-02-10", 11500, "10000,12000", 500)],
    ids=["the new price too early", "the old price too long", "neither"],
)
def test_a_price_of_another_month_is_a_break(completed_on: str, billed: int, agreed: str, fen: int) -> None:
    assert breaks(repriced(completed_on, billed=billed)) == [
        {"subject": {"product_id_crm": "P1", "month": "202602"}, "left": agreed, "right": str(billed), "money_fen": fen}
    ]


def test_a_month_before_a_change_whose_price_nobody_knows_is_not_judged() -> None:
    """The order that first agreed a price was before the orders known."""
    rows = repriced("2026-03-03", billed=7777)
    del rows["product_order", "O1"]
    assert breaks(rows) == []
    assert breaks(repriced("2026-03-03", billed=7777, before=None)) == []


def test_an_order_that_changes_no_price_or_is_not_completed_changes_nothing() -> None:
    same = repriced("2026-03-03", billed=12000, before=12000)
    assert breaks(same) == []
    open_order = repriced("2026-03-03", billed=12000)
    open_order["product_order", "O9"] |= {"order_state": "acknowledged", "completed_at": None}
    assert breaks(open_order) == []
