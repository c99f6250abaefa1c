"""Five nights over two months and two provinces: after each, what is published equals the truth, row for row and break for
break; and a portal that reads all the while sees one publication or the next, never some of both."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from psycopg import IsolationLevel
from sqlalchemy import text

from pipeline import PROVINCES, CycleResult, Hub, run_cycle, run_feed, unify, verify_store
from schemas.contracts import CONTRACTS
from simulator import billing, billing_units, expected
from simulator.billing_units import Changes, Sent
from simulator.layouts import BILL_ITEM
from store.checksums import checksums
from tests.e2e.conftest import BuildRig
from tests.e2e.expected_store import (
    ExpectedStore,
    differences,
    month_item,
    published_breaks,
    published_customers,
)
from tests.e2e.reader import VIEWS, Reader, Seen, connect, whole
from tests.e2e.world import Rig

pytestmark = [pytest.mark.postgres, pytest.mark.e2e, pytest.mark.timeout(1800)]

# A world in which, within these nights, a contact is deleted and a group customer vanishes.
SEED, CUSTOMERS = 29, 150
DAILY = [contract.feed_id for contract in CONTRACTS.values() if contract.period == "daily"]
MONTHLY = [contract.feed_id for contract in CONTRACTS.values() if contract.period == "monthly"]
Instance = tuple[str, str]


@dataclass
class Story:
    """The rig, the hub under test, what it should show, and what the reader saw."""

    rig: Rig
    hub: Hub
    reader: Reader
    wanted: ExpectedStore
    months: list[str] = field(default_factory=list)
    shown: dict[int | None, Seen] = field(default_factory=dict)

    def drop(self, province: str) -> Path:
        return self.rig.simulation.drop_directory(province)

    def cycle(self, night: str, *, without: Collection[Instance] = (), months: Collection[str] = ()) -> CycleResult:
        """The whole night; exactly the feeds in `without` do not come, and `months` come for the first time."""
        with self._straddled():
            result = run_cycle(self.hub, night)
        failed = {(row["feed"], row["province"]) for row in result.feeds if row["error"]}
        assert failed == set(without), [row["error"] for row in result.feeds if row["error"]]
        for province in PROVINCES:
            for feed_id in DAILY:
                if (feed_id, province) not in failed:
                    self.wanted.comes(feed_id, province, night)
            for feed_id in MONTHLY:
                for month in months:
                    self.wanted.comes(feed_id, province, month)
        self.months += months
        return result

    @contextmanager
    def _straddled(self) -> Iterator[None]:
        """A reader's transaction that begins before the block and ends after it sees the publication before it throughout."""
        with connect(url_of(self.hub)) as connection:
            connection.isolation_level = IsolationLevel.REPEATABLE_READ
            with connection.transaction():
                before = whole(connection)
                yield
                assert whole(connection) == before

    def check(self) -> None:
        """What is published equals the truth, and the reader has seen it."""
        with connect(url_of(self.hub)) as connection:
            stamp, digests = whole(connection)
        assert stamp not in self.shown, "the night was not published"
        self.shown[stamp] = digests
        self.reader.wait_for_rounds()
        assert differences(url_of(self.hub), self.wanted) == []
        assert published_customers(url_of(self.hub)) == self.wanted.source_customers()
        assert published_breaks(url_of(self.hub)) == self.wanted.breaks(self.months)


def url_of(hub: Hub) -> str:
    return hub.engine.url.render_as_string(hide_password=False)


def test_five_nights_equal_the_truth_and_no_reader_sees_two_of_them(build_rig: BuildRig) -> None:
    rig = build_rig(customers=CUSTOMERS, seed=SEED)
    hub = rig.new_hub()
    with Reader(url_of(hub)) as reader:
        story = Story(rig, hub, reader, ExpectedStore(rig.world))
        with connect(url_of(hub)) as connection:
            story.shown[None] = whole(connection)[1]
        first_night_is_full(story)
        second_night_is_incremental_and_a_month_is_sent_again(story)
        accounts_of_the_night_are_sent_again_after_it_was_published(story)
        third_night_goes_without_a_feed_that_never_came(story)
        fourth_night_brings_a_month_and_its_resend_in_one_publication(story)
        fifth_night_brings_corrections_and_files_that_are_late(story)
        the_night_run_again_changes_nothing(story)
    saw_no_mixture(story)
    assert verify_store(hub) == []


