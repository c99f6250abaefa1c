"""How a command shows what it found: a table for a person, `--json` for a program. Nothing else prints."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal

import typer
from rich.console import Console
from rich.table import Table

from hub.errors import HubError
from hub.logging import redact

# Where nobody looks on, a table is as wide as it needs to be to stay one line a row.
console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
Row = Mapping[str, object]


def as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else str(value)
    return str(value)


def show(rows: Sequence[Row], *, json_output: bool, title: str, empty: str = "nothing") -> None:
    """Rows of equal keys; the keys are the headings."""
    if json_output:
        sys.stdout.write(as_json([dict(row) for row in rows]) + "\n")
        return
    if not rows:
        console.print(f"{title}: {empty}")
        return
    table = Table(title=title, title_justify="left", header_style="bold")
    for name, value in rows[0].items():
        table.add_column(name, justify="right" if isinstance(value, int | Decimal) else "left", overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else str(_readable(value)) for value in row.values()))
    console.print(table)


def _readable(value: object) -> object:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
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
