"""Loading: history of state entities, partitions of facts, and the account of where rows went."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from hub.errors import HubError, InvariantBroken
from schemas.batch import Kind, LoadCounts
from tests.store.conftest import TestStore, account_row, at, item_row

pytestmark = pytest.mark.postgres

CURRENT = "select source_key, arrears_fen from core.account where recorded_to is null and not is_deleted order by source_key"
LIVE_ITEMS = """
    select t.source_key, t.amount_fen from core.bill_item t join hub.batch b using (batch_id)
    where b.state = 'loaded' and t.recorded_to is null order by 1"""


def test_rows_are_inserted_updated_left_alone_and_counted_in_money(store: TestStore) -> None:
    first = store.put("billing.account", "20260301", [account_row(n, at(1)) for n in (1, 2, 3)])
    assert first == LoadCounts(inserted=3, inserted_fen=600)
    rows = [account_row(1, at(1)), account_row(2, at(2), arrears_fen=999), account_row(3, at(1)), account_row(4, at(2))]
    second = store.put("billing.account", "20260302", rows)
    assert second == LoadCounts(
        inserted=1, inserted_fen=400, updated=1, updated_fen=999, unchanged=2, unchanged_fen=400, vanished=0
    )
    assert store.rows(CURRENT) == [("AC0001", 100), ("AC0002", 999), ("AC0003", 300), ("AC0004", 400)]
    history = "select arrears_fen, recorded_from, recorded_to, row_no from core.account where source_key = 'AC0002' order by 2"
    assert store.rows(history) == [(200, 1, 2, 2), (999, 2, None, 2)]


def test_a_whole_delivery_removes_what_it_no_longer_holds_and_a_later_one_brings_it_back(store: TestStore) -> None:
    both = [account_row(1, at(1)), account_row(2, at(1))]
    store.put("billing.account", "20260301", both)
    assert store.put("billing.account", "20260302", both[:1]).vanished == 1
    assert store.rows(CURRENT) == [("AC0001", 100)]
    assert store.rows(
        "select batch_id, row_no, is_deleted from core.account where source_key = 'AC0002' and recorded_to is null"
    ) == [(2, 0, True)]
    assert store.put("billing.account", "20260303", both).updated == 1
    assert store.rows(CURRENT) == [("AC0001", 100), ("AC0002", 200)]


def test_a_row_that_could_not_be_read_is_not_taken_as_gone(store: TestStore) -> None:
    three = [account_row(n, at(1)) for n in (1, 2, 3)]
    store.put("billing.account", "20260301", three)
    shifted = {**account_row(0, at(2)), "account_no": None, "_source": "xx|AC0002|whatever"}
    readable = account_row(1, at(2), arrears_fen=-1)
    counts = store.put("billing.account", "20260302", [readable, shifted], quarantined=[1, 2])
    assert counts == LoadCounts(vanished=1)
    assert store.rows(CURRENT) == [("AC0001", 100), ("AC0002", 200)]


def test_a_late_older_delivery_changes_nothing(store: TestStore) -> None:
    store.put("billing.account", "20260303", [account_row(1, at(3))])
    late = store.put("billing.account", "20260302", [account_row(1, at(2), arrears_fen=5), account_row(9, at(2))])
    assert late == LoadCounts(stale=2, stale_fen=905)
    assert store.rows(CURRENT) == [("AC0001", 100)]


def test_an_older_version_in_an_incremental_feed_is_stale_but_an_unknown_row_is_news(store: TestStore) -> None:
    def customer(key: str, name: str, day: int, **more: object) -> dict[str, object]:
        return {"customer_key": key, "customer_name": name, "customer_status": "active", "updated_at": at(day), **more}

    store.put("crm.customer", "20260303", [customer("C001", "new", 3)])
    counts = store.put("crm.customer", "20260302", [customer("C001", "old", 2), customer("C002", "late", 2)])
    assert (counts.stale, counts.inserted) == (1, 1)
    removed = store.put("crm.customer", "20260304", [customer("C001", "new", 4, is_removed=True)])
    assert removed == LoadCounts(deleted=1)
    again = store.put("crm.customer", "20260303", [customer("C001", "revenant", 3)])
    assert again == LoadCounts(stale=1)
    assert store.rows("select source_key from core.customer where recorded_to is null and not is_deleted") == [("C002",)]


def test_two_versions_of_a_row_in_one_batch_leave_the_newer(store: TestStore) -> None:
    counts = store.put("billing.account", "20260301", [account_row(1, at(2), arrears_fen=7), account_row(1, at(1))])
    assert counts == LoadCounts(inserted=1, inserted_fen=7, stale=1, stale_fen=100)
    assert store.rows(CURRENT) == [("AC0001", 7)]


def test_a_month_of_bills_is_whole_within_its_month(store: TestStore) -> None:
    def bill(number: int, month: str) -> dict[str, object]:
        row = {"bill_no": f"B{month}{number}", "account_no": "AC0001", "bill_month": month, "item_count": 1, "total_fen": number}
        return {**row, "bill_status": "new"}

    store.put("billing.bill", "202601", [bill(1, "202601"), bill(2, "202601")])
    store.put("billing.bill", "202602", [bill(3, "202602")])
    assert store.put("billing.bill", "202601", [bill(1, "202601")], resend=1) == LoadCounts(
        unchanged=1, unchanged_fen=1, vanished=1
    )
    live = "select source_key from core.bill where recorded_to is null and not is_deleted order by 1"
    assert store.rows(live) == [("B2026011",), ("B2026023",)]


def test_provinces_do_not_touch_each_other(store: TestStore) -> None:
    store.put("billing.account", "20260301", [account_row(1, at(1))])
    store.put("billing.account", "20260301", [account_row(2, at(1))], province="js")
    assert store.rows(CURRENT) == [("AC0001", 100), ("AC0002", 200)]


def test_loading_twice_is_loading_once(store: TestStore) -> None:
    rows = [account_row(1, at(1))]
    batch = store.deliver("billing.account", "20260301", rows)
    first = store.load(batch)
    assert store.load(batch) == first
    assert store.deliver("billing.account", "20260301", rows) == batch
    assert store.load(batch) == first
    assert store.value("select count(*) from core.account") == 1
    assert store.value("select seq from hub.clock") == 1


def test_rows_that_do_not_add_up_to_the_gate_stop_the_load(store: TestStore) -> None:
    batch = store.deliver("billing.account", "20260301", [account_row(1, at(1)), account_row(2, at(1))])
    store.execute("update hub.batch set accepted = 1, quarantined = 1, accepted_fen = 100, quarantined_fen = 200")
    with pytest.raises(InvariantBroken, match="loaded 2 rows, 300 fen"):
        store.load(batch)
    assert store.value("select count(*) from core.account") == 0
    assert store.value("select state from hub.batch") == "gated"


def test_only_a_gated_batch_is_loaded(store: TestStore) -> None:
    batch = store.deliver("billing.account", "20260301", [account_row(1, at(1))])
    store.execute("update hub.batch set state = 'landed'")
    with pytest.raises(InvariantBroken, match="only a gated batch"):
        store.load(batch)


def test_a_month_of_items_is_a_partition_that_is_attached(store: TestStore) -> None:
    counts = store.put("billing.bill_item", "202602", [item_row(n) for n in (1, 2, 3)], quarantined=[2])
    assert counts == LoadCounts(inserted=2, inserted_fen=40)
    assert store.rows(LIVE_ITEMS) == [("IT000001", 10), ("IT000003", 30)]
    assert store.rows("select inhrelid::regclass::text from pg_inherits where inhparent = 'core.bill_item'::regclass") == [
        ("core.bill_item_b1",)
    ]
    assert store.value("select count(*) from pg_indexes where schemaname = 'core' and tablename = 'bill_item_b1'") == 2
    assert store.value("select count(*) from pg_tables where schemaname = 'work'") == 0


def test_many_items_come_by_several_streams(store: TestStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.facts.STREAM_ROWS", 2)
    counts = store.put("billing.bill_item", "202602", [item_row(n) for n in range(11)])
    assert counts == LoadCounts(inserted=11, inserted_fen=550)


def test_a_resend_replaces_the_month_from_its_sequence_on(store: TestStore) -> None:
    store.put("billing.bill_item", "202602", [item_row(1), item_row(2)])
    store.put("billing.bill_item", "202602", [item_row(2, amount_fen=21), item_row(3)], resend=1)
    assert store.rows(LIVE_ITEMS) == [("IT000002", 21), ("IT000003", 30)]
    assert store.rows("select batch_id, state, loaded_seq, superseded_seq, superseded_by from hub.batch order by 1") == [
        (1, "superseded", 1, 2, 2),
        (2, "loaded", 2, None, None),
    ]


def test_corrections_add_replace_and_remove_inside_their_month(store: TestStore) -> None:
    store.put("billing.bill_item", "202602", [item_row(n) for n in (1, 2, 3)])
    added = [item_row(1), item_row(2, amount_fen=25), item_row(4)]
    counts = store.put("billing.bill_item", "202602", added, kind=Kind.CORRECTION_INSERT)
    assert counts == LoadCounts(inserted=1, inserted_fen=40, updated=1, updated_fen=25, unchanged=1, unchanged_fen=10)
    removed = [item_row(3), item_row(8)]
    counts = store.put("billing.bill_item", "202602", removed, kind=Kind.CORRECTION_DELETE)
    assert counts == LoadCounts(deleted=1, deleted_fen=30, stale=1, stale_fen=80)
    assert store.rows(LIVE_ITEMS) == [("IT000001", 10), ("IT000002", 25), ("IT000004", 40)]


def test_corrections_outlive_a_resend_whether_the_hub_was_late_or_not(store: TestStore) -> None:
    resent = [item_row(n) for n in (1, 2, 3, 5)]
    added, removed = [item_row(2, amount_fen=25), item_row(4)], [item_row(3)]
    for province, bases in (("gd", [0, 1]), ("js", [1])):
        for resend in bases:
            rows = resent if resend else resent[:3]
            store.put("billing.bill_item", "202602", rows, province=province, resend=resend)
            if not resend:
                store.put("billing.bill_item", "202602", added, province=province, kind=Kind.CORRECTION_INSERT)
                store.put("billing.bill_item", "202602", removed, province=province, kind=Kind.CORRECTION_DELETE)
    store.put("billing.bill_item", "202602", added, province="js", kind=Kind.CORRECTION_INSERT)
    store.put("billing.bill_item", "202602", removed, province="js", kind=Kind.CORRECTION_DELETE)
    month = LIVE_ITEMS.replace("where", "where b.province = :province and")
    timely, late = store.rows(month, province="gd"), store.rows(month, province="js")
    assert timely == late == [("IT000001", 10), ("IT000002", 25), ("IT000004", 40), ("IT000005", 50)]
    assert store.value("select stale from hub.batch where province = 'gd' and resend = 1") == 2


def test_a_correction_waits_for_its_month_to_be_loaded(store: TestStore) -> None:
    base = store.deliver("billing.bill_item", "202602", [item_row(1)])
    correction = store.deliver("billing.bill_item", "202602", [item_row(1)], kind=Kind.CORRECTION_DELETE)
    with pytest.raises(HubError) as refused:
        store.load(correction)
    assert refused.value.facts["code"] == "correction_ahead"
    store.load(base)
    assert store.load(correction).deleted == 1


def test_what_a_killed_load_left_is_cleared_by_the_next(store: TestStore) -> None:
    killed = store.deliver("billing.bill_item", "202602", [item_row(1)])
    store.execute(f"create table work.bill_item_b{killed} (x int)")
    store.execute("create table work.load_b999 (x int)")
    store.put("billing.account", "20260301", [account_row(1, at(1))])
    assert store.value("select count(*) from pg_tables where schemaname = 'work'") == 0
    assert store.load(killed).inserted == 1


def test_a_table_of_a_load_under_way_is_left_alone(store: TestStore) -> None:
    store.execute("create table work.load_b999 (x int)")
    with store.engine.connect() as other:
        other.execute(text("select pg_advisory_lock(7361, 999)"))
        store.put("billing.account", "20260301", [account_row(1, at(1))])
        assert store.rows("select tablename from pg_tables where schemaname = 'work'") == [("load_b999",)]
