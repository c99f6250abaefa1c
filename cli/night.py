"""One night in the running world, through Airflow: every feed's DAG, the cut-off, and `unify` on the asset they report to."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from adapters.feeds import FEEDS, PROVINCES
from cli.airflow_api import ENDED, Run, TaskRun
from cli.world import Say, World
from hub.errors import HubError
from hub.logging import redact
from hub.periods import period_for_cycle

LOG_LINES = 12
POLL_SECONDS = 1.0
DAGS_SECONDS = 180.0
NIGHT_SECONDS = 1800.0


@dataclass(frozen=True)
class NightRuns:
    """What Airflow ran for a night: the feeds' runs, the cut-off's, and every run of `unify` that followed."""

    feeds: tuple[Run, ...]
    cutoff: Run
    unify: tuple[Run, ...]
    tasks: tuple[TaskRun, ...]

    @property
    def seconds(self) -> float:
        """Seconds that tasks ran, added up."""
        return sum(task.seconds or 0.0 for task in self.tasks)


def feed_dags(cycle: str) -> dict[str, str]:
    """DAG id → the period that the night asks of its feed."""
    return {
        f"{feed.contract.system}_{feed.contract.feed}_{province}": period_for_cycle(cycle, feed.contract.period)
        for feed in FEEDS.values()
        for province in PROVINCES
    }


def run_night(world: World, cycle: str, say: Say, *, without: Collection[str] = (), seconds: float = NIGHT_SECONDS) -> NightRuns:
    """Runs the night and waits for its end; the DAGs named in `without` are left out. Raises HubError, with the failed task's
    last words, where a run fails, and where it takes longer than `seconds`."""
    end = time.monotonic() + seconds
    wanted = {dag_id: period for dag_id, period in feed_dags(cycle).items() if dag_id not in without}
    _await_dags(world, {*wanted, "cutoff", "unify"})
    began = datetime.now(UTC)
    feeds = [_trigger(world, dag_id, period, cycle) for dag_id, period in wanted.items()]
    say(f"{len(feeds)} feed DAGs triggered for the night {cycle}")
    feed_runs = _await_runs(world, began, lambda runs: _ended(runs, feeds), say, end)
    _raise_failed(world, feed_runs)
    cutoff = world.airflow.api.trigger("cutoff", cycle)
    runs = _await_runs(world, began, lambda runs: _ended(runs, [*feeds, cutoff]) and _all_unified(runs, cutoff), say, end)
    _raise_failed(world, runs)
    _raise_dropped(world)
    by_id = {(run.dag_id, run.run_id): run for run in runs}
    return NightRuns(
        feeds=tuple(by_id[run.dag_id, run.run_id] for run in feeds),
        cutoff=by_id[cutoff.dag_id, cutoff.run_id],
        unify=tuple(run for run in runs if run.dag_id == "unify"),
        tasks=tuple(task for run in runs for task in world.airflow.api.tasks(run)),
    )


def _await_dags(world: World, wanted: set[str]) -> None:
    end = time.monotonic() + DAGS_SECONDS
    while missing := wanted - world.airflow.api.dag_ids():
        world.check()
        if errors := world.airflow.api.import_errors():
            raise HubError(f"Airflow could not import the DAGs:\n{errors[0]}")
        if time.monotonic() > end:
            raise HubError(f"Airflow has not parsed {', '.join(sorted(missing))}", missing=sorted(missing))
        time.sleep(POLL_SECONDS)


def _trigger(world: World, dag_id: str, period: str, cycle: str) -> Run:
    # A month serves the night in hand, and says which, where that is not last night.
    return world.airflow.api.trigger(dag_id, period, {} if period == cycle else {"cycle": cycle})


def _await_runs(world: World, since: datetime, done: Callable[[Sequence[Run]], bool], say: Say, end: float) -> list[Run]:
    told = ""
    while True:
        runs = world.airflow.api.runs(since)
        if (state := _in_words(runs)) != told:
            say(state)
            told = state
        if done(runs):
            return runs
        world.check()
        if time.monotonic() > end:
            raise HubError(f"the night took too long; as it stands: {state}")
        time.sleep(POLL_SECONDS)


def _in_words(runs: Sequence[Run]) -> str:
    feeds = Counter(run.state for run in runs if run.dag_id not in {"cutoff", "unify"})
    night = Counter(f"{run.dag_id} {run.state}" for run in runs if run.dag_id in {"cutoff", "unify"})
    told = [f"feeds: {', '.join(f'{count} {state}' for state, count in sorted(feeds.items()))}"]
    return "; ".join([*told, *(name if count == 1 else f"{name} ×{count}" for name, count in sorted(night.items()))])


def _ended(runs: Sequence[Run], wanted: Sequence[Run]) -> bool:
    ended = {(run.dag_id, run.run_id) for run in runs if run.state in ENDED}
    return all((run.dag_id, run.run_id) in ended for run in wanted)


def _all_unified(runs: Sequence[Run], cutoff: Run) -> bool:
    """The event of the cut-off, the night's last, has been answered by a run of `unify`, and none is under way."""
    [last] = [run for run in runs if (run.dag_id, run.run_id) == (cutoff.dag_id, cutoff.run_id)]
    unify = [run for run in runs if run.dag_id == "unify"]
    answered = any(last.ended_at is not None and run.queued_at >= last.started_at for run in unify if last.started_at)
    return answered and all(run.state in ENDED for run in unify)


def _raise_failed(world: World, runs: Sequence[Run]) -> None:
    failed = [run for run in runs if run.state == "failed"]
    if not failed:
        return
    told = []
    for run in failed:
        for task in world.airflow.api.tasks(run):
            if task.state == "failed":
                words = "\n    ".join(redact(line) for line in world.airflow.api.log(task)[-LOG_LINES:])
                told.append(f"{task.dag_id}.{task.task_id} failed, its log ends so:\n    {words}")
    raise HubError(f"{len(failed)} of {len(runs)} DAG runs failed\n" + "\n".join(told), failed=[run.dag_id for run in failed])


def _raise_dropped(world: World) -> None:
    if dropped := world.airflow.api.dropped_events():
        raise HubError(f"Airflow dropped {len(dropped)} asset events; the first: {dropped[0]}")
