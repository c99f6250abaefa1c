"""Rows in quarantine: what they may explain is neither opened nor closed, and nothing else is held back by them."""

from __future__ import annotations

import pytest
from scene import Scene
from sqlalchemy import Engine, text

from reconcile.rules import rule_of
from tests.reconcile.stage import FEBRUARY, NEXT, batch, breaks, quarantine, run, two_customers

pytestmark = pytest.mark.postgres


@pytest.fixture
def scene() -> Scene:
    return two_customers()


@pytest.mark.parametrize("raw", [b"I9|B-A1|A1|P00005|x", b"I9|B-A1|A1|\xff\x00\xbbP00005|5,000"])
def test_what_quarantine_may_explain_is_undetermined(store_engine: Engine, scene: Scene, raw: bytes) -> None:
    scene.product("P00005", "C1", account_no="A1")
    scene.order("O-P00005", "DC1", product_id_crm="P00005")
    scene.bill("B-A1", "A1", 30000, items=3)
    quarantine(store_engine, "bill_item", raw, FEBRUARY)
    summary = run(store_engine, scene)
    assert summary.breaks == 0
    assert sum(outcome.undetermined for outcome in summary.outcomes) == 2


def test_quarantine_explains_no_difference_of_a_bill_whose_items_are_all_there(store_engine: Engine, scene: Scene) -> None:
    scene.bill("BILL01", "A1", 10001, items=1)
    scene.item("I-x", "BILL01", "P00001", 10000, account_no="A1")
    quarantine(store_engine, "bill_item", b"I9|BILL01|A1|P00005|x", FEBRUARY)
    run(store_engine, scene)
    assert breaks(store_engine) == {"invoice_is_not_sum_of_items": {"BILL01 202602"}}


def test_an_order_in_quarantine_leaves_its_product_undetermined(store_engine: Engine, scene: Scene) -> None:
    scene.forget("product_order", "orders", "O-P00001")
    quarantine(store_engine, "product_order", b"PO1,D1,x,,C1,P00001,ZZ", 7)
    assert run(store_engine, scene).breaks == 0


ORDER = b"PO0001,D1,x,,C1,P00001,ZZ"
PAGE = b'{"customer_ref": "O-P00002", "order_no": "PO0001", "product": "P00001"}'
DAILY = {"system": "orders", "period": "20260302", "kind": "incremental"}
LOADED = {**DAILY, "loaded_seq": 1}


@pytest.mark.parametrize(
    ("later", "withholds"),
    [(None, True), ({**LOADED, "period": "20260303"}, True), (LOADED, False), ({**LOADED, "loaded_seq": None}, True),
     ({**LOADED, "period": "20260303", "kind": "full"}, False), ({**LOADED, "period": "20260303", "kind": "initial"}, False),
     ({**LOADED, "period": "20260301", "kind": "full"}, True), ({**LOADED, "kind": "full", "loaded_seq": 10**6}, True),
     ({**LOADED, "kind": "full", "province": "js"}, True), ({**LOADED, "kind": "event"}, True),
     ({**LOADED, "kind": "event", "delivery": '{"replay_of": 7}'}, False),
     ({**LOADED, "kind": "event", "delivery": '{"replay_of": 6}'}, True)],
)  # fmt: skip
def test_quarantine_withholds_until_its_delivery_came_again(
    store_engine: Engine, scene: Scene, later: dict[str, object] | None, withholds: bool
) -> None:
    scene.forget("product_order", "orders", "O-P00001")
    quarantine(store_engine, "product_order", ORDER, 7, **{**DAILY, "kind": (later or DAILY)["kind"]})
    if later:
        batch(store_engine, 8, "product_order", **later)
    assert run(store_engine, scene).breaks == (0 if withholds else 1)


@pytest.mark.parametrize(("superseded", "withholds"), [(1, False), (10**6, True)])
def test_quarantine_of_a_superseded_batch_withholds_nothing(
    store_engine: Engine, scene: Scene, superseded: int, withholds: bool
) -> None:
    scene.forget("product_order", "orders", "O-P00001")
    quarantine(store_engine, "product_order", ORDER, 7, **DAILY, superseded_seq=superseded)
    assert run(store_engine, scene).breaks == (0 if withholds else 1)


