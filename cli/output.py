"""How a command shows what it found: a table for a person, `--json` for a program. Nothing else prints."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal

import typer
from pydantic import BaseModel
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from hub.errors import HubError
from hub.logging import redact
from hub.periods import SHANGHAI

# Where nobody looks on, nothing is folded: a row is one line, as wide as it needs to be.
UNFOLDED = 100_000
console = Console(highlight=False, width=None if sys.stdout.isatty() else UNFOLDED)
Row = Mapping[str, object]


def as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else str(value)
    return str(value)


def show(
    rows: Sequence[Row],
    *,
    json_output: bool,
    title: str,
    empty: str = "nothing",
    columns: Sequence[str] | Mapping[str, str] | None = None,
) -> None:
    """Rows of equal keys; the keys are the headings. `columns`: those that a table shows, where a row holds too many for one; or
    key → heading. JSON holds every key."""
    if json_output:
        sys.stdout.write(as_json([dict(row) for row in rows]) + "\n")
        return
    if not rows:
        console.print(f"{title}: {empty}")
        return
    chosen = columns or tuple(rows[0])
    headings = chosen if isinstance(chosen, Mapping) else dict(zip(chosen, chosen, strict=True))
    table = Table(
        title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD, show_edge=False, pad_edge=False,
        collapse_padding=True,
    )  # fmt: skip
    for name, heading in headings.items():
        table.add_column(heading, justify="right" if any(_is_number(row[name]) for row in rows) else "left", overflow="fold")
    for row in rows:
        table.add_row(*("" if row[name] is None else str(_readable(row[name])) for name in headings))
    _keep_words_whole(table)
    console.print(table)


def _is_number(value: object) -> bool:
    return isinstance(value, int | Decimal) or (isinstance(value, str) and value.startswith("¥"))


def _keep_words_whole(table: Table) -> None:
    """Where the screen has room for every word, only columns of several words fold; where it has not, all do, so that nothing is
    cut off."""
    if console.measure(table, options=console.options.update(max_width=UNFOLDED)).minimum <= console.width:
        for column in table.columns:
            column.no_wrap = not any(" " in str(cell) for cell in column.cells)


def _readable(value: object) -> object:
    if isinstance(value, datetime):
        return f"{value.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=_plain)
    return value


@contextmanager
def errors_told() -> Iterator[None]:
    """A HubError ends the command with its kind, its sentence and exit code 1; anything else is a defect and shows as one."""
    try:
        yield
    except HubError as error:
        Console(stderr=True, highlight=False).print(f"[red]{error.kind}[/red]: {redact(error.message)}", soft_wrap=True)
        raise typer.Exit(1) from error
