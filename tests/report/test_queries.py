"""The listings that the command line and the page share."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from adapters.feeds import PROVINCES
from hub.errors import NotFound
from report import queries
from report.page import GATE_PARTS, LOAD_PARTS, number
from schemas.contracts import CONTRACTS
from tests.report.scene import LOUD, MISSING_FEED, PERSONAL, REFUSED_FEED, T0, add_attempt, add_batch


def test_feeds_lists_every_instance_in_contract_order_even_in_an_empty_store(store_engine: Engine) -> None:
    found = queries.feeds(store_engine)
    assert [(row["feed"], row["province"]) for row in found] == [(feed, province) for feed in CONTRACTS for province in PROVINCES]
    assert {row["state"] for row in found} == {"never"}
    assert {row["feed"]: row["transport"] for row in found}["crm.customer"] == "rest"


def test_feeds_tells_current_missing_and_refused_apart(seeded: Engine) -> None:
    states = {(row["feed"], row["province"]): row["state"] for row in queries.feeds(seeded)}
    assert states.pop((MISSING_FEED, "js")) == "missing"
    assert states.pop((REFUSED_FEED, "gd")) == "refused"
    assert set(states.values()) == {"current"}


def test_a_feed_that_lags_behind_the_published_cycle_is_behind(seeded: Engine) -> None:
    with seeded.begin() as connection:
        connection.exec_driver_sql(
            "update hub.feed_state set last_period = '20260310' where feed = 'customer' and province = 'gd'"
        )
    states = {(row["feed"], row["province"]): row["state"] for row in queries.feeds(seeded)}
    assert states["crm.customer", "gd"] == "behind"
    assert states["crm.customer", "js"] == "current"


@pytest.mark.parametrize(
    ("period", "loaded", "state"),
    [("20260313", True, "current"), ("20260314", True, "current"), ("20260314", False, "failed"), ("20260315", True, "failed")],
)
def test_a_failed_try_of_what_is_loaded_already_leaves_a_feed_current(
    seeded: Engine, period: str, loaded: bool, state: str
) -> None:
    with seeded.begin() as connection:
        add_attempt(connection, "pull", "crm.customer", "gd", period, T0 + timedelta(days=3), "failed", [])
        if not loaded:
            connection.exec_driver_sql("update hub.batch set state = 'refused' where feed = 'customer' and period = '20260314'")
    states = {(row["feed"], row["province"]): row["state"] for row in queries.feeds(seeded)}
    assert states["crm.customer", "gd"] == state


def test_batches_balance_and_filters_narrow_them(seeded: Engine) -> None:
    every = queries.batches(seeded, limit=None)
    for row in every:
        if row["received"] is not None:
            assert number(row, "received") == sum(number(row, part) for part in GATE_PARTS)
        if row["inserted"] is not None:
            assert number(row, "accepted_fen") == sum(number(row, f"{part}_fen") for part in LOAD_PARTS)
    assert [row["batch_id"] for row in every] == sorted((row["batch_id"] for row in every), reverse=True)
    assert {row["feed"] for row in queries.batches(seeded, feed="crm.contact")} == {"crm.contact"}
    assert {row["province"] for row in queries.batches(seeded, province="js")} == {"js"}
    assert {row["period"] for row in queries.batches(seeded, period="202602")} == {"202602"}
    assert len(queries.batches(seeded, state="refused")) == 2
    assert len(queries.batches(seeded, limit=5)) == 5


def test_an_unknown_feed_is_named_with_those_there_are(seeded: Engine) -> None:
    with pytest.raises(NotFound, match=r"no feed 'crm\.custmer'; known: billing\.account"):
        queries.batches(seeded, feed="crm.custmer")


def test_quarantine_says_where_and_why_but_never_what(seeded: Engine) -> None:
    found = queries.quarantine(seeded, feed="billing.account", limit=None)
    assert len(found) == 9 * len(queries.batches(seeded, feed="billing.account"))
    assert found[0]["meaning"] == "Account number: cannot be read as its type"
    assert found[0]["object_name"] == "one.dat"
    assert PERSONAL not in repr(found)
    [batch] = {row["batch_id"] for row in queries.quarantine(seeded, batch=3)}
    assert batch == 3
    assert {row["reason"] for row in queries.quarantine(seeded, reason="01001014")} == {"01001014"}


def test_quarantine_by_reason_counts_quarantined_rows_not_duplicates(seeded: Engine) -> None:
    summed = sum(number(row, "rows") for row in queries.quarantine_by_reason(seeded))
    assert summed == sum(row["outcome"] == "quarantined" for row in queries.quarantine(seeded, limit=None)) > 0


def test_rows_pulled_again_are_counted_once_and_those_of_a_correction_beside_them(seeded: Engine) -> None:
    def counted() -> int:
        return sum(number(row, "rows") for row in queries.quarantine_by_reason(seeded))

    before, night = counted(), queries.night_summary(seeded, "20260314")["received"]
    with seeded.begin() as connection:
        add_batch(connection, "crm.customer", "gd", "20260314", 1, resend=1, content_digest="again")
        add_batch(connection, "billing.bill", "gd", "202602", 0, resend=1, state="superseded", content_digest="older")
    assert counted() == before
    assert queries.night_summary(seeded, "20260314")["received"] == night
    with seeded.begin() as connection:
        add_batch(connection, "billing.bill", "gd", "202602", 0, kind="correction_insert", content_digest="more")
    assert counted() == before + 6
    resent = queries.batches(seeded, feed="crm.customer", province="gd", period="20260314")
    assert [row["stands"] for row in resent] == [True, False]


def test_a_refused_or_uncounted_delivery_does_not_stand_for_the_loaded_one_before_it(seeded: Engine) -> None:
    words = {"feed": "crm.customer", "province": "gd", "period": "20260314"}
    with seeded.begin() as connection:
        add_batch(connection, "crm.customer", "gd", "20260314", 1, resend=1, state="refused", content_digest="bad")
        add_batch(connection, "crm.customer", "gd", "20260314", 1, resend=2, state="landed", received=None, content_digest="new")
    assert [row["stands"] for row in queries.batches(seeded, **words)] == [False, False, True]
    assert [row["stands"] for row in queries.batches(seeded, feed=REFUSED_FEED, province="gd", state="refused")] == [True]


def test_breaks_are_those_of_the_current_publication(seeded: Engine) -> None:
    found = queries.breaks(seeded, limit=None)
    assert [row["break_id"] for row in found] == [f"K{n:05d}" for n in (8, 7, 6, 5, 4, 3, 2, 1, 9)]
    assert found[-2]["left_value"] == LOUD
    assert found[0]["subject"] == "product=P8"
    assert [row["break_id"] for row in queries.breaks(seeded, state="closed")] == ["K00009"]
    assert len(queries.breaks(seeded, rule="active_but_not_billed")) == 3


def test_breaks_by_rule_sums_the_unsettled_and_names_rules_that_found_nothing(seeded: Engine) -> None:
    found = {str(row["rule"]): row for row in queries.breaks_by_rule(seeded)}
    assert number(found["terminated_but_billed"], "open_fen") == (1 + 2 + 4 + 5 + 7 + 8) * 100
    assert (found["active_but_not_billed"]["open"], found["active_but_not_billed"]["settled"]) == (2, 1)
    assert (found["invoice_is_not_sum_of_items"]["open"], found["invoice_is_not_sum_of_items"]["last_cycle"]) == (0, "20260314")


@pytest.mark.parametrize(
    ("search", "found"), [("BC00000002", [2]), ("C0003", [3]), ("南方1号", [1]), ("%", []), (None, [1, 2, 3])]
)
def test_customers_are_found_and_masked(seeded: Engine, search: str | None, found: list[int]) -> None:
    rows = queries.customers(seeded, search)
    assert [row["customer_id"] for row in rows] == [f"BC{n:08d}" for n in found]
    assert PERSONAL not in repr(rows)


def test_gate_results_of_one_batch_and_of_several(seeded: Engine) -> None:
    assert [row["rule_id"] for row in queries.gate_results(seeded, 1)] == ["key_present", "shape", "typed", "uscc_shape"]
    assert {row["batch_id"] for row in queries.gate_results(seeded, [1, 2])} == {1, 2}


def test_attempts_name_their_airflow_run_and_a_killed_one_is_unfinished(seeded: Engine) -> None:
    [newest, *_] = queries.attempts(seeded, feed="crm.customer")
    assert str(newest["run_id"]).startswith("scheduled__2026-03-")
    assert (newest["outcome"], newest["seconds"]) == ("done", "2.4")
    with seeded.begin() as connection:
        connection.exec_driver_sql("update hub.attempt set outcome = null, finished_at = null where attempt_id = 1")
    assert {row["outcome"] for row in queries.attempts(seeded, limit=None) if row["attempt_id"] == 1} == {"unfinished"}


def test_missing_feeds_name_the_owner(seeded: Engine) -> None:
    [row] = queries.missing_feeds(seeded, "20260314")
    assert (row["feed"], row["province"], row["owner"]) == (MISSING_FEED, "js", CONTRACTS[MISSING_FEED].owner)
    assert queries.missing_feeds(seeded, "20260313") == []


def test_a_feed_that_was_retired_is_still_named_as_missing(seeded: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(CONTRACTS, MISSING_FEED)
    [row] = queries.missing_feeds(seeded, "20260314")
    assert (row["feed"], row["owner"]) == (MISSING_FEED, None)


def test_publication_is_none_until_there_is_one(store_engine: Engine, seeded: Engine) -> None:
    assert queries.publication(store_engine) is None
    stamp = queries.publication(seeded)
    assert stamp is not None
    assert (stamp["cycle"], stamp["sequence"], len(str(stamp["chain_head"]))) == ("20260314", 100, 64)


def test_published_totals_sum_every_money_column_of_every_view(seeded: Engine) -> None:
    found = {(row["view"], row["money_column"]): row for row in queries.published_totals(seeded)}
    assert (found["bill", "total_fen"]["rows"], found["bill", "total_fen"]["money_fen"]) == (3, 60_000)
    assert found["bill", "tax_fen"]["money_fen"] == 1_800
    assert found["customer", None] == {"view": "customer", "rows": 3, "money_column": None, "money_fen": None}
    assert isinstance(found["bill", "total_fen"]["money_fen"], int)
    assert ("bill_item", "amount_fen") in found
    assert ("bill_item", "price_fen") not in found, "prices of one unit are no sum"


def test_night_summary_counts_the_nights_own_feeds(seeded: Engine) -> None:
    night = queries.night_summary(seeded, "20260314")
    assert number(night, "received") == sum(number(night, part) for part in GATE_PARTS)
    assert (night["batches_refused"], night["missing"]) == (1, [f"{MISSING_FEED} js"])
    assert (night["customers"], night["breaks"], night["breaks_fen"]) == (3, 8, 3600)
    earlier = queries.night_summary(seeded, "20260313")
    assert (earlier["publication_id"], earlier["customers"], earlier["breaks_by_rule"]) == (None, None, {})
