"""Child processes: nothing stays running, and an end is told with the log's last lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cli import processes
from cli.processes import Child, start, stop, tail, wait_until
from hub.errors import HubError

# Ignores SIGTERM, and has a child in a process group of its own, as Airflow's tasks are.
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
ignoring = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", ignoring], process_group=0)
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def stubborn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Child]:
    monkeypatch.setattr(processes, "TERM_SECONDS", 0.3)
    child = start("stubborn", [sys.executable, "-c", STUBBORN], tmp_path / "log", os.environ)
    yield child
    stop([child])


def test_what_ignores_being_asked_is_killed_with_all_its_descendants(stubborn: Child) -> None:
    wait_until(lambda: "ready" in tail(stubborn.log), [stubborn], seconds=60, what="not ready")
    family = [psutil.Process(stubborn.process.pid), *psutil.Process(stubborn.process.pid).children(recursive=True)]
    assert len(family) == 2
    stop([stubborn])
    assert [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE] == []


def test_a_program_that_ends_while_waited_for_is_told_with_its_last_words(tmp_path: Path) -> None:
    child = start("brief", [sys.executable, "-c", "print('no such table'); raise SystemExit(3)"], tmp_path / "log", os.environ)
    with pytest.raises(HubError, match=r"brief ended with 3(.|\n)*no such table"):
        wait_until(lambda: False, [child], seconds=60, what="never ready")


def test_waiting_has_an_end_and_shows_the_logs(stubborn: Child) -> None:
    wait_until(lambda: "ready" in tail(stubborn.log), [stubborn], seconds=60, what="not ready")
    with pytest.raises(HubError, match=r"it was not up within 0 s(.|\n)*ready"):
        wait_until(lambda: False, [stubborn], seconds=0.1, what="it was not up")


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert tail(log) == "(no log)"
    log.write_text("\n".join(map(str, range(100))))
    assert tail(log, 3) == "97\n98\n99"
