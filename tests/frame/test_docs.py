"""What the documents name exists: files they link to, commands and make targets they tell people to run, modules they start."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest
import typer.main

from cli.main import app
from cli.reference import reference

ROOT = Path(__file__).parents[2]
TRACKED = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
BENCHES = {f"bench-{module.stem}" for module in (ROOT / "bench").glob("*.py")}  # what the rule `bench-%` runs
COMMANDS = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def test_there_are_documents() -> None:
    assert {"README.md", "docs/adding-a-feed.md", "docs/interfaces.md", "docs/internals.md"} <= set(TRACKED)


@pytest.mark.parametrize("name", TRACKED)
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("name", TRACKED)
def test_commands_exist(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    code = "\n".join([*re.findall(r"```(?:sh)?\n(.*?)```", text, re.DOTALL), *re.findall(r"`([^`\n]+)`", text)])
    assert set(re.findall(r"\bbsshub ([a-z]+)\b", code)) <= COMMANDS
    assert set(re.findall(r"(?:^|\s)make ([a-z][a-z-]*)\b", code)) <= TARGETS | BENCHES
    for module in re.findall(r"python -m ([a-z_.]+)", code):
        assert importlib.util.find_spec(module), f"{name} starts {module}"


def test_the_command_reference_is_what_the_commands_say() -> None:
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == reference(), (
        "run: .venv/bin/python -m cli.reference > docs/cli.md"
    )
