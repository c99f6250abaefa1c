"""The five rules on a simulated world: every injected contradiction is found, and nothing else."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text
from worlds import extract

from identity.resolve import resolve
from reconcile.run import ReconcileSummary, reconcile
from simulator import truth
from simulator.dirt import DirtRates
from simulator.world import World

NIGHT = "20260305"
MONTHS = ["202601", "202602"]
OUR_NAMES = {
    truth.TERMINATED_BUT_BILLED: "terminated_but_billed",
    truth.BILLED_NEVER_ORDERED: "billed_but_never_ordered",
    truth.ACTIVE_NOT_BILLED: "active_but_not_billed",
    truth.INVOICE_DIFFERS: "invoice_is_not_sum_of_items",
    truth.ACCOUNT_MAPPED_ELSEWHERE: "account_mapped_differently",
}
pytestmark = pytest.mark.postgres


def judged(engine: Engine, world: World) -> ReconcileSummary:
    with extract(world, engine, NIGHT, MONTHS) as opened:
        resolve(engine, 0, extract=opened)
        return reconcile(engine, 0, NIGHT, [1, 2], extract=opened)


def found(engine: Engine) -> set[tuple[str, str, str, str]]:
    with engine.connect() as store:
        rows = store.execute(text("select rule_id, province, subject from recon.breaks where recorded_to is null"))
        return {(rule, province, s.pop("month", ""), next(iter(s.values()))) for rule, province, s in rows}


@pytest.mark.parametrize("dirt", [DirtRates(), DirtRates().tripled()], ids=["default", "tripled"])
def test_every_contradiction_is_found_and_nothing_else(store_engine: Engine, dirt: DirtRates) -> None:
    world = World(seed=5, customers=300, dirt=dirt)
    judged(store_engine, world)
    expected = {
        (rule, case.province, "" if rule == "billed_but_never_ordered" else case.month, case.subject)
        for case in truth.inconsistencies(world, MONTHS)
        for rule in [OUR_NAMES[case.rule]]
    }
    assert {case[0] for case in expected} == set(OUR_NAMES.values())
    assert found(store_engine) == expected


def test_money_at_stake_is_the_truths(store_engine: Engine) -> None:
    world = World(seed=6, customers=200)
    judged(store_engine, world)
    expected = {
        (case.subject, case.month): abs(case.amount_fen)
        for case in truth.inconsistencies(world, MONTHS)
        if case.rule in (truth.INVOICE_DIFFERS, truth.ACTIVE_NOT_BILLED)
    }
    with store_engine.connect() as store:
        rows = store.execute(
            text(
                "select coalesce(subject ->> 'bill_no', subject ->> 'product_id_crm'), subject ->> 'month', money_fen "
                "from recon.breaks where rule_id in ('invoice_is_not_sum_of_items', 'active_but_not_billed')"
            )
        )
        money = {(subject, month): fen for subject, month, fen in rows}
    # Keys of two provinces overlap; within one rule and month this world's do not.
    assert money.keys() == expected.keys()
    assert all(money[key] == expected[key] for key in expected)


def test_a_clean_world_gives_no_break(store_engine: Engine) -> None:
    summary = judged(store_engine, World(seed=7, customers=200, dirt=DirtRates.clean()))
    assert (summary.breaks, summary.blocks_publication) == (0, False)
    assert all(outcome.subjects > 0 for outcome in summary.outcomes)
