"""Root causes: breaks of one cause are one line, most money first; money is counted once and is the same by every grouping."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from report.breaks import DIMENSIONS, causes, sums

pytestmark = pytest.mark.postgres
Told = tuple[str, str, str | None, int, str]  # rule, cause, customer, fen, state


def tell(engine: Engine, breaks: list[Told]) -> None:
    """The ledger holds exactly these breaks, as of one night."""
    with engine.begin() as store:
        store.execute(text("truncate recon.breaks, recon.rule_run"))
        store.execute(
            text(
                "insert into recon.rule_run (seq, rule_id, cycle, subjects, breaks, money_fen, tolerance, passed, ran_at) "
                "values (1, 'r', '20260305', 1, 1, 1, '0', false, now())"
            )
        )
        for number, (rule, cause, customer, fen, state) in enumerate(breaks):
            store.execute(
                text(
                    "insert into recon.breaks (break_id, rule_id, severity, province, subject, money_fen, state, cause, "
                    "customer_id, refs, first_seen_cycle, last_seen_cycle, opened_cycle, recorded_from) "
                    "values (:id, :rule, 'major', 'gd', :subject, "
                    ":fen, :state, :cause, :customer, '[]', '20260305', '20260305', '20260305', 1)"
                ),
                {"id": f"B{number:05d}", "rule": rule, "subject": json.dumps({"n": str(number)}), "fen": fen, "state": state,
                 "cause": cause, "customer": customer},
            )  # fmt: skip


def test_one_unmapped_account_behind_thousands_of_items_is_one_line_and_its_money_counts_once(store_engine: Engine) -> None:
    account = "account:gd|A1"
    items: list[Told] = [("item_for_unknown_account", account, None, 25, "open") for _ in range(4000)]
    bill: Told = ("bill_for_unknown_account", account, None, 100_000, "open")
    product: Told = ("product_for_unknown_account", account, "BC1", 900, "open")
    other: Told = ("invoice_is_not_sum_of_items", "bill:gd|B7", None, 99_999, "open")
    tell(store_engine, [*items, bill, product, other])
    first, second = causes(store_engine)
    assert (first["cause"], first["breaks"], first["counted_fen"]) == (account, 4002, 100_000)
    assert (second["cause"], second["breaks"], second["counted_fen"]) == ("bill:gd|B7", 1, 99_999)
    assert set(str(first["rules"]).split(", ")) == {"item_for_unknown_account", "bill_for_unknown_account",
                                                    "product_for_unknown_account"}  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    breaks=st.lists(
        st.tuples(
            st.sampled_from(["rule_a", "rule_b", "rule_c"]),
            st.sampled_from(["", "account:gd|A1", "product:gd|P1", "bill:gd|B1"]),
            st.sampled_from([None, "BC1", "BC2"]),
            st.integers(0, 10**12),
            st.sampled_from(["open", "explained", "accepted", "corrected", "closed"]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_money_at_stake_is_conserved_over_every_grouping(store_engine: Engine, breaks: list[Told]) -> None:
    tell(store_engine, breaks)
    standing: dict[str, dict[str, int]] = {}
    for number, (rule, cause, _, fen, state) in enumerate(breaks):
        if state in {"open", "explained", "corrected"}:
            by_rule = standing.setdefault(cause or f"B{number:05d}", {})
            by_rule[rule] = by_rule.get(rule, 0) + fen
    whole = sum(max(by_rule.values()) for by_rule in standing.values())
    assert sum(int(str(row["counted_fen"])) for row in causes(store_engine, 1000)) == whole
    for dimension in DIMENSIONS:
        assert sum(int(str(row["counted_fen"])) for row in sums(store_engine, dimension)) == whole, dimension
