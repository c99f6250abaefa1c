"""`python -m cli.reference`: every command with its options, as Markdown; `docs/cli.md` is what it prints (kept by a test)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import typer.main

from cli.main import app

ROOT = "bsshub"


def reference() -> str:
    """The page, whole."""
    head = ["# The commands", "", "Printed by `.venv/bin/python -m cli.reference`.", ""]
    return "\n".join([*head, *_of(typer.main.get_command(app), ROOT)])


def _of(command: Any, path: str) -> Iterator[str]:
    if path != ROOT:
        yield from _section(command, path)
    for name, child in getattr(command, "commands", {}).items():
        yield from _of(child, f"{path} {name}")


def _section(command: Any, path: str) -> Iterator[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
    words = [p.name.upper() if p.required else f"[{p.name.upper()}]" for p in arguments]
    yield from (f"## {' '.join([path, *words])}", "", str(command.help), "")
    yield from (f"- `{p.name.upper()}`: {p.help}" for p in arguments)
    yield from (f"- `{', '.join(p.opts)}`{' (required)' if p.required else ''}: {p.help}{_default(p)}" for p in options)
    if arguments or options:
        yield ""


def _default(option: Any) -> str:
    return "" if option.is_flag or option.default is None else f" Default: {option.default}."


if __name__ == "__main__":
    sys.stdout.write(reference())