@pytest.mark.parametrize(
    ("layout", "raw", "key", "came_in", "withholds"),
    [("csv", ORDER, "PO0001", 9, False), ("csv", b"\xff\x00" + ORDER, "PO0001", 9, False), ("csv", ORDER, "PO0001", 6, True),
     ("csv", ORDER, "PO0002", 9, True), ("csv", b"?,D1,x,,C1,P00001,ZZ", "PO0001", 9, True),
     ("json_page", PAGE, "PO0001", 9, False), ("json_page", PAGE, "O-P00002", 9, True)],
)  # fmt: skip
def test_quarantine_withholds_until_a_row_of_its_key_is_accepted(
    store_engine: Engine, scene: Scene, layout: str, raw: bytes, key: str, came_in: int, withholds: bool
) -> None:
    scene.forget("product_order", "orders", "O-P00001")
    scene.order(key, "DC1", product_id_crm="P00002", batch_id=came_in)
    quarantine(store_engine, "product_order", raw, 7, **DAILY, delivery=f'{{"layout": "{layout}"}}')
    assert run(store_engine, scene).breaks == (0 if withholds else 1)


def its_charge_goes(engine: Engine, scene: Scene) -> None:
    """A terminated product was billed, one night; on the next its charge is not among the accepted rows."""
    scene.product("P00001", "C1", account_no="A1", product_status="terminated", ended_on="2026-01-15")
    run(engine, scene)
    scene.forget("bill_item", "billing", "I-P00001")
    scene.bill("B-A1", "A1", 10000, items=1)


@pytest.mark.parametrize(
    ("feed", "raw"),
    [("bill_item", b"I-P00001|B-A1|A1|P00001|x"), ("bill_item", b"I-P00001|B-A1|A1|?|x"), ("product_instance", b"P00001,C1,?")],
)
def test_a_break_whose_row_went_into_quarantine_is_not_mended(store_engine: Engine, scene: Scene, feed: str, raw: bytes) -> None:
    its_charge_goes(store_engine, scene)
    quarantine(store_engine, feed, raw, FEBRUARY)
    assert run(store_engine, scene, NEXT).closed == 0
    assert breaks(store_engine) == {"terminated_but_billed": {"202602 P00001"}}
    with store_engine.begin() as store:
        store.execute(text("delete from hub.quarantine"))
    assert run(store_engine, scene, "20260307").closed == 1


def test_a_payment_that_went_into_quarantine_is_not_mended(store_engine: Engine, scene: Scene) -> None:
    scene.say("payment", "billing", "PAY001", account_no="NOBODY", bill_no=None, amount_fen=1, payment_kind="payment",
              paid_at="2026-03-04 10:00:00+08")  # fmt: skip
    scene.say("payment", "billing", "PAY002", account_no="A1", bill_no=None, amount_fen=1, payment_kind="payment",
              paid_at="2026-03-04 10:00:00+08")  # fmt: skip
    rules = (rule_of("payment_for_unknown_account"),)
    run(store_engine, scene, rules=rules)
    scene.forget("payment", "billing", "PAY001")
    quarantine(store_engine, "payment", b"PAY001|?", 7)
    assert run(store_engine, scene, NEXT, rules=rules).closed == 0
    assert breaks(store_engine) == {"payment_for_unknown_account": {"PAY001"}}


@pytest.mark.parametrize(("came", "closed"), [(True, 1), (False, 0)])
def test_items_of_an_account_that_came_are_mended_whatever_lies_in_quarantine(
    store_engine: Engine, scene: Scene, came: bool, closed: int
) -> None:
    """Where the account came, the one in quarantine proves nothing; where all of them went, it may be all there is."""
    scene.item("I-LOST", "B-A1", "P00001", 1, account_no="ACCT9")
    rules = (rule_of("item_for_unknown_account"),)
    run(store_engine, scene, rules=rules)
    quarantine(store_engine, "bill_item", b"I-OTHER|B-A1|ACCT9|P00001|x", FEBRUARY)
    if came:
        scene.account("ACCT9", "K9", "C1")
    else:
        scene.forget("bill_item", "billing", "I-LOST")
    assert run(store_engine, scene, NEXT, rules=rules).closed == closed


@pytest.mark.parametrize(
    ("feed", "raw"), [("bill_item", b"I-P00009|B-A9|A9|P00009|202602"), ("work_order", b"W1|P00001"), ("bill", b"I-P00001|x")]
)
def test_quarantine_of_other_rows_keeps_no_break_open(store_engine: Engine, scene: Scene, feed: str, raw: bytes) -> None:
    its_charge_goes(store_engine, scene)
    quarantine(store_engine, feed, raw, FEBRUARY)
    assert run(store_engine, scene, NEXT).closed == 1
