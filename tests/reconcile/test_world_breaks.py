"""The catalogue on simulated worlds: every injected contradiction is found, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, text
from worlds import extract

from identity.extract import Extract
from identity.resolve import resolve
from reconcile.rules import RULES
from reconcile.run import ReconcileSummary, reconcile
from simulator import truth
from simulator.dirt import DirtRates
from simulator.world import World
from tests.reconcile.catalogue_names import rule_named, subject_of

NIGHT = "20260305"
MONTHS = ["202601", "202602"]
Case = tuple[str, str, str, str]
# What no contradiction of the simulator shows in this night: each has a golden case.
NOT_INJECTED = {
    "control_totals_differ", "day_swing", "item_for_unknown_bill", "resource_for_unknown_product", "job_for_unknown_order",
    "job_for_unknown_customer", "customer_of_unknown_group", "payment_for_unknown_account",
    "signed_figure_changed", "payment_names_anothers_bill", "reversal_without_payment", "bill_overpaid",
}  # fmt: skip
# Where the truth says what is wrong, and the rule what is at stake: usage after the end, the whole account, the peers' mean.
STAKES_OF_THEIR_OWN = {
    "terminated_but_billed", "billed_but_never_ordered", "charge_unlike_peers", "account_mapped_differently",
    "account_shared_by_customers", "duplicate_account",
}  # fmt: skip
pytestmark = pytest.mark.postgres


@contextmanager
def resolved(engine: Engine, world: World) -> Iterator[Extract]:
    with extract(world, engine, NIGHT, MONTHS) as opened:
        resolve(engine, 0, extract=opened)
        yield opened


def judged(engine: Engine, world: World) -> ReconcileSummary:
    with resolved(engine, world) as opened:
        return reconcile(engine, 0, NIGHT, [1, 2], extract=opened)


def found(engine: Engine) -> dict[Case, int]:
    """(rule, province, month, subject) → fen at stake."""
    with engine.connect() as store:
        rows = store.execute(text("select rule_id, province, subject, money_fen from recon.breaks where recorded_to is null"))
        return {(rule, province, *subject_of(subject)): money for rule, province, subject, money in rows}


def expected(world: World) -> dict[Case, int]:
    cases = truth.inconsistencies(world, MONTHS, [NIGHT])
    named = [(rule_named(case.rule), case) for case in cases]
    return {(rule, c.province, "" if rule == "billed_but_never_ordered" else c.month, c.subject): abs(c.amount_fen)
            for rule, c in named}  # fmt: skip


@pytest.mark.parametrize("dirt", [DirtRates(), DirtRates().tripled()], ids=["default", "tripled"])
def test_every_contradiction_is_found_with_its_money_and_nothing_else(store_engine: Engine, dirt: DirtRates) -> None:
    world = World(seed=5, customers=300, dirt=dirt)
    judged(store_engine, world)
    wanted, seen = expected(world), found(store_engine)
    assert seen.keys() == wanted.keys()
    assert {rule for rule, *_ in seen} >= (set() if world.dirt != DirtRates() else {r.rule_id for r in RULES} - NOT_INJECTED)
    differing = {case: (wanted[case], seen[case]) for case in seen if case[0] not in STAKES_OF_THEIR_OWN}
    assert {case: pair for case, pair in differing.items() if pair[0] != pair[1]} == {}


def whole(engine: Engine) -> list[tuple[object, ...]]:
    """Every break as it stands, what the runs' own times and sequences say left out."""
    with engine.connect() as store:
        rows = store.execute(text("select * from recon.breaks where recorded_to is null order by break_id")).mappings()
        return [tuple(str(value) for name, value in row.items() if name != "recorded_from") for row in rows]


def test_shuffled_rows_and_rules_give_the_same_breaks_with_the_same_ids(store_engine: Engine) -> None:
    world = World(seed=8, customers=150)
    with resolved(store_engine, world) as opened:
        first = reconcile(store_engine, 0, NIGHT, [1, 2], extract=opened)
        before = whole(store_engine)
        assert len(before) == first.breaks > 100
        for entity in opened.entities:
            opened.connection.execute(f"create or replace table core.{entity} as from core.{entity} order by md5(source_key)")
        again = reconcile(store_engine, 0, NIGHT, [1, 2], rules=RULES[::-1], extract=opened)
        assert (again.opened, again.closed, whole(store_engine)) == (0, 0, before)


def test_a_clean_world_gives_no_break(store_engine: Engine) -> None:
    """Though prices changed in it: a month before the change is rightly charged at what CRM no longer shows."""
    world = World(seed=7, customers=200, dirt=DirtRates.clean())
    summary = judged(store_engine, world)
    changes = [day for book in world.books.values() for day, _ in book.price_before.values()]
    assert any(f"{day:%Y%m}" >= MONTHS[0] for day in changes)
    assert any(f"{day:%Y%m}" < MONTHS[0] for day in changes)
    assert (summary.breaks, summary.blocks_publication) == (0, False)
    silent = {outcome.rule_id for outcome in summary.outcomes if not outcome.subjects}
    assert silent <= {"control_totals_differ", "day_swing", "signed_figure_changed", "reversal_without_payment"}, (
        "every rule that reads rows judged some"
    )
