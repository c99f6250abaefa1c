"""Tables for a person: words are whole where the screen has room for them, and nothing is cut off where it has not."""

from __future__ import annotations

import json
from collections import Counter
from io import StringIO

import pytest
from rich.cells import cell_len
from rich.console import Console

from cli import output
from cli.breaks import COLUMNS as BREAK_COLUMNS
from cli.main import BATCH_COLUMNS, CUSTOMER_COLUMNS, FEED_COLUMNS, QUARANTINE_COLUMNS
from tests.cli.conftest import Run

ROWS = [{"id": "B0123456789abcdef", "rule": "charge_unlike_peers", "said": "a sentence of many words " * 4, "n": 1_234}]


def shown(width: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    text = StringIO()
    monkeypatch.setattr(output, "console", Console(width=width, file=text, highlight=False))
    output.show(ROWS, json_output=False, title="Rows")
    return text.getvalue().splitlines()


def test_only_sentences_fold_where_there_is_room_for_every_word(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(80, monkeypatch)
    assert len(lines) > 4
    assert "B0123456789abcdef  charge_unlike_peers  a sentence of" in lines[3]
    assert lines[3].endswith("1234")


def test_nothing_is_cut_off_where_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(30, monkeypatch)
    assert max(map(cell_len, lines)) <= 30
    printed = Counter("".join(lines[1:])) - Counter(lines[2])
    assert printed[" "] > 0
    del printed[" "]
    assert printed == Counter("".join([*ROWS[0], *map(str, ROWS[0].values())]).replace(" ", ""))


def test_a_row_is_one_line_where_nobody_looks_on(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(output.UNFOLDED, monkeypatch)
    assert len(lines) == 4
    assert ROWS[0]["said"].strip() in lines[3]


LISTINGS = {
    "feeds": FEED_COLUMNS,
    "batches": BATCH_COLUMNS,
    "quarantine": QUARANTINE_COLUMNS,
    "breaks": BREAK_COLUMNS,
    # A long name may take two lines: it has no words.
    "customers": [key for key in CUSTOMER_COLUMNS if key != "customer_name"],
}


@pytest.mark.postgres
@pytest.mark.parametrize("command", LISTINGS)
def test_a_listing_is_readable_on_a_hundred_columns(command: str, bsshub: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = json.loads(bsshub(command, "--json").stdout)
    monkeypatch.setattr(output, "console", Console(width=100, highlight=False, force_terminal=False))
    result = bsshub(command)
    lines = result.stdout.splitlines()
    assert max(map(cell_len, lines)) <= 100
    words = set(result.stdout.split())
    for row in rows:
        for key in LISTINGS[command]:
            assert set(str(row.get(key) or "").replace("=", " ").split()) <= words, (key, row)
