"""A step of the road in a process of its own that kills itself with SIGKILL at a chosen call of a chosen function.

The processes come from a fork server that has imported the road, so that each costs a fork and not ten seconds of imports.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pkgutil import resolve_name
from typing import Any
from unittest import mock

from sqlalchemy import create_engine

import pipeline
from hub.settings import Settings
from pipeline import Hub
from store.landing import Landing
from tests.e2e.world import connections_of

COMMIT = "psycopg:Connection.commit"
"""Every commit of the hub to its store but DuckDB's own, which is the end of `fill` (`store.merge`, `store.facts`)."""

PRELOADED = ["pipeline", "great_expectations", "duckdb_sqlalchemy", "pyarrow.parquet", "asyncssh", "paramiko"]


@dataclass(frozen=True)
class Step:
    """A function of `pipeline` and what it is given after the hub."""

    name: str
    arguments: tuple[Any, ...]

    def run(self, hub: Hub) -> Any:
        return getattr(pipeline, self.name)(hub, *self.arguments)


@dataclass(frozen=True)
class KillPoint:
    """Before, or after, the `call`-th call of the function at `seam` (`module:name`)."""

    seam: str
    call: int = 1
    after: bool = False

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} call {self.call} of {self.seam}"


def run_killed(step: Step, point: KillPoint, hub: Hub, connections: Mapping[str, str]) -> None:
    """Runs the step on the hub's store until the point. Raises AssertionError where it ended in another way."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    child = context.Process(target=_run_until, args=(step, point, hub.settings, dict(connections)))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL, f"{step.name} was not killed {point}: it ended with {child.exitcode}"


@contextmanager
def counting(seam: str) -> Iterator[Callable[[], int]]:
    """Counts the calls of a seam within the block, in this process."""
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1

    with _watched(seam, before=count):
        yield lambda: calls


def _run_until(step: Step, point: KillPoint, settings: Settings, connections: Mapping[str, str]) -> None:
    calls = 0

    def strike() -> None:
        nonlocal calls
        calls += 1
        if calls == point.call:
            os.kill(os.getpid(), signal.SIGKILL)

    engine = create_engine(settings.store_url or "")
    hub = Hub(settings, engine, Landing(settings.landing_url), connections_of(connections))
    with _watched(point.seam, **{"after" if point.after else "before": strike}):
        step.run(hub)


@contextmanager
def _watched(seam: str, *, before: Callable[[], None] = lambda: None, after: Callable[[], None] = lambda: None) -> Iterator[None]:
    module, _, name = seam.partition(":")
    owner, _, attribute = name.rpartition(".")
    place = resolve_name(f"{module}:{owner}") if owner else resolve_name(module)
    original = getattr(place, attribute)

    @wraps(original)
    def watched(*arguments: Any, **named: Any) -> Any:
        before()
        result = original(*arguments, **named)
        after()
        return result

    with mock.patch.object(place, attribute, watched):
        yield
