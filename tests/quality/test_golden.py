"""A golden case a feed: bytes spelled by hand after docs/interfaces.md, and the staged rows and verdict a person has checked.

`input*`/`page*` are the landed objects in order, `case.json` says how they came, `expected.txt` what must come of them.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapters.staging import stage
from quality import judge
from schemas.batch import Delivery, Layout
from schemas.contracts import CONTRACTS, contract_of
from tests.landed import LandedFile
from tests.quality.render import staged_text, verdict_text

GOLDEN = Path(__file__).parents[1] / "golden"


def test_every_feed_has_a_golden_case() -> None:
    assert sorted(path.name for path in GOLDEN.iterdir() if path.is_dir()) == sorted(CONTRACTS)


@pytest.mark.parametrize("feed_id", CONTRACTS)
def test_golden_case(feed_id: str, tmp_path: Path) -> None:
    folder = GOLDEN / feed_id
    case = json.loads((folder / "case.json").read_text())
    contract, period = contract_of(feed_id), case.pop("period")
    files = [LandedFile(path) for path in sorted(folder.iterdir()) if path.name.startswith(("input", "page"))]
    staged = stage(contract, period, Layout(case["layout"]), files, tmp_path / "rows")
    delivery = Delivery(resend=0, objects=tuple(file.object for file in files), **case)
    verdict = judge(contract, period, staged, delivery, tmp_path / "gate")
    found = f"{staged_text(contract, staged)}\n\n{verdict_text(verdict)}\n"
    expected = folder / "expected.txt"
    if not expected.exists():
        pytest.fail(f"read this against docs/interfaces.md, and only then keep it as {expected}:\n{found}", pytrace=False)
    assert found == expected.read_text(encoding="utf-8")
