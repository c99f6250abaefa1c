"""Three months, told end to end: docs/reconciliation.md shows the same story with the output seen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine

from hub.errors import NotAllowed
from pipeline import verify_store
from pipeline.close import close_period, propose_period
from reconcile.explain import explain
from reconcile.life import Act, Correction, act
from reconcile.waivers import Waiver, announce
from report import breaks as ledger
from tests.reconcile.months import FEBRUARY, JANUARY, MARCH, Months, bills, items

pytestmark = [pytest.mark.postgres, pytest.mark.e2e]


def standing(engine: Engine) -> dict[str, Mapping[str, object]]:
    """Rule and month → the break, of those that are not closed."""
    rows = [row for row in ledger.listing(engine, limit=None) if row["state"] != "closed"]
    return {f"{row['rule']} {str(row['subject']).partition('month=')[2][:6]}": row for row in rows}


def test_three_months(store_engine: Engine, tmp_path: Path) -> None:
    months = Months.begin(store_engine, tmp_path)
    _january(months)
    _february(months)
    _march(months)


def _january(months: Months) -> None:
    """A fault appears, is explained, corrected at its source, and closes; another closes too; the month is signed."""
    engine = months.hub.engine
    ended = {"P00002": date(2025, 12, 15)}
    first = months.night("20260205", ended=ended, bill_202601=bills(JANUARY, A2=9500), bill_item_202601=items(JANUARY))
    assert first.publication_id is not None
    found = standing(engine)
    assert set(found) == {"invoice_is_not_sum_of_items 202601", "terminated_but_billed 202601"}
    wrong = str(found["invoice_is_not_sum_of_items 202601"]["break_id"])
    told = explain(engine, wrong)
    assert {(row.source_key, row.batch_id is not None, row.row_no) for row in told.rows if row.entity == "bill"} == {
        ("B202601A2", True, 2)
    }
    added_up = [row for row in told.rows if row.entity == "bill_item"]
    assert sum(int(str((row.values or {})["amount_fen"])) for row in added_up) == 10000
    with pytest.raises(NotAllowed, match="critical breaks that are not settled"):
        close_period(months.hub, JANUARY, by="Li Si")
    act(engine, wrong, Act.ANSWER, by="Zhang San", said="the discount of P00003 was taken twice")
    act(engine, wrong, Act.CORRECT, by="Li Si", said="bill again", correction=Correction("billing", {"total_fen": "10000"}))
    resent = {"billing.bill": (JANUARY, 1, bills(JANUARY))}
    months.night("20260206", resends=resent)
    assert standing(engine) == {}
    proposal = propose_period(months.hub, JANUARY)
    close_period(months.hub, JANUARY, by="Li Si", note="three bills", expected=proposal.digest)
    assert {(row["figure"], row["value"]) for row in ledger.figures(engine, JANUARY)} >= {("billed_fen", 30000), ("bills", 2)}


def _february(months: Months) -> None:
    """The closed break opens again; a waiver covers what was announced, and expires."""
    engine = months.hub.engine
    announce(engine, Waiver("active_but_not_billed", "20260305", "20260306", "free month for P00003", "gd"), by="Wang Wu")
    ended = {"P00002": date(2025, 12, 15)}
    free = {"bill_202602": bills(FEBRUARY, A2=0)[:1], "bill_item_202602": items(FEBRUARY, without=["P00003"])}
    months.night("20260305", ended=ended, **free)
    found = standing(engine)
    assert found["terminated_but_billed 202601"]["reopened"] == 1
    assert found["terminated_but_billed 202602"]["reopened"] == 0
    covered = found["active_but_not_billed 202602"]
    assert (covered["waiver_id"], covered["due_at"], covered["counted_fen"]) == (1, None, 0)
    months.night("20260306")
    assert set(standing(engine)) == {"active_but_not_billed 202602"}
    months.night("20260307")
    due = standing(engine)["active_but_not_billed 202602"]
    assert (due["waiver_id"], f"{due['due_at']:%Y%m%d %H}", due["counted_fen"]) == (None, "20260309 16", 10000)


def _march(months: Months) -> None:
    """A signed figure changes: a severe break of its own, until the month is signed again."""
    engine = months.hub.engine
    again = {
        "billing.bill_item": (JANUARY, 1, items(JANUARY, P00001=12000)),
        "billing.bill": (JANUARY, 2, bills(JANUARY, A1=22000)),
    }
    night = months.night("20260405", resends=again, bill_202603=bills(MARCH), bill_item_202603=items(MARCH))
    assert night.publication_id is not None
    changed = ledger.listing(engine, rule="signed_figure_changed")
    assert {(row["subject"], row["left_value"], row["right_value"], row["severity"], row["state"]) for row in changed} == {
        ("figure=bill_items_fen month=202601", "30000", "32000", "critical", "open"),
        ("figure=billed_fen month=202601", "30000", "32000", "critical", "open"),
    }
    [signed] = ledger.signatures(engine)
    assert (signed["signed_by"], signed["stands"], signed["changed"]) == ("Li Si", True, 2)
    close_period(months.hub, JANUARY, by="Li Si", note="the re-rated item of P00001 is right")
    months.night("20260406")
    assert not [row for row in ledger.listing(engine, rule="signed_figure_changed") if row["state"] != "closed"]
    assert [(row["stands"], row["changed"]) for row in ledger.signatures(engine)] == [(True, 0), (False, 0)]
    assert [finding for finding in verify_store(months.hub) if not finding.subject.startswith(("batch", "core."))] == []