def first_night_is_full(story: Story) -> None:
    story.rig.play("20260227")
    story.cycle("20260227", months=["202601"])
    story.check()


def second_night_is_incremental_and_a_month_is_sent_again(story: Story) -> None:
    """A contact is deleted; January comes again from `gd`, an item and its bill dearer by one yuan."""
    contacts = set(story.wanted.rows["crm.contact", "gd"])
    story.rig.play("20260228")
    amend_month(story, "202601", "gd")
    story.cycle("20260228")
    amended_month(story, "202601", "gd")
    assert contacts - set(story.wanted.rows["crm.contact", "gd"]), "the story needs a deleted contact"
    story.check()


def accounts_of_the_night_are_sent_again_after_it_was_published(story: Story) -> None:
    """One account owes another amount, one is no longer in the file."""
    world, drop = story.rig.world, story.drop("js")
    (changed, _), (gone, _) = month_item(world, "js", "202601"), month_item(world, "js", "202601", skip=1)
    owing, vanished = str(changed["account_no"]), str(gone["account_no"])
    assert owing != vanished
    send_accounts_again(story, "20260228", amend={owing: {"arrears_fen": 12_345}}, without=vanished)
    run_feed(story.hub, "billing.account", "js", "20260228")
    assert list(drop.glob("*_js_20260228_01001_01_*.dat"))
    story.wanted.amend("billing.account", "js", {owing: {"arrears_fen": 12_345}})
    story.wanted.remove("billing.account", "js", vanished)
    assert unify(story.hub, "20260228").publication_id is not None
    story.check()


def third_night_goes_without_a_feed_that_never_came(story: Story) -> None:
    """`gd`'s accounts do not come and are named; February is not due yet; a group customer vanishes."""
    groups = set(story.wanted.rows["group.group_customer", "js"])
    story.rig.play("20260301")
    for file in story.drop("gd").glob("?_gd_20260301_01001_*"):
        file.rename(file.with_name(f"held-back-{file.name}"))
    months = {(feed_id, province) for feed_id in MONTHLY for province in PROVINCES}
    result = story.cycle("20260301", without={("billing.account", "gd"), *months})
    assert groups - set(story.wanted.rows["group.group_customer", "js"]), "the story needs a vanished group customer"
    assert "billing.account gd 20260301" in result.unify.missing
    assert missing(story) == {("account", "gd", "20260301"): False}
    story.check()


def fourth_night_brings_a_month_and_its_resend_in_one_publication(story: Story) -> None:
    """The night between was never run: the windows of incremental feeds reach back over it."""
    story.rig.play("20260303")
    for feed_id in MONTHLY:
        run_feed(story.hub, feed_id, "gd", "202602")
    amend_month(story, "202602", "gd")
    story.cycle("20260303", months=["202602"])
    amended_month(story, "202602", "gd")
    story.check()


