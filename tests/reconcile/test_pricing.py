"""The price of a month is the price agreed for that month, not today's."""

from __future__ import annotations

import json
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


def test_what_is_at_stake_is_the_difference_times_the_pieces_for_the_days_charged() -> None:
    rows = repriced("2026-01-20", billed=10000)
    rows["bill_item", "I1"] |= {"quantity": 10, "charged_from": "2026-02-15"}
    assert [found["money_fen"] for found in breaks(rows)] == [2000 * 10 // 2]


def test_the_orders_that_agreed_the_price_are_named() -> None:
    with told(repriced("2026-03-03", billed=12000)) as connection:
        found(connection, (RULE,))
        [(refs,)] = connection.execute("select refs from finding").fetchall()
    assert {"entity": "product_order", "system": "orders", "province": "gd", "source_key": "O9"} in json.loads(refs)


def test_a_price_is_not_judged_while_an_order_of_its_product_is_in_quarantine() -> None:
    rows = repriced("2026-03-03", billed=10000)
    del rows["product_order", "O9"]
    assert len(breaks(rows)) == 1
    with told(rows) as connection:
        for table in ("product", "bill_item", "product_order"):
            connection.execute(f"update core.{table} set product_id_crm = 'P1001' where product_id_crm = 'P1'")
        connection.execute("insert into withheld_row values ('product_order', 'gd', 'O9,P1001,M')")
        assert found(connection, (RULE,)) == []


def test_a_product_that_was_ordered_anew_at_another_price_keeps_the_price_of_the_months_before() -> None:
    rows = repriced("2026-03-03", billed=10000)
    rows["product_order", "O9"]["order_action"] = "add"
    assert breaks(rows) == []


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
