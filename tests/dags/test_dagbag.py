"""What every DAG must keep to. The bag is compared with the list of feeds, so that no DAGs at all is a failure."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pendulum
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, CronPartitionTimetable, PartitionedAssetTimetable
from airflow.timetables.trigger import CronPartitionTimetable as SchedulersTimetable

from adapters.feeds import FEEDS, PROVINCES
from dags.policy import ByNextMove
from dags.wiring import BSS_CYCLE
from hub.periods import SHANGHAI
from schemas.contract import Contract

DAGS = Path(__file__).resolve().parents[2] / "dags"
CONTRACT_OF: dict[str, Contract] = {
    f"{feed.contract.system}_{feed.contract.feed}_{province}": feed.contract for feed in FEEDS.values() for province in PROVINCES
}
NIGHTLY = {"unify", "cutoff"}
DESKS = {"steward", "close_period"}
ROOMS = {
    *("hub", "schemas", "adapters", "store", "quality", "identity", "reconcile", "delivery"),
    *("portal", "report", "pipeline", "cli", "simulator", "bench", "tests"),
}


@pytest.fixture(scope="module")
def bag() -> DagBag:
    return DagBag(DAGS)


@pytest.fixture
def feed_dags(bag: DagBag) -> dict[str, DAG]:
    return {dag_id: dag for dag_id, dag in bag.dags.items() if dag_id not in NIGHTLY | DESKS}


def test_the_dags_are_the_feeds_in_every_province_the_two_of_the_night_and_the_desks(bag: DagBag) -> None:
    assert bag.import_errors == {}
    assert len(CONTRACT_OF) == len(FEEDS) * len(PROVINCES)
    assert set(bag.dags) == {*CONTRACT_OF, *NIGHTLY, *DESKS}


def test_a_feed_is_pulled_gated_and_loaded_in_that_order(feed_dags: dict[str, DAG]) -> None:
    for dag in feed_dags.values():
        assert [task.task_id for task in dag.topological_sort()] == ["pull", "gate", "load"]
        assert dag.get_task("gate").upstream_task_ids == {"pull"}
        assert dag.get_task("load").upstream_task_ids == {"gate"}


def test_every_task_has_an_owner_a_bound_on_its_time_and_the_one_retry_policy(bag: DagBag) -> None:
    for dag in bag.dags.values():
        for task in dag.tasks:
            assert isinstance(task.retry_policy, ByNextMove), (dag.dag_id, task.task_id)
            assert task.retries > 0
            assert task.retry_exponential_backoff > 1
            assert task.max_retry_delay is not None
            assert task.execution_timeout is not None
            assert "@" in task.owner


def test_a_feeds_dag_names_its_owner_and_tells_its_contract_in_both_languages(feed_dags: dict[str, DAG]) -> None:
    for dag_id, dag in feed_dags.items():
        contract = CONTRACT_OF[dag_id]
        assert {task.owner for task in dag.tasks} == {contract.owner}
        assert dag.doc_md is not None
        assert contract.label.en in dag.doc_md
        assert contract.label.zh in dag.doc_md
        assert all(column.label.zh in dag.doc_md for column in contract.columns)
        assert {contract.system, contract.entity, dag_id.rsplit("_", 1)[1]} <= set(dag.tags)


def test_a_run_takes_the_period_that_has_just_ended_in_shanghai(feed_dags: dict[str, DAG]) -> None:
    ticks = {
        "daily": (datetime(2026, 3, 6, 1, tzinfo=SHANGHAI), "20260305"),
        "monthly": (datetime(2026, 3, 1, 1, tzinfo=SHANGHAI), "202602"),
    }
    for dag_id, dag in feed_dags.items():
        tick, period = ticks[CONTRACT_OF[dag_id].period]
        assert _key_at(dag, tick) == period
        assert not dag.catchup


def test_the_cut_off_comes_when_every_daily_feed_is_due(bag: DagBag) -> None:
    due = max(contract.due_at("20260305") for contract in CONTRACT_OF.values() if contract.period == "daily")
    assert _key_at(bag.dags["cutoff"], due) == "20260305"


def test_unify_runs_one_at_a_time_on_the_one_fan_in_asset(bag: DagBag) -> None:
    unify = bag.dags["unify"]
    assert unify.max_active_runs == 1
    assert isinstance(unify.schedule, PartitionedAssetTimetable)
    assert unify.schedule.asset_condition == BSS_CYCLE


def test_only_the_last_task_of_a_feed_and_the_cut_off_report_to_the_asset(bag: DagBag) -> None:
    producers = {(dag.dag_id, task.task_id) for dag in bag.dags.values() for task in dag.tasks if task.outlets}
    assert producers == {*((dag_id, "load") for dag_id in CONTRACT_OF), ("cutoff", "cutoff")}


def test_each_producer_sets_the_cycle_as_its_events_key(bag: DagBag, monkeypatch: pytest.MonkeyPatch) -> None:
    """A keyless event, or a month as the key of a night, starts nothing, and Airflow only notes it in its audit log."""
    _fake_road(monkeypatch)
    for dag in bag.dags.values():
        for task in dag.tasks:
            if BSS_CYCLE in task.outlets:
                monthly = dag.dag_id in CONTRACT_OF and CONTRACT_OF[dag.dag_id].period == "monthly"
                run = _run("202602", {"cycle": "20260305"}) if monthly else _run("20260305", {})
                assert _emitted(task, run, monkeypatch) == {"20260305"}, dag.dag_id


def test_a_feed_that_brings_unify_no_work_reports_nothing(bag: DagBag, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_road(monkeypatch, news=False)
    for dag_id, contract in CONTRACT_OF.items():
        load, run = bag.dags[dag_id].get_task("load"), _run("202602", {"cycle": "20260305"})
        run.partition_key = "20260305" if contract.period == "daily" else "202602"
        events, running = _Events(), SimpleNamespace(outlets=[BSS_CYCLE])
        _call(load, run, monkeypatch, [7], outlet_events=events, running=running)
        assert events == {}
        assert running.outlets == []


def test_a_month_serves_yesterdays_night_unless_its_run_names_another(bag: DagBag, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_road(monkeypatch)
    monkeypatch.setattr("dags.wiring.now", lambda: datetime(2026, 3, 4, 0, 30, tzinfo=SHANGHAI))
    load = bag.dags["billing_bill_gd"].get_task("load")
    assert _emitted(load, _run("202602", {}), monkeypatch) == {"20260303"}


def test_between_tasks_go_batch_ids_and_only_accepted_ones_are_loaded(bag: DagBag, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_road(monkeypatch)
    for dag_id, contract in CONTRACT_OF.items():
        period = "20260305" if contract.period == "daily" else "202602"
        pull, gate = bag.dags[dag_id].get_task("pull"), bag.dags[dag_id].get_task("gate")
        assert _call(pull, _run(period, {}), monkeypatch) == [7, 8]
        assert _call(gate, _run(period, {}), monkeypatch, [7, 8]) == [7]


@pytest.mark.parametrize("name", ["feeds.py", "nightly.py", "steward.py", "close_period.py"])
def test_parsing_a_dag_file_imports_nothing_heavy(name: str) -> None:
    heavy = [
        "duckdb",
        "great_expectations",
        "pandas",
        "pyarrow",
        "paramiko",
        "lxml",
        "psycopg",
        "pipeline",
        "store.tables",
    ]
    code = f"import runpy, sys; runpy.run_path({str(DAGS / name)!r}); print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ))
    assert done.stdout.splitlines()[-1] == "[]"


def test_no_dag_file_bears_a_rooms_name() -> None:
    """Airflow puts only the DAG folder on the path, where such a file would stand before the room."""
    names = {path.stem for path in DAGS.glob("*.py")}
    assert len(names) > 1
    assert names & ROOMS == set()


def test_a_simulated_worlds_dags_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else Airflow would ask the simulated systems for tonight, and change the store behind the demo's back."""
    monkeypatch.setenv("BSSHUB_LAST_NIGHT", "20260305")
    ends = datetime(2026, 3, 6, tzinfo=SHANGHAI)
    dags = DagBag(DAGS).dags
    assert {dag.end_date for dag_id, dag in dags.items() if dag_id != "unify"} == {ends}