def fifth_night_brings_corrections_and_files_that_are_late(story: Story) -> None:
    """Items of February are re-entered; accounts of two older nights come and overwrite nothing; late payments count."""
    world = story.rig.world
    story.rig.play("20260304")
    inserts, deletes = billing.correction_rows(world, "202602", "js", 4)
    billing.drop_correction(world, "202602", "js", story.drop("js"), inserts=inserts, deletes=deletes)
    for file in story.drop("gd").glob("held-back-*"):
        file.rename(file.with_name(file.name.removeprefix("held-back-")))
    for province in PROVINCES:
        billing.drop(world, "20260302", province, story.drop(province))
        for feed_id in ("billing.payment", "billing.account"):
            run_feed(story.hub, feed_id, province, "20260302")
        story.wanted.comes("billing.payment", province, "20260302")
    [late] = run_feed(story.hub, "billing.account", "gd", "20260301")
    assert stale_only(story, late["batch_id"])
    assert missing(story)["account", "gd", "20260301"]
    story.cycle("20260304")
    for row in deletes:
        story.wanted.remove("billing.bill_item", "js", str(row[0]))
    for row in inserts:
        canonical = expected.canonical_row("billing.bill_item", "js", dict(zip(BILL_ITEM.columns, row, strict=True)))
        story.wanted.add("billing.bill_item", "js", canonical)
    story.check()


def the_night_run_again_changes_nothing(story: Story) -> None:
    before = checksums(story.hub.engine)
    result = run_cycle(story.hub, "20260304")
    assert (result.failed, result.unify.publication_id) == (False, None)
    assert checksums(story.hub.engine) == before


def saw_no_mixture(story: Story) -> None:
    """The reader saw every publication, and of each exactly what it shows at rest."""
    seen = story.reader.seen
    assert seen.keys() == story.shown.keys()
    for stamp, digests in story.shown.items():
        assert seen[stamp] == {view: {digests[view]} for view in VIEWS}, f"publication {stamp} was seen mixed"
    # The check can tell them apart: no two publications look alike.
    assert len({tuple(digests.values()) for digests in story.shown.values()}) == len(story.shown)


def amend_month(story: Story, month: str, province: str) -> None:
    """The month's units come again, numbered 01, with one item and its bill dearer by one yuan."""
    changes = _amendment(story, month, province)
    units = {"01003": changes["billing.bill_item"], "01002": changes["billing.bill"]}
    billing.deliver_month(story.rig.world, month, province, story.drop(province), resend=1, amend=units)


def amended_month(story: Story, month: str, province: str) -> None:
    for feed_id, changes in _amendment(story, month, province).items():
        story.wanted.amend(feed_id, province, changes)


def _amendment(story: Story, month: str, province: str) -> dict[str, Changes]:
    item, bill = month_item(story.rig.world, province, month)
    return {
        "billing.bill_item": {str(item["item_no"]): {name: int(str(item[name])) + 100 for name in ("price_fen", "amount_fen")}},
        "billing.bill": {str(bill["bill_no"]): {"total_fen": int(str(bill["total_fen"])) + 100}},
    }


def send_accounts_again(story: Story, night: str, *, amend: Changes, without: str) -> None:
    """The night's accounts of `js` under resend 01, and control totals that agree with them."""
    world, province = story.rig.world, "js"
    sender = billing._Sender(world, province, story.drop(province), 1, None, {}, billing.SPLIT_ROWS)
    records = [
        record for record in billing_units.accounts(world, province, night, amend) if record.line[:12].strip() != without.encode()
    ]
    _, accounts = sender.write_unit("i", "01001", night, night, records)
    payments = sender._count("01004", billing_units.payments(world, province, night))
    lines = [Sent(f"{t.unit}|{t.files}|{t.rows}|{t.amount_fen}".encode(), 0, None) for t in (accounts, payments)]
    sender.write_unit("i", "00000", night, night, lines)


def missing(story: Story) -> dict[tuple[str, str, str], bool]:
    """(feed, province, period) of what a cut-off named → whether it came after all."""
    statement = "select feed, province, period, came_batch_id is not null from hub.missing_feed where reason = 'not_come'"
    with story.hub.engine.connect() as connection:
        return {(feed, province, period): came for feed, province, period, came in connection.execute(text(statement))}


def stale_only(story: Story, batch_id: object) -> bool:
    statement = "select accepted > 0 and accepted = stale and vanished = 0 from hub.batch where batch_id = :id"
    with story.hub.engine.connect() as connection:
        return bool(connection.execute(text(statement), {"id": batch_id}).scalar_one())
