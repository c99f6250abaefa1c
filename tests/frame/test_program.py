"""What is kept on disk is named by the program that made it: the one that runs, whatever has been installed since."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub import program
from identity import nights
from identity.settings import load_settings
from pipeline import staging
from schemas.batch import Layout
from schemas.contracts import contract_of

ORDER = contract_of("orders.product_order")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sources that are on disk by now."""
    for package in ("adapters", "hub", "schemas", "identity"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "code.py").write_text("A = 1")
    monkeypatch.setattr(program, "_ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize("changed", ["hub/code.py", "hub/new.py", "schemas/codes.csv", "schemas/deep/er.json"])
def test_another_source_is_another_program(changed: str, installed: Path) -> None:
    before = program.program_digest("hub", "schemas")
    assert program.program_digest("hub", "schemas") == before
    (installed / changed).parent.mkdir(exist_ok=True)
    (installed / changed).write_text("A = 2")
    assert program.program_digest("hub", "schemas") != before


def test_what_is_no_part_of_it_does_not_count(installed: Path) -> None:
    before = program.program_digest("hub")
    (installed / "hub" / "code.pyc").write_bytes(b"\0")
    (installed / "schemas" / "code.py").write_text("A = 2")
    assert program.program_digest("hub") == before


def test_what_is_installed_while_a_process_runs_is_not_the_program_it_runs(installed: Path) -> None:
    staged = staging.ahead_key(ORDER, Layout.CSV, "gd", "20260201")
    linked = nights.folder_of(installed, load_settings(), "run")
    (installed / "schemas" / "code.py").write_text("A = 2")
    (installed / "identity" / "code.py").write_text("A = 2")
    assert staging.ahead_key(ORDER, Layout.CSV, "gd", "20260201") == staged
    assert nights.folder_of(installed, load_settings(), "run") == linked


def test_what_is_staged_ahead_is_kept_apart_by_feed_layout_province_period_and_program(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [
        (ORDER, Layout.CSV, "gd", "20260201"),
        (contract_of("orders.work_order"), Layout.CSV, "gd", "20260201"),
        (ORDER, Layout.DELIMITED, "gd", "20260201"),
        (ORDER, Layout.CSV, "js", "20260201"),
        (ORDER, Layout.CSV, "gd", "20260202"),
    ]
    keys = {staging.ahead_key(*each) for each in asked}
    monkeypatch.setattr(staging, "_PROGRAM", "another")
    assert len(keys | {staging.ahead_key(*each) for each in asked}) == 10