def _key_at(dag: DAG, tick: datetime) -> str:
    """The partition key that the scheduler gives the run of that tick; fails where there is no tick then."""
    assert isinstance(dag.schedule, CronPartitionTimetable)
    schedule = dag.schedule
    timetable = SchedulersTimetable(
        schedule.expression, timezone=str(schedule.timezone), run_offset=schedule.run_offset, key_format=schedule.key_format
    )
    moment = pendulum.instance(tick)
    assert timetable._align_to_next(moment) == moment
    _, key = timetable._get_partition_info(run_date=moment)
    return key


class _Events(dict[Any, Any]):
    """Outlet events as a task sees them, each remembering the keys it was given."""

    def __missing__(self, asset: Any) -> SimpleNamespace:
        keys: set[str] = set()
        self[asset] = SimpleNamespace(keys=keys, add_partitions=keys.add)
        return self[asset]  # type: ignore[no-any-return]


def _run(period: str, conf: dict[str, str]) -> SimpleNamespace:
    return SimpleNamespace(run_id="manual__1", partition_key=period, conf=conf)


def _emitted(task: Any, run: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    events = _Events()
    _call(task, run, monkeypatch, *([[7]] if task.task_id == "load" else []), outlet_events=events)
    assert all(re.fullmatch(r"\d{8}", key) for key in events[BSS_CYCLE].keys)
    return set(events[BSS_CYCLE].keys)


def _call(
    task: Any, run: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, *arguments: object, running: object = None, **named: object
) -> object:
    """Runs what the task runs, with a hub that is none."""
    function = task.python_callable

    @contextmanager
    def no_hub() -> Iterator[None]:
        yield None

    monkeypatch.setitem(function.__globals__, "opened_hub", no_hub)
    monkeypatch.setitem(function.__globals__, "get_current_context", lambda: {"dag_run": run, "task": running})
    return function(*arguments, **named)


def _fake_road(monkeypatch: pytest.MonkeyPatch, *, news: bool = True) -> None:
    road = ModuleType("pipeline")
    steps = {
        "pull": lambda *_, **__: [7, 8],
        "gate": lambda *_, **__: [SimpleNamespace(batch_id=7, accepted=True), SimpleNamespace(batch_id=8, accepted=False)],
        "load": lambda *_, **__: [],
        "has_news": lambda *_: news,
        "cutoff": lambda *_, **__: ["billing.payment gd 20260305"],
    }
    for name, step in steps.items():
        setattr(road, name, step)
    monkeypatch.setitem(sys.modules, "pipeline", road)
