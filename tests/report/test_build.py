"""What `bsshub report` writes: whole, deterministic, free of personal values, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from hub.settings import Settings
from report import queries
from report.build import build, read
from report.docs import copy_docs, offline
from report.exports import BYTE_ORDER_MARK
from report.page import Equation, batch_sums, compose, share
from report.render import render
from report.words import INVARIANTS, record_error
from tests.report.conftest import Built
from tests.report.scene import HTML, LOUD, PERSONAL, add_batch


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_equal_stores_make_equal_reports_and_a_second_build_replaces_the_first(
    built: Built, seeded: Engine, tmp_path: Path
) -> None:
    first = digests(built.page.parent)
    (tmp_path / "gx").mkdir()
    (tmp_path / "gx" / "999.html").write_text("left from an earlier report")
    (tmp_path / "index.html").write_text("an earlier report")
    build(seeded, built.settings, tmp_path, findings=[])
    assert digests(tmp_path) == first
    assert set(first) == {
        *("index.html", "batches.csv", "gates.csv", "quarantine.csv", "breaks.csv", "missing.csv", "attempts.csv"),
        *("break_ledger.csv", "causes.csv", "break_acts.csv", "signatures.csv"),
        *("steward.html", "reconciliation.html", "gx/1.html", "gx/3.html"),
    }


def test_what_a_killed_report_left_is_cleared_after_a_day(built: Built, seeded: Engine, tmp_path: Path) -> None:
    for name, age in ((".report-left", timedelta(days=2)), (".report-at-work", timedelta(minutes=5))):
        (tmp_path / name).mkdir()
        moment = (datetime.now(UTC) - age).timestamp()
        os.utime(tmp_path / name, (moment, moment))
    build(seeded, built.settings, tmp_path, findings=[])
    assert [path.name for path in tmp_path.glob(".report-*")] == [".report-at-work"]


def test_no_personal_value_reaches_any_file(built: Built) -> None:
    for path in built.page.parent.rglob("*"):
        assert path.is_dir() or PERSONAL not in path.read_text("utf-8"), path.name


def test_text_from_the_store_is_escaped(built: Built) -> None:
    page = built.page.read_text("utf-8")
    assert HTML not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_lists_hold_everything_and_no_formula(built: Built, seeded: Engine) -> None:
    raw = (built.page.parent / "breaks.csv").read_bytes()
    assert raw.startswith(BYTE_ORDER_MARK)
    listed = list(csv.DictReader(raw.decode("utf-8-sig").splitlines()))
    expected = queries.breaks(seeded, limit=None)
    assert [row["break_id"] for row in listed] == [row["break_id"] for row in expected]
    assert [row["left_value"] for row in listed if row["break_id"] == "K00001"] == [f"'{LOUD}"]
    batches = list(csv.DictReader((built.page.parent / "batches.csv").read_text("utf-8-sig").splitlines()))
    assert len(batches) == len(queries.batches(seeded, limit=None))
    assert {int(row["received"] or 0) for row in batches} == {row["received"] or 0 for row in queries.batches(seeded, limit=None)}


def test_an_empty_store_has_a_page_that_says_so(store_engine: Engine, tmp_path: Path) -> None:
    page = build(store_engine, Settings(tmp_path, None, tmp_path.as_uri()), tmp_path / "out").read_text("utf-8")
    assert "Nothing is published yet" in page
    assert "No batch has come yet" in page
    assert 'class="verdict unknown"' in page


def test_a_batch_that_does_not_balance_is_red_and_named(seeded: Engine, tmp_path: Path) -> None:
    with seeded.begin() as connection:
        wrong = add_batch(connection, "billing.account", "gd", "20260315", 3, quarantined=4, stale_fen=12_345)
    page = build(seeded, Settings(tmp_path, None, tmp_path.as_uri()), tmp_path / "out", findings=[]).read_text("utf-8")
    assert 'class="verdict bad"' in page
    assert "Batches that do not balance: 1" in page
    assert f'data-batch="{wrong}" class="wrong"' in page
    assert "✗ +2" in page


def test_counts_that_disagree_and_findings_make_the_verdict_bad(seeded: Engine, tmp_path: Path) -> None:
    with seeded.begin() as connection:
        connection.exec_driver_sql("update hub.gate_result set failed_gx = 7 where batch_id = 2 and rule_id = 'typed'")
    settings = Settings(tmp_path, None, tmp_path.as_uri())
    page = build(seeded, settings, tmp_path / "out", findings=["batch 3: accepted changed"]).read_text("utf-8")
    assert "Batches whose two counts disagree: 1" in page
    assert "Findings of verify: 1" in page
    assert "batch 3: accepted changed" in page


def test_only_the_newest_batches_are_shown_and_the_total_is_stated(seeded: Engine) -> None:
    with seeded.connect() as connection:
        facts = read(connection, shown=5)
    assert len(facts.batches) == 5
    assert facts.batches_total == len(queries.batches(seeded, limit=None))
    page = render(compose(facts, {}, []))
    assert f"The newest 5 of {facts.batches_total} batches" in page


def test_thousands_of_batches_leave_the_page_small(seeded: Engine, tmp_path: Path) -> None:
    with seeded.begin() as connection:
        connection.exec_driver_sql(
            "insert into hub.batch (system, feed, province, period, kind, resend, content_digest, delivery, state, landed_at)"
            " select 'crm', 'contact', 'gd', '20200101', 'full', 0, n::text, '{\"objects\": []}', 'landed', now()"
            " from generate_series(1, 4000) n"
        )
    page = build(seeded, Settings(tmp_path, None, tmp_path.as_uri()), tmp_path / "out", nights=1)
    assert "The newest 26 of " in page.read_text("utf-8")
    assert len((tmp_path / "out" / "batches.csv").read_text("utf-8-sig").splitlines()) > 4000
    assert page.stat().st_size < 1_000_000


def test_the_verdict_is_good_only_where_verify_ran(seeded: Engine) -> None:
    with seeded.connect() as connection:
        facts = read(connection, shown=500)
    whole = replace(facts, feeds=[{**feed, "state": "current"} for feed in facts.feeds])
    assert compose(whole, {}, []).verdict == "unknown"
    assert compose(replace(whole, findings=[]), {}, []).verdict == "good"
    assert compose(replace(whole, findings=["x"]), {}, []).verdict == "bad"


@pytest.mark.parametrize("state", ["failed", "missing", "refused", "behind", "never"])
def test_the_verdict_is_not_good_while_a_feed_is_not_there(seeded: Engine, state: str) -> None:
    with seeded.connect() as connection:
        facts = read(connection, shown=500, findings=[])
    first, *others = ({**feed, "state": "current"} for feed in facts.feeds)
    page = compose(replace(facts, feeds=[{**first, "state": state}, *others]), {}, [])
    assert page.verdict == "partial"
    assert "Feeds not current: 1 of 26" in render(page)


def test_rows_received_of_a_period_do_not_grow_when_a_delivery_is_sent_again(seeded: Engine) -> None:
    def received() -> dict[str, int]:
        with seeded.connect() as connection:
            return {flow.period: flow.equation.total for flow in compose(read(connection, shown=500), {}, []).flows}

    before = received()
    with seeded.begin() as connection:
        add_batch(connection, "crm.customer", "gd", "20260314", 1, resend=1, content_digest="again")
    assert received() == before


def test_a_batch_that_was_not_counted_is_not_said_to_balance(seeded: Engine) -> None:
    with seeded.connect() as connection:
        page = compose(read(connection, shown=500), {}, [])
    uncounted = sum(batch["received"] is None for batch in page.facts.batches)
    assert (uncounted, page.counted) == (1, len(page.facts.batches) - 1)
    assert f"{page.counted} <small>/ {page.counted}</small>" in render(page)


def test_data_docs_are_copied_without_anything_that_reaches_out(gx_page: Path, tmp_path: Path) -> None:
    original = gx_page.read_text("utf-8")
    assert "https://" in original
    copied = offline(original, 7)
    for outward in ("http://", "https://", "<script", "<img", "<link", "onclick", "onload"):
        assert outward not in copied
    assert "account_no" in copied
    assert "billing.account" in copied


def test_a_batch_without_data_docs_has_no_link(gx_page: Path, tmp_path: Path) -> None:
    (tmp_path / "docs" / "5").mkdir(parents=True)
    shutil.copy(gx_page, tmp_path / "docs" / "5" / "page.html")
    (tmp_path / "docs" / "6").mkdir()
    assert copy_docs(tmp_path / "docs", [4, 5, 6], tmp_path / "out") == {5: "gx/5.html"}
    assert "billing.account" in (tmp_path / "out" / "gx" / "5.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("code", "en", "zh"),
    [
        ("01001014", "Account number: cannot be read as its type", "账户编号：类型或格式错误"),
        ("01003001", "The record: key missing or repeated", "整条记录：主键缺失或重复"),
        ("99999014", "cannot be read as its type", "类型或格式错误"),
        ("01001994", "cannot be read as its type", "类型或格式错误"),
        ("odd", "odd", ""),
    ],
)
def test_record_errors_are_told_in_words(code: str, en: str, zh: str) -> None:
    assert record_error(code) == (en, zh)


def test_sums_tell_the_gap_and_bars_never_hide_a_part() -> None:
    assert Equation(10, (7, 2)).gap == 1
    assert not Equation(10, (7, 2)).balances
    assert Equation(-5, (-7, 2)).balances
    assert [share(0, 10), share(1, 1_000_000), share(10, 10), share(3, 0)] == ["0%", "0.60%", "100.00%", "0%"]
    assert batch_sums({"received": None, "inserted": None}).balances
    assert len(INVARIANTS) == 6
