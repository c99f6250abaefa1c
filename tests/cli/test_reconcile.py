"""`bsshub reconcile try`, as a person would ask it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app

LEFT = "pay,acct,amt,on\nP1,A1,300,2026-03-02\nP2,A2,5,2026-03-02\n"
RIGHT = "bill,account,total,day\nB1,A1,100,20260301\nB2,A1,200,20260302\nB3,A3,7,20260302\n"


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    (tmp_path / "l.csv").write_text(LEFT)
    (tmp_path / "r.csv").write_text(RIGHT)
    return [
        "reconcile", "try", "--left", str(tmp_path / "l.csv"), "--right", str(tmp_path / "r.csv"), "--id", "pay=bill",
        "--key", "acct=account", "--amount", "amt=total", "--date", "on=day", "--tolerance", "1d", "--mode", "grouped",
        "--out", str(tmp_path / "out"),
    ]  # fmt: skip


def run(*words: str) -> Any:
    return CliRunner().invoke(app, list(words))


def test_try_writes_five_lists_and_accounts_for_every_row(words: list[str], tmp_path: Path) -> None:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["kinds"] == {"1:1": 0, "1:N": 1}
    assert told["left"]["read"] == {"rows": 2, "amount": 305, "unreadable": 0}
    assert told["right"]["matched"] == {"rows": 2, "amount": 300, "unreadable": 0}
    lists = {"matched.csv", "differing.csv", "suggested.csv", "left_only.csv", "right_only.csv"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == lists
    assert (tmp_path / "out" / "matched.csv").read_text().startswith("left_id,right_id,")


def test_try_tells_a_person_what_became_of_the_rows(words: list[str]) -> None:
    result = run(*words)
    assert result.exit_code == 0
    assert "Matched: 0 1:1, 1 1:N" in result.stdout


def test_try_names_the_columns_there_are(words: list[str]) -> None:
    result = run(*[word.replace("acct=account", "acct") for word in words])
    assert (result.exit_code, "it has: bill, account, total, day" in result.stderr) == (1, True)
