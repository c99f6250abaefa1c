"""Invariant 2: a step killed with SIGKILL at any of its commits, and between them, and run again, leaves the store of an
undisturbed run. Feeds taken in any order leave the same store, too.

One province of a small world: a night published, the next one's deliveries come. A month's items are sent again, so that a
partition is replaced; accounts are a whole picture, so that rows change.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from sqlalchemy import text

from hub.periods import period_for_cycle
from pipeline import Hub, cutoff, gate, load, pull, run_feed, unify, verify_store
from pipeline.staging import workspace
from schemas.contracts import CONTRACTS
from simulator import billing
from store.checks_core import check_history
from store.checks_ledger import check_accounts, check_chain, check_order
from store.checks_publication import check_publications
from store.checksums import checksums
from tests.e2e.conftest import BuildRig
from tests.e2e.expected_store import month_item
from tests.e2e.killed import COMMIT, KillPoint, Step, counting, run_killed
from tests.e2e.world import Rig

pytestmark = [pytest.mark.postgres, pytest.mark.e2e, pytest.mark.timeout(1800)]

PROVINCE, FIRST, SECOND, MONTH = "gd", "20260304", "20260305", "202602"
STATE, FACT, EXTRACT = ("billing.account", SECOND), ("billing.bill_item", MONTH), ("orders.product_order", SECOND)
CHANGED = ["crm.customer", "crm.contact", "crm.product_instance", "orders.product_order", "group.group_customer"]
"""Feeds loaded on the second night beside the two under test: enough to change identities and breaks."""

Feed = tuple[str, str]  # feed_id, period


@dataclass
class Stages:
    """The same store at successive moments of the second night. A test works on a copy."""

    rig: Rig
    published: Hub
    landed: Hub
    gated: Hub
    loaded: Hub
    batches: dict[Feed, list[int]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def stages(build_rig: BuildRig) -> Stages:
    rig = build_rig(customers=40, seed=11)
    rig.play(FIRST)
    published = rig.new_hub()
    for contract in CONTRACTS.values():
        run_feed(published, contract.feed_id, PROVINCE, period_for_cycle(FIRST, contract.period))
    finish_night(published, FIRST)
    rig.play(SECOND)
    send_month_again(rig)
    landed = rig.copy_of(published)
    batches = {feed: pull(landed, feed[0], PROVINCE, feed[1]) for feed in (STATE, FACT)}
    gated = rig.copy_of(landed)
    for batch_ids in batches.values():
        gate(gated, batch_ids)
    loaded = rig.copy_of(gated)
    for batch_ids in batches.values():
        load(loaded, batch_ids)
    for feed_id in CHANGED:
        run_feed(loaded, feed_id, PROVINCE, SECOND)
    cutoff(loaded, SECOND)
    return Stages(rig, published, landed, gated, loaded, batches)


def finish_night(hub: Hub, night: str) -> None:
    """What did not come is named, the rest published."""
    cutoff(hub, night)
    assert unify(hub, night).publication_id is not None


def send_month_again(rig: Rig) -> None:
    item, _ = month_item(rig.world, PROVINCE, MONTH)
    amend = {"01003": {str(item["item_no"]): {"amount_fen": int(str(item["amount_fen"])) + 100}}}
    billing.deliver_month(rig.world, MONTH, PROVINCE, rig.simulation.drop_directory(PROVINCE), resend=1, amend=amend)


def at_every_commit(rig: Rig, start: Hub, step: Step) -> list[KillPoint]:
    """Before each commit that an undisturbed run of the step makes, and after its last."""
    hub = rig.copy_of(start)
    with counting(COMMIT) as commits:
        step.run(hub)
    assert commits() > 1
    return [*(KillPoint(COMMIT, n) for n in range(1, commits() + 1)), KillPoint(COMMIT, commits(), after=True)]


def survives(
    stages: Stages, start: Hub, step: Step, points: Sequence[KillPoint], finish: Callable[[Hub], object] | None = None
) -> Hub:
    """Kills the step at each point, each time on a fresh copy, finishes by `finish` (the step again, unless told otherwise), and
    compares with an undisturbed run. Returns the last copy."""
    finish = finish or step.run
    undisturbed = stages.rig.copy_of(start)
    before = portal(undisturbed)
    finish(undisturbed)
    wanted, hub = said(undisturbed), undisturbed
    for point in points:
        hub = stages.rig.copy_of(start)
        run_killed(step, point, hub, stages.rig.connections)
        assert portal(hub) in (before, portal(undisturbed)), f"half a publication is shown, killed {point}"
        finish(hub)
        assert said(hub) == wanted, f"killed {point}"
        assert work_tables(hub) == [], f"killed {point}"
        assert ledger_findings(hub) == [], f"killed {point}"
    assert verify_store(hub) == []
    return hub


def portal(hub: Hub) -> dict[str, str]:
    return {name: digest for name, digest in checksums(hub.engine).items() if name.startswith("portal_v1.")}


def said(hub: Hub) -> dict[str, object]:
    """What the store holds, and what its ledger says of judged batches and of feeds; their numbers, tries and times left out.

    Pages name when they were served, so the same rows asked for again are other bytes.
    """
    content = "case when b.delivery ->> 'layout' like '%page' then '' else b.content_digest end"
    batches = f"""select b.system, b.feed, b.province, b.period, b.kind, b.resend, {content}, b.state, b.received, b.accepted,
        b.quarantined, b.duplicate, b.inserted, b.updated, b.unchanged, b.stale, b.deleted, b.vanished, n.content_digest
        from hub.batch b left join hub.batch n on n.batch_id = b.superseded_by
        where b.state <> 'landed' order by 1, 2, 3, 4, 5, 6, 7"""
    feeds = "select system, feed, province, last_period, expected_period, watermark from hub.feed_state order by 1, 2, 3"
    quarantined = f"""select b.system, b.feed, b.province, b.period, {content}, q.row_no, q.outcome, q.reason, q.rule_id, q.raw
        from hub.quarantine q join hub.batch b using (batch_id) order by 1, 2, 3, 4, 5, 6"""
    asked = {"batches": batches, "feeds": feeds, "quarantine": quarantined}
    with hub.engine.connect() as connection:
        rows = {name: [tuple(row) for row in connection.execute(text(query))] for name, query in asked.items()}
    return {**checksums(hub.engine), **rows}


def work_tables(hub: Hub) -> list[str]:
    with hub.engine.connect() as connection:
        return list(connection.execute(text("select tablename from pg_tables where schemaname = 'work'")).scalars())


def ledger_findings(hub: Hub) -> list[object]:
    """What `verify` finds without staging every batch again; the last copy of a test is verified whole."""
    with hub.engine.connect() as connection:
        checks = (check_accounts, check_chain, check_order, check_history, check_publications)
        return [finding for check in checks for finding in check(connection)]


@pytest.mark.parametrize("feed", [STATE, ("crm.customer", SECOND)], ids=["files", "pages"])
def test_a_pull_killed_anywhere_lands_the_same(stages: Stages, feed: Feed) -> None:
    """Half an object in landing is never taken for one."""
    step = Step("pull", (feed[0], PROVINCE, feed[1]))
    halves = [KillPoint("store.landing:Landing._settle"), KillPoint("store.landing:Landing._settle", after=True)]
    points = [*at_every_commit(stages.rig, stages.published, step), *halves]
    survives(stages, stages.published, step, points, lambda hub: run_feed(hub, feed[0], PROVINCE, feed[1]))


@pytest.mark.parametrize("feed", [EXTRACT, STATE], ids=["extract", "files"])
def test_a_pull_killed_while_it_stages_ahead_lands_and_is_judged_the_same(stages: Stages, feed: Feed) -> None:
    feed_id, period = feed
    landing_it = Step("pull", (feed_id, PROVINCE, period))
    keeping = "adapters.staging.ahead:StagingSink._keep"
    kept = [KillPoint("adapters.staging.staged:_write"), KillPoint(keeping), KillPoint(keeping, after=True)]
    survives(stages, stages.published, landing_it, kept, lambda hub: run_feed(hub, feed_id, PROVINCE, period))

    pulled = stages.rig.copy_of(stages.published)
    judging = Step("gate", (pull(pulled, feed_id, PROVINCE, period),))
    taken = [KillPoint("pipeline.staging:take"), KillPoint("pipeline.staging:take", after=True)]

    def finish(hub: Hub) -> None:
        judging.run(hub)
        load(hub, *judging.arguments)

    survives(stages, pulled, judging, taken, finish)


@pytest.mark.parametrize("feed", [STATE, FACT], ids=["state", "fact"])
def test_a_gate_killed_anywhere_judges_the_same(stages: Stages, feed: Feed) -> None:
    step = Step("gate", (stages.batches[feed],))
    points = at_every_commit(stages.rig, stages.landed, step)
    if feed == FACT:
        seams = ("pipeline.staging:judge", "quality.quarantine:_must_be_all", "pipeline.gate:write_quarantine")
        points = [KillPoint(seam, after=True) for seam in seams]

    def finish(hub: Hub) -> None:
        step.run(hub)
        load(hub, stages.batches[feed])

    survives(stages, stages.landed, step, points, finish)


def test_a_load_of_states_killed_anywhere_loads_the_same(stages: Stages) -> None:
    step = Step("load", (stages.batches[STATE],))
    filled = [
        KillPoint("store.merge:merge"),
        KillPoint("store.ledger:record_load"),
        KillPoint("store.ledger:record_load", after=True),
    ]
    survives(stages, stages.gated, step, [*at_every_commit(stages.rig, stages.gated, step), *filled])


def test_a_load_of_facts_killed_anywhere_loads_the_same(stages: Stages) -> None:
    step = Step("load", (stages.batches[FACT],))
    aside = [KillPoint("store.facts:build_key"), KillPoint("store.facts:attach"), KillPoint("store.facts:attach", after=True)]
    survives(stages, stages.gated, step, [*at_every_commit(stages.rig, stages.gated, step), *aside])


def test_a_load_whose_worker_lost_its_disk_stages_again(stages: Stages) -> None:
    hub, undisturbed = stages.rig.copy_of(stages.gated), stages.rig.copy_of(stages.gated)
    for feed in (STATE, FACT):
        for batch_id in stages.batches[feed]:
            shutil.rmtree(workspace(hub, batch_id))
        load(hub, stages.batches[feed])
        load(undisturbed, stages.batches[feed])
    assert said(hub) == said(undisturbed)


def test_a_unify_killed_anywhere_publishes_the_same(stages: Stages) -> None:
    """Resolve, reconcile, publish, report. Portals see the publication before or the one after, also while it lies killed."""
    step = Step("unify", (SECOND,))
    between = [
        KillPoint("identity.versions:copy_in", 2, after=True),
        KillPoint("pipeline.unify:reconcile"),
        KillPoint("pipeline.unify:publish"),
        KillPoint("store.publication:_insert", after=True),
        KillPoint("pipeline.unify:refresh_report"),
        KillPoint("report.build:_replace"),
    ]
    hub = survives(stages, stages.loaded, step, [*at_every_commit(stages.rig, stages.loaded, step), *between])
    page = hub.settings.report_dir / "index.html"
    assert SECOND in page.read_text("utf-8")


def test_feeds_in_any_order_leave_the_same_store(stages: Stages) -> None:
    """Pulled and loaded in another order, some twice: the same golden ids, breaks and published rows."""
    hub = stages.rig.copy_of(stages.published)
    feeds = [STATE, FACT, *((feed_id, SECOND) for feed_id in CHANGED)]
    for seed in (1, 2):
        again = random.Random(seed).sample(feeds, len(feeds) if seed == 1 else 2)
        for feed_id, period in again:
            run_feed(hub, feed_id, PROVINCE, period)
    in_order = stages.rig.copy_of(stages.loaded)
    for each in (hub, in_order):
        finish_night(each, SECOND)
    assert checksums(hub.engine) == checksums(in_order.engine)
    once = checksums(hub.engine)
    assert unify(hub, SECOND).publication_id is None
    assert checksums(hub.engine) == once
