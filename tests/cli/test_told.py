"""What a person sets or asks wrongly is answered with a sentence, never a traceback, and never with a secret."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app

NO_STORE = "FixConnection: BSSHUB_STORE_URL is no address of a PostgreSQL; allowed: postgresql+psycopg://"


def run(*words: str, **variables: str) -> Any:
    return CliRunner().invoke(app, list(words), env=variables, catch_exceptions=False)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on while the test runs."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


def test_a_store_that_does_not_answer_is_told_in_a_sentence(tmp_path: Path, closed_port: int) -> None:
    url = f"postgresql+psycopg://hub:s3cret@127.0.0.1:{closed_port}/bsshub"
    told = run("feeds", BSSHUB_HOME=str(tmp_path), BSSHUB_STORE_URL=url)
    assert told.exit_code == 1
    assert told.stderr.startswith(f"RetryLater: the store at 127.0.0.1:{closed_port}/bsshub (BSSHUB_STORE_URL): cannot open it")
    assert "s3cret" not in told.output


@pytest.mark.parametrize(
    "url",
    [
        "nonsense", "zzz://hub:s3cret@h/d", "sqlite:///x", "postgresql://hub:s3cret@h/d", "postgresql+psycopg://hub:s3cret@h:port/d",
        "postgresql+psycopg://hub:x@s3cret@h/d", "postgresql+psycopg://h/",
    ],
)  # fmt: skip
def test_what_is_no_store_is_told_with_the_form_of_one(url: str, tmp_path: Path) -> None:
    told = run("feeds", BSSHUB_HOME=str(tmp_path), BSSHUB_STORE_URL=url)
    assert (told.exit_code, NO_STORE in told.stderr, "s3cret" in told.output) == (1, True, False), told.output


@pytest.mark.parametrize("url", ["zzz://key:s3cret@x", "oci://bucket/landing"])
def test_a_landing_that_cannot_be_opened_is_told(url: str, tmp_path: Path) -> None:
    told = run("feeds", BSSHUB_HOME=str(tmp_path), BSSHUB_LANDING_URL=url)
    assert (told.exit_code, "s3cret" in told.output) == (1, False)
    assert told.stderr.startswith(f"FixConnection: BSSHUB_LANDING_URL: {url.partition(':')[0]}:// cannot be opened")


@pytest.fixture
def extracts(tmp_path: Path) -> list[str]:
    (tmp_path / "l.csv").write_text("id,name,amt\n1,甲,5\n")
    (tmp_path / "r.csv").write_text("id,name,amt\n1,甲,5\n")
    return [str(tmp_path / "l.csv"), str(tmp_path / "r.csv")]


def commands(left: str, right: str) -> dict[str, list[str]]:
    return {
        "reconcile try": ["reconcile", "try", "--left", left, "--right", right, "--id", "id", "--amount", "amt"],
        "identity try": ["identity", "try", left, right],
        "identity train": ["identity", "train", "--version", "x"],
        "report": ["report"],
    }


@pytest.mark.parametrize("command", ["reconcile try", "identity try", "identity train", "report"])
@pytest.mark.parametrize("out", ["l.csv", "l.csv/below", "/proc/x", "/proc"])
def test_a_folder_that_cannot_be_written_is_told_before_the_work(
    command: str, out: str, extracts: list[str], tmp_path: Path
) -> None:
    words = [*commands(*extracts)[command], "--out", str(tmp_path / out)]
    told = run(*words, BSSHUB_HOME=str(tmp_path / "home"))
    assert (told.exit_code, "cannot be written" in told.stderr) == (2, True), told.output
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("tolerance", "said"),
    [
        ("999999999999999999999", "allowed: less than 1,000,000,000,000"),
        ("1000000000000", "allowed: less than 1,000,000,000,000"),
        ("99999999999999999999d", "allowed: at most 36,525 days"),
        ("36526d", "allowed: at most 36,525 days"),
    ],
)
def test_a_tolerance_beyond_all_amounts_and_dates_is_told(tolerance: str, said: str, extracts: list[str], tmp_path: Path) -> None:
    words = [*commands(*extracts)["reconcile try"], "--date", "name", "--tolerance", tolerance, "--out", str(tmp_path / "out")]
    told = run(*words)
    assert (told.exit_code, said in told.stderr) == (1, True), told.output


@pytest.mark.parametrize("tolerance", ["999999999999.999999", "36525d", "0.0000000000000000000000000001%", "90%"])
def test_the_largest_tolerances_are_taken(tolerance: str, extracts: list[str], tmp_path: Path) -> None:
    words = [*commands(*extracts)["reconcile try"], "--date", "name", "--tolerance", tolerance, "--out", str(tmp_path / "out")]
    assert run(*words).exit_code == 0


@pytest.mark.parametrize(("words", "said"), [(["core.nope"], "no table 'core.nope'; known: core.account"), ([], "usage: ")])
def test_asking_for_the_sql_of_no_table_is_told(words: list[str], said: str) -> None:
    done = subprocess.run([sys.executable, "-m", "store.ddl", *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.startswith(said)) == (1, "", True), done.stderr


@pytest.mark.parametrize("reason", ["x", "99999014", "02001017", "02001994"])
def test_a_reason_that_no_row_can_have_is_told(reason: str, tmp_path: Path) -> None:
    told = run("quarantine", "--reason", reason, BSSHUB_HOME=str(tmp_path / "home"))
    assert (told.exit_code, "allowed: unit of the feed" in told.stderr) == (2, True), told.output
    assert not (tmp_path / "home").exists()
