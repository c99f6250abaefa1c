"""The page of reconciliation: charts that say their numbers, both sides' rows, signatures; nothing from outside."""

from __future__ import annotations

import re

from sqlalchemy import Engine, text

from reconcile.life import Act
from reconcile.rules import RULES
from report import queries, words
from report.breaks import listing, sums
from report.charts import bars, trend
from report.reconciliation import read_ledger, render_ledger
from schemas.contracts import CONTRACTS
from tests.report.scene import HTML


def test_a_chart_says_every_number_it_draws() -> None:
    rows: list[dict[str, object]] = [{"rule": "a", "fen": 400}, {"rule": "b", "fen": 100}, {"rule": "c", "fen": 0}]
    drawn = bars("By rule", rows, "rule", "fen", str)
    assert drawn.said == "By rule: a 400; b 100"
    assert [bar.length for bar in drawn.bars] == [390, 97]
    nights: list[dict[str, object]] = [{"cycle": "20260306", "fen": 0}, {"cycle": "20260305", "fen": 10}]
    line = trend("Nights", nights, "fen", str)
    assert (line.said, line.points) == ("Nights: 20260305 10; 20260306 0", "18,18 882,132")


def test_what_has_no_bar_of_its_own_is_in_the_last_one() -> None:
    rows: list[dict[str, object]] = [{"rule": f"r{n}", "fen": 100 - n} for n in range(20)]
    drawn = bars("By rule", rows, "rule", "fen", str).bars
    assert (len(drawn), drawn[-1].label) == (13, "8 others 其他8项")
    assert sum(int(bar.shown) for bar in drawn) == sum(int(str(row["fen"])) for row in rows)
    assert max(bar.length for bar in drawn) == drawn[-1].length == 390
    assert "others" not in bars("By rule", rows[:13], "rule", "fen", str).said


def test_a_label_is_cut_to_what_the_drawing_holds_however_wide_its_characters() -> None:
    rows: list[dict[str, object]] = [{"rule": "账户在计费与客户系统中对应不同客户" * 3, "fen": 1}, {"rule": "short 短", "fen": 1}]
    long, short = (bar.label for bar in bars("By rule", rows, "rule", "fen", str).bars)
    assert (len(long), long[-1], short) == (31, "…", "short 短")


def test_both_pages_name_the_same_money(seeded: Engine) -> None:
    with seeded.connect() as store:
        assert sum(int(str(row["open_fen"])) for row in queries.breaks_by_rule(store)) == read_ledger(store).counted_fen


def test_the_page_holds_its_sections_charts_and_no_outside_address(seeded: Engine) -> None:
    with seeded.begin() as store:
        store.execute(
            text(
                "insert into hub.period_signature (period, publication_id, figures_digest, signed_by, signed_at, note) "
                "select '202602', min(publication_id), 'd', 'Li Si', now(), '<b>' from hub.publication"
            )
        )
    with seeded.connect() as store:
        ledger = read_ledger(store)
        page = render_ledger(ledger)
        assert render_ledger(read_ledger(store)) == page
        assert ledger.counted_fen == sum(int(str(row["counted_fen"])) for row in sums(store, "owner")) > 0
    for section in ("stake", "causes", "trend", "signed", "drill", "waivers", "requests"):
        assert f'id="{section}"' in page
    assert page.count("<svg") >= 4
    assert "Money at stake by rule" in page
    assert "Li Si" in page
    causes = page[page.index('id="causes-table"') : page.index('id="trend"')]
    assert "Terminated but billed" in causes
    assert "已拆机仍计费" in causes
    assert "terminated_but_billed" not in causes
    assert HTML not in page
    assert "&lt;b&gt;" in page
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", page)


def test_a_break_is_overdue_when_the_last_judged_night_ends_after_its_deadline(seeded: Engine) -> None:
    """The last night is 20260314; its age counts by the same clock, wherever today lies."""

    def overdue(due: str) -> set[str]:
        with seeded.begin() as store:
            store.execute(text("update recon.breaks set due_at = :due"), {"due": due})
        [summed] = {row["overdue"] for row in sums(seeded, "province")}
        listed = {str(row["break_id"]) for row in listing(seeded, overdue=True)}
        assert len(listed) == summed
        return listed

    assert overdue("2026-03-15T16:00:00+08:00") == set()
    assert len(overdue("2026-03-14T16:00:00+08:00")) == 8


def test_drill_down_shows_the_breaks_with_most_at_stake(seeded: Engine) -> None:
    with seeded.connect() as store:
        ledger = read_ledger(store)
    money = [int(str(one.now["counted_fen"])) for one in ledger.drill]
    assert money == sorted(money, reverse=True)
    assert all(one.now["state"] != "closed" for one in ledger.drill)


def test_every_entity_owner_and_act_is_said_in_both_languages() -> None:
    assert all(words.entity(contract.entity, contract.system).zh for contract in CONTRACTS.values())
    assert set(words.OWNERS) == {rule.owner_role for rule in RULES}
    assert set(words.ACTS) == set(Act)
