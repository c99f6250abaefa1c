"""Child processes that leave nothing behind: each in a session of its own, its output in a file, stopped by session."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from hub.errors import HubError

TERM_SECONDS = 15.0
POLL_SECONDS = 0.2
PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass(frozen=True)
class Child:
    """A running program; `log` holds its output."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raises HubError, with the log's end, where the program has ended."""
        code = self.process.poll()
        if code is not None:
            raise HubError(f"{self.name} ended with {code}; the end of {self.log}:\n{tail(self.log)}", name=self.name)


def start(name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> Child:
    """Starts the program in a session of its own, so that a Ctrl-C reaches us first and it can be stopped as a whole."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=dict(environment),
            start_new_session=True,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 (no thread holds a lock it needs)
        )
    return Child(name, process, log)


def _end_with_parent() -> None:
    """Has the kernel end the child when we are killed and cannot."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def stop(children: Sequence[Child]) -> None:
    """SIGTERM to all, then SIGKILL to whatever of their sessions still runs: Airflow's executor may join for ever
    (apache/airflow#70526), and its tasks move to process groups of their own."""
    for child in children:
        if child.process.poll() is None:
            child.process.terminate()
    end = time.monotonic() + TERM_SECONDS
    while time.monotonic() < end and any(child.process.poll() is None for child in children):
        time.sleep(POLL_SECONDS)
    sessions = {child.process.pid for child in children}
    while members := _members(sessions):
        for pid in members:
            _kill(pid)
        for child in children:
            child.process.poll()
        time.sleep(POLL_SECONDS)


def wait_until(ready: Callable[[], bool], children: Sequence[Child], *, seconds: float, what: str) -> None:
    """Polls until `ready`, watching that no child ends. Raises HubError after `seconds`."""
    end = time.monotonic() + seconds
    while not ready():
        for child in children:
            child.check()
        if time.monotonic() > end:
            logs = "\n".join(f"{child.log}:\n{tail(child.log)}" for child in children)
            raise HubError(f"{what} within {seconds:.0f} s; the logs end so:\n{logs}", what=what)
        time.sleep(POLL_SECONDS)


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log file."""
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else "(no log)"


def _members(sessions: set[int]) -> list[int]:
    found = []
    for process in psutil.process_iter(["status"]):
        try:
            if os.getsid(process.pid) in sessions and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except ProcessLookupError:
            continue
    return found


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
