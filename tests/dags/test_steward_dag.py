"""What the steward's DAG asks, and what becomes of an answer, or of none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowSkipException

DAGS = Path(__file__).resolve().parents[2] / "dags"
CASE = {"pair": "P1", "a": "crm/gd/C1", "b": "crm/gd/C2", "subject": "one customer?", "body": "…"}


@pytest.fixture(scope="module")
def dag() -> DAG:
    return DagBag(DAGS).dags["steward"]


@pytest.fixture
def noted(dag: DAG, monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What the tasks hand to the road, which is none."""
    told: list[tuple[object, ...]] = []
    road = ModuleType("pipeline")
    setattr(road, "record_answer", lambda _, case, verdict, *, by, reason: told.append((case["pair"], verdict, by, reason)))  # noqa: B010
    setattr(road, "steward_cases", lambda _: [CASE])  # noqa: B010
    monkeypatch.setitem(sys.modules, "pipeline", road)

    @contextmanager
    def no_hub() -> Iterator[None]:
        yield None

    for name in ("cases", "pair.record"):
        monkeypatch.setitem(function_of(dag, name).__globals__, "opened_hub", no_hub)
    return told


def function_of(dag: DAG, task_id: str) -> Any:
    task: Any = dag.get_task(task_id)
    return getattr(task, "python_callable", None) or task.op_kwargs_expand_input.value["python_callable"]


def answer(option: str, person: str | None, reason: str = "") -> dict[str, Any]:
    user = {"id": "7", "name": person} if person else None
    return {"chosen_options": [option], "params_input": {"reason": reason}, "responded_by_user": user}


def test_the_question_waits_for_a_person_in_bounds_and_its_default_is_no_verdict(dag: DAG) -> None:
    judge = dag.get_task("pair.judge")
    assert isinstance(judge, HITLOperator)
    assert judge.response_timeout is not None
    assert timedelta(hours=1) <= judge.response_timeout < timedelta(hours=24), "the next morning asks anew"
    assert judge.execution_timeout is not None
    assert [option.split()[0] for option in judge.options] == ["Same", "Different", "Cannot"]
    assert judge.defaults == [judge.options[2]]
    assert set(judge.serialized_params) == {"reason"}
    assert [task.task_id for task in dag.topological_sort()] == ["cases", "pair.told", "pair.judge", "pair.record"]


def test_an_answer_is_noted_under_the_name_of_who_gave_it(dag: DAG, noted: list[tuple[object, ...]]) -> None:
    judge: Any = dag.get_task("pair.judge")
    record = function_of(dag, "pair.record")
    record(CASE, answer(judge.options[0], "王静", "same contract"))
    record(CASE, answer(judge.options[1], "李强"))
    assert noted == [("P1", "same", "王静", "same contract"), ("P1", "different", "李强", "answered in Airflow")]


def test_what_nobody_answers_in_time_is_no_decision(dag: DAG, noted: list[tuple[object, ...]]) -> None:
    judge: Any = dag.get_task("pair.judge")
    with pytest.raises(AirflowSkipException, match="stays in the queue"):
        function_of(dag, "pair.record")(CASE, answer(judge.options[2], None))
    assert noted == []


def test_the_cases_are_those_of_the_queue(dag: DAG, noted: list[tuple[object, ...]]) -> None:
    assert function_of(dag, "cases")() == [CASE]
    assert noted == []
