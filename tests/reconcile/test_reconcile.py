"""Each rule's true and false cases, and the life of a break, in a real store."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from scene import Scene
from sqlalchemy import Engine, text

import reconcile as room
from identity.resolve import resolve
from reconcile.rule import Severity
from reconcile.rules import rule_of
from reconcile.run import reconcile
from tests.reconcile.stage import NEXT, NIGHT, RULES, batch, breaks, one, run, two_customers

pytestmark = pytest.mark.postgres


@pytest.fixture
def scene() -> Scene:
    return two_customers()


def test_data_that_agrees_gives_no_break(store_engine: Engine, scene: Scene) -> None:
    summary = run(store_engine, scene)
    assert summary.breaks == 0
    assert {outcome.rule_id: outcome.subjects for outcome in summary.outcomes} == {
        "terminated_but_billed": 0, "billed_but_never_ordered": 4, "active_but_not_billed": 4,
        "invoice_is_not_sum_of_items": 2, "account_mapped_differently": 2,
    }  # fmt: skip
    assert all(outcome.passed for outcome in summary.outcomes)


def test_terminated_but_billed(store_engine: Engine, scene: Scene) -> None:
    scene.product("P00001", "C1", account_no="A1", product_status="terminated", ended_on="2026-01-15")
    scene.product("P00002", "C1", account_no="A1", product_status="terminated", ended_on="2026-02-15")
    scene.product("P00003", "C2", account_no="A2", product_status="terminated", ended_on="2026-01-15")
    scene.item("I-P00003", "B-A2", "P00003", 10000, account_no="A2", charge_item="usage")
    scene.product("P00004", "C2", account_no="A2", product_status="terminated", ended_on="2026-01-15")
    scene.item("I-P00004-", "B-A2", "P00004", -10000, account_no="A2")
    scene.bill("B-A2", "A2", 10000, items=3)
    run(store_engine, scene)
    assert breaks(store_engine) == {"terminated_but_billed": {"202602 P00001"}}
    found = one(store_engine)
    assert (found["left_value"], found["right_value"], found["money_fen"]) == ("2026-01-15", "2026-02-01", 10000)
    assert (found["details"], found["owner"]) == ({"items": 1, "bill_no": "B-A1"}, "billing-assurance")
    assert f"{found['due_at']:%Y%m%d %H}" == "20260306 16"


def test_billed_but_never_ordered(store_engine: Engine, scene: Scene) -> None:
    scene.order("O-P00001", "DC1", product_id_crm="P00001", order_action="modify")
    scene.order("O-P00001", "DC1", product_id_crm="P00001", province="js")
    run(store_engine, scene)
    assert breaks(store_engine) == {"billed_but_never_ordered": {"P00001"}}


def test_active_but_not_billed(store_engine: Engine, scene: Scene) -> None:
    scene.product("P00005", "C1", account_no="A1", monthly_price_fen=7700)
    scene.order("O-P00005", "DC1", product_id_crm="P00005")
    scene.product("P00006", "C1", account_no="A1", started_on="2026-02-01")
    scene.product("P00007", "C1", account_no="A1", product_status="suspended")
    scene.product("P00008", "C1", account_no=None)
    summary = run(store_engine, scene)
    assert breaks(store_engine) == {"active_but_not_billed": {"202602 P00005"}}
    assert one(store_engine)["money_fen"] == 7700
    outcome = next(o for o in summary.outcomes if o.rule_id == "active_but_not_billed")
    assert (outcome.subjects, outcome.tolerance, outcome.passed) == (5, "≤ 5.00%", False)


def test_a_month_is_judged_by_what_the_product_was_then(store_engine: Engine, scene: Scene) -> None:
    """A break is not mended by ending or suspending the product in March, nor made by resuming it."""
    for number in (5, 6, 7):
        scene.order(f"O-P0000{number}", "DC1", product_id_crm=f"P0000{number}")
    scene.product("P00005", "C1", account_no="A1")
    scene.product("P00006", "C1", account_no="A1")
    scene.product("P00007", "C1", account_no="A1", product_status="suspended")
    rules = (*RULES, rule_of("in_use_without_revenue"))
    first = run(store_engine, scene, rules=rules)
    unbilled = {"active_but_not_billed": {"202602 P00005", "202602 P00006"}, "in_use_without_revenue": {"P00005", "P00006"}}
    assert breaks(store_engine) == unbilled
    scene.product("P00005", "C1", account_no="A1", product_status="terminated", ended_on="2026-02-28", day=1)
    scene.product("P00006", "C1", account_no="A1", product_status="suspended", day=1)
    scene.product("P00007", "C1", account_no="A1", day=1)
    second = run(store_engine, scene, NEXT, rules=rules)
    assert breaks(store_engine) == unbilled
    for rule in unbilled:
        assert [o.subjects for run_ in (first, second) for o in run_.outcomes if o.rule_id == rule] == [6, 7], rule


def test_a_share_within_the_tolerance_passes_and_every_case_is_listed(store_engine: Engine, scene: Scene) -> None:
    for i in range(40):
        scene.product(f"P1{i:04d}", "C1", account_no="A1")
        scene.order(f"O1{i:04d}", "DC1", product_id_crm=f"P1{i:04d}")
        if i:
            scene.item(f"I1{i:04d}", "B-A1", f"P1{i:04d}", 0, account_no="A1")
    summary = run(store_engine, scene)
    outcome = next(o for o in summary.outcomes if o.rule_id == "active_but_not_billed")
    assert (outcome.breaks, outcome.passed, summary.blocks_publication) == (1, True, False)


def test_invoice_is_not_the_sum_of_its_items(store_engine: Engine, scene: Scene) -> None:
    scene.bill("B-A1", "A1", 19999, items=2)
    run(store_engine, scene)
    assert breaks(store_engine) == {"invoice_is_not_sum_of_items": {"B-A1 202602"}}
    found = one(store_engine)
    assert (found["left_value"], found["right_value"], found["money_fen"]) == ("19999", "20000", 1)


def test_a_bill_without_any_item_is_compared_too(store_engine: Engine, scene: Scene) -> None:
    scene.bill("B-A3", "A1", 500, items=1)
    scene.bill("B-A4", "A1", 500, month="202601")
    run(store_engine, scene)
    assert breaks(store_engine) == {"invoice_is_not_sum_of_items": {"B-A3 202602"}}


def test_account_mapped_to_different_customers(store_engine: Engine, scene: Scene) -> None:
    scene.account("A1", "KC1", "C1", customer_id_crm="C2")
    run(store_engine, scene)
    assert breaks(store_engine) == {"account_mapped_differently": {"A1"}}
    found = one(store_engine)
    assert (found["left_value"], found["right_value"], found["money_fen"]) == ("C2", "C1", 20000)


def test_two_crm_records_of_one_customer_are_not_different_customers(store_engine: Engine, scene: Scene) -> None:
    code = "91440101MA59P7XQ24"
    scene.crm("C1", "华恒", uscc=code)
    scene.crm("C9", "华恒", uscc=code)
    scene.account("A1", "KC1", "C1", customer_id_crm="C9", uscc=code)
    assert run(store_engine, scene).breaks == 0


def test_a_province_whose_orders_never_came_is_not_judged(store_engine: Engine, scene: Scene) -> None:
    for key in [row["source_key"] for row in scene.of("product_order")]:
        scene.forget("product_order", "orders", key)
    summary = run(store_engine, scene)
    assert summary.breaks == 0
    assert next(o for o in summary.outcomes if o.rule_id == "billed_but_never_ordered").subjects == 0


def whole(engine: Engine) -> list[tuple[object, ...]]:
    with engine.connect() as store:
        found = store.execute(text("select * from recon.breaks order by break_id, recorded_from")).all()
        runs = store.execute(text("select * from recon.rule_run order by seq, rule_id")).all()
        return [tuple(row) for row in (*found, *runs)]


def test_the_same_night_again_changes_nothing_and_the_next_night_is_seen(store_engine: Engine, scene: Scene) -> None:
    scene.bill("B-A1", "A1", 19999, items=2)
    first = run(store_engine, scene)
    before = whole(store_engine)
    again = run(store_engine, scene)
    assert whole(store_engine) == before
    assert (first.opened, again.opened, again.breaks) == (1, 0, 1)
    run(store_engine, scene, NEXT)
    found = one(store_engine)
    assert (found["first_seen_cycle"], found["last_seen_cycle"], found["state"]) == (NIGHT, NEXT, "open")


def test_a_break_closes_when_the_data_agrees_and_opens_again(store_engine: Engine, scene: Scene) -> None:
    scene.bill("B-A1", "A1", 19999, items=2)
    run(store_engine, scene)
    born = one(store_engine)["break_id"]
    scene.bill("B-A1", "A1", 20000, items=2)
    assert run(store_engine, scene, NEXT).closed == 1
    assert one(store_engine)["state"] == "closed"
    scene.bill("B-A1", "A1", 18888, items=2)
    assert run(store_engine, scene, "20260307").reopened == 1
    found = one(store_engine)
    assert (found["break_id"], found["state"], found["reopened"], found["first_seen_cycle"]) == (born, "open", 1, NIGHT)
    assert f"{found['due_at']:%Y%m%d}" == "20260308"


def test_a_break_stays_while_its_rule_or_its_month_is_not_judged(store_engine: Engine, scene: Scene) -> None:
    scene.bill("B-A1", "A1", 19999, items=2)
    run(store_engine, scene)
    scene.bill("B-A1", "A1", 20000, items=2)
    others = tuple(rule for rule in RULES if rule.rule_id != "invoice_is_not_sum_of_items")
    run(store_engine, scene, NEXT, rules=others)
    assert one(store_engine)["state"] == "open"
    resolved = resolve(store_engine, scene.into_store(store_engine))
    reconcile(store_engine, resolved.seq, NEXT, [], ["202601"], rules=RULES)
    assert one(store_engine)["state"] == "open"


def test_a_swing_stays_until_its_own_night_is_judged_again(store_engine: Engine, scene: Scene) -> None:
    rules = (rule_of("day_swing"),)
    nights = {1: ("20260304", 100), 2: ("20260305", 200), 3: ("20260306", 201)}
    summaries = []
    for number, (night, accepted) in nights.items():
        batch(store_engine, number, "account", system="billing", period=night, accepted=accepted, accepted_fen=0, loaded_seq=1)
        summaries.append(run(store_engine, scene, night, rules=rules))
    assert [(summary.opened, summary.closed) for summary in summaries] == [(0, 0), (1, 0), (0, 0)]
    assert breaks(store_engine) == {"day_swing": {"billing.account 20260305"}}


def test_a_swing_closes_when_its_night_comes_again_without_it(store_engine: Engine, scene: Scene) -> None:
    rules = (rule_of("day_swing"),)
    for number, night, accepted in ((1, "20260304", 100), (2, "20260305", 200), (3, "20260305", 101)):
        batch(store_engine, number, "account", system="billing", period=night, accepted=accepted, accepted_fen=0, loaded_seq=1)
        summary = run(store_engine, scene, night, rules=rules)
    assert summary.closed == 1


def test_what_a_person_said_of_a_break_stays(store_engine: Engine, scene: Scene) -> None:
    scene.bill("B-A1", "A1", 19999, items=2)
    run(store_engine, scene)
    with store_engine.begin() as store:
        store.execute(text("update recon.breaks set state = 'explained', owner = 'zhang'"))
    run(store_engine, scene, NEXT)
    found = one(store_engine)
    assert (found["state"], found["owner"], found["last_seen_cycle"]) == ("explained", "zhang", NEXT)


def test_rules_in_any_order_give_the_same_breaks_with_the_same_ids(store_engine: Engine, scene: Scene) -> None:
    scene.bill("B-A1", "A1", 19999, items=2)
    scene.account("A2", "KC2", "C2", customer_id_crm="C1")
    run(store_engine, scene)
    before = [row for row in whole(store_engine) if str(row[0]).startswith("B")]
    run(store_engine, scene, rules=RULES[::-1])
    assert [row for row in whole(store_engine) if str(row[0]).startswith("B")] == before


def test_a_critical_rule_above_its_bound_stops_the_publication(store_engine: Engine, scene: Scene) -> None:
    scene.bill("B-A1", "A1", 19999, items=2)
    assert not run(store_engine, scene).blocks_publication
    strict = tuple(replace(rule, stops_floor=0) for rule in RULES)
    summary = run(store_engine, scene, rules=strict)
    assert summary.blocks_publication
    assert summary.reasons == (
        "Invoice is not the sum of its items: 1 / 2, ¥0.01; the bound is 10.00% · 账单与明细合计不符: 1 / 2, ¥0.01; 上限 10.00%",
    )
    patient = tuple(replace(rule, stops_above=Decimal("0.5")) for rule in strict)
    assert not run(store_engine, scene, rules=patient).blocks_publication


def test_a_rule_without_a_bound_cannot_be_critical() -> None:
    with pytest.raises(ValueError, match="critical"):
        replace(RULES[0], stops_above=None)
    assert replace(RULES[0], stops_above=None, severity=Severity.MAJOR).stops_above is None


def test_money_is_never_a_float() -> None:
    folder = Path(str(room.__file__)).parent
    files = sorted(folder.rglob("*.py"))
    assert len(files) > 5
    # In quotes, it is the name of a type that a file's reader tells apart; nothing is computed in it.
    used = re.compile(r"(?<![\"'])\b(float|double|real)\b(?![\"'])", re.IGNORECASE)
    assert not [file.name for file in files if used.search(file.read_text())]
