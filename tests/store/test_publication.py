"""Publication: readers move from one night to the next as a whole, and see no personal value."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from hub.errors import InvariantBroken
from schemas.batch import Kind
from store import sequence
from store.checksums import checksums
from store.publication import Candidate, Publication, candidate, is_published, publish
from tests.store.conftest import TestStore, account_row, at, item_row

pytestmark = pytest.mark.postgres

GOLDEN = """
    insert into core.golden_customer (customer_id, customer_name, phone, parent_customer_id, row_hash, recorded_from)
    values (:id, :name, '13800000000', :parent, :name, :seq)"""
CROSSWALK = "insert into core.crosswalk values ('billing', 'gd', :key, :id, 'uscc', '{}', :seq, null)"
BREAK = """
    insert into recon.breaks (break_id, rule_id, severity, subject, first_seen_cycle, last_seen_cycle, recorded_from)
    values (:id, 'invoice', 'critical', '{}', '20260301', '20260301', :seq)"""


def derive(store: TestStore, statement: str, **values: object) -> None:
    with store.engine.begin() as connection:
        connection.execute(text(statement), {**values, "seq": sequence.advance(connection)})


def night(store: TestStore, cycle: str) -> Publication:
    return publish(store.engine, candidate(store.engine, cycle))


def test_nothing_is_seen_before_the_first_publication(store: TestStore) -> None:
    store.put("billing.account", "20260301", [account_row(1, at(1))])
    assert store.rows("select * from portal_v1.account") == []


def test_readers_see_the_published_night_whatever_is_loaded_meanwhile(store: TestStore) -> None:
    store.put("billing.account", "20260301", [account_row(1, at(1))])
    store.put("billing.bill_item", "202602", [item_row(1), item_row(2)])
    derive(store, CROSSWALK, key="CU0001", id="BC00000001")
    night(store, "20260301")
    account = "select account_no, arrears_fen, customer_id, contact_phone from portal_v1.account"
    items = "select item_no, amount_fen from portal_v1.bill_item order by 1"
    before = [("AC0001", 100, "BC00000001", "1****")]
    assert store.rows(account) == before
    assert store.rows(items) == [("IT000001", 10), ("IT000002", 20)]

    store.put("billing.account", "20260302", [account_row(1, at(2), arrears_fen=5)])
    store.put("billing.bill_item", "202602", [item_row(1)], kind=Kind.CORRECTION_DELETE)
    store.put("billing.bill_item", "202602", [item_row(2), item_row(3)], resend=1)
    derive(store, BREAK, id="b1")
    assert store.rows(account) == before
    assert store.rows(items) == [("IT000001", 10), ("IT000002", 20)]
    assert store.rows("select * from portal_v1.breaks") == []

    night(store, "20260302")
    assert store.rows(account) == [("AC0001", 5, "BC00000001", "1****")]
    assert store.rows(items) == [("IT000002", 20), ("IT000003", 30)]
    assert store.rows("select break_id from portal_v1.breaks") == [("b1",)]
    assert store.rows("select cycle from portal_v1.publication") == [("20260302",)]


def test_data_loaded_after_the_candidate_was_taken_waits_for_the_next(store: TestStore) -> None:
    store.put("billing.account", "20260301", [account_row(1, at(1))])
    chosen = candidate(store.engine, "20260301")
    store.put("billing.account", "20260302", [account_row(1, at(2), arrears_fen=5)])
    derive(store, BREAK, id="b1")
    publish(store.engine, chosen)
    assert store.rows("select arrears_fen from portal_v1.account") == [(100,)]
    assert store.rows("select break_id from portal_v1.breaks") == [("b1",)]


def test_a_month_replaced_before_it_was_published_is_seen_once(store: TestStore) -> None:
    store.put("billing.bill_item", "202602", [item_row(1), item_row(2)])
    store.put("billing.bill_item", "202602", [item_row(1), item_row(2, amount_fen=5)], resend=1)
    night(store, "20260301")
    shown = store.rows("select item_no, amount_fen from portal_v1.bill_item order by 1")
    assert shown == [("IT000001", 10), ("IT000002", 5)]


def test_the_same_inputs_are_published_once(store: TestStore) -> None:
    rows = [account_row(1, at(1))]
    store.put("billing.account", "20260301", rows)
    first = night(store, "20260301")
    assert night(store, "20260301") == first
    # A delivery that changes nothing is no new input; another night, a missing feed, or a changed row is.
    store.put("billing.account", "20260302", rows)
    assert is_published(store.engine, candidate(store.engine, "20260301"))
    assert not is_published(store.engine, candidate(store.engine, "20260302"))
    assert not is_published(store.engine, candidate(store.engine, "20260301", missing=["billing.bill gd 202602"]))
    store.put("billing.account", "20260303", [account_row(1, at(3))])
    assert not is_published(store.engine, candidate(store.engine, "20260301"))


def test_an_older_candidate_does_not_replace_a_newer_publication(store: TestStore) -> None:
    store.put("billing.account", "20260301", [account_row(1, at(1))])
    old: Candidate = candidate(store.engine, "20260301")
    store.put("billing.account", "20260302", [account_row(1, at(2))])
    night(store, "20260302")
    with pytest.raises(InvariantBroken):
        publish(store.engine, old)


def test_a_customer_shows_its_ids_and_its_place_in_the_group(store: TestStore) -> None:
    for number, (name, parent) in enumerate([("集团", None), ("公司", "BC1"), ("分支", "BC2")], 1):
        derive(store, GOLDEN, id=f"BC{number}", name=name, parent=parent)
    derive(store, CROSSWALK, key="CU0001", id="BC3")
    night(store, "20260301")
    columns = "customer_id, parent_customer_name, group_path, group_root_id, source_ids, phone"
    shown = store.rows(f"select {columns} from portal_v1.customer order by 1")
    ids = [{"system": "billing", "province": "gd", "key": "CU0001"}]
    assert shown == [
        ("BC1", None, ["BC1"], "BC1", None, "1****"),
        ("BC2", "集团", ["BC1", "BC2"], "BC1", None, "1****"),
        ("BC3", "公司", ["BC1", "BC2", "BC3"], "BC1", ids, "1****"),
    ]


def test_checksums_tell_content_and_not_when_it_came(store: TestStore) -> None:
    store.put("billing.account", "20260301", [account_row(1, at(1))])
    store.put("billing.bill_item", "202602", [item_row(1)])
    night(store, "20260301")
    before = checksums(store.engine)
    assert set(before) >= {"core.bill_item", "core.account", "recon.breaks", "portal_v1.customer"}
    assert not any("bill_item_b" in name for name in before)
    store.put("billing.account", "20260301", [account_row(1, at(1))], resend=1)
    assert checksums(store.engine) == before
    store.put("billing.account", "20260302", [account_row(1, at(1), account_status="closed")])
    changed = {name for name, value in checksums(store.engine).items() if value != before[name]}
    assert changed == {"core.account", "core.source_customer"}
