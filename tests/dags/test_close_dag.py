"""What the sign-off DAG shows, and what becomes of an answer, or of none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowSkipException

import pipeline.close as road
from reconcile.signoff import Figure, Proposal

DAGS = Path(__file__).resolve().parents[2] / "dags"
SHOWN = {"period": "202602", "digest": "d1", "body": "…"}
PROPOSAL = Proposal("202602", 3, (Figure("gd", "billed_fen", 500000),), "d1", {"invoice_is_not_sum_of_items": 2})


@pytest.fixture(scope="module")
def dag() -> DAG:
    return DagBag(DAGS).dags["close_period"]


@pytest.fixture
def signed(dag: DAG, monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What the tasks hand to the road, which signs nothing."""
    told: list[tuple[object, ...]] = []

    def close(_: object, period: str, *, by: str, note: str, expected: str, run_id: str) -> int:
        told.append((period, by, note, expected, run_id))
        return 1

    monkeypatch.setattr(road, "close_period", close)
    monkeypatch.setattr(road, "propose_period", lambda _, period: PROPOSAL if period == "202602" else None)

    @contextmanager
    def no_hub() -> Iterator[None]:
        yield None

    context = {"params": {"period": "202602"}, "dag_run": SimpleNamespace(run_id="manual__1")}
    for name in ("propose", "sign"):
        space = function_of(dag, name).__globals__
        monkeypatch.setitem(space, "opened_hub", no_hub)
        monkeypatch.setitem(space, "get_current_context", lambda: context)
    return told


def function_of(dag: DAG, task_id: str) -> Any:
    return getattr(dag.get_task(task_id), "python_callable")  # noqa: B009 (an attribute its type hides)


def answer(option: str, person: str | None, note: str = "") -> dict[str, Any]:
    user = {"id": "7", "name": person} if person else None
    return {"chosen_options": [option], "params_input": {"note": note}, "responded_by_user": user}


def test_the_question_waits_for_a_person_in_bounds_and_its_default_signs_nothing(dag: DAG) -> None:
    ask = dag.get_task("ask")
    assert isinstance(ask, HITLOperator)
    assert ask.response_timeout is not None
    assert timedelta(hours=1) <= ask.response_timeout <= timedelta(days=7)
    assert [option.split()[0] for option in ask.options] == ["Sign", "Do"]
    assert ask.defaults == [ask.options[1]]
    assert [task.task_id for task in dag.topological_sort()] == ["propose", "ask", "sign"]


def test_what_is_shown_are_the_figures_in_both_languages_and_what_stands_in_the_way(
    dag: DAG, signed: list[tuple[object, ...]]
) -> None:
    shown = function_of(dag, "propose")()
    assert (shown["period"], shown["digest"], signed) == ("202602", "d1", [])
    for words in ("Billed · 账单金额 |", "¥5,000.00", "invoice_is_not_sum_of_items: 2", "未了结"):
        assert words in shown["body"]


def test_the_month_is_signed_under_the_name_of_who_answered_over_what_was_shown(
    dag: DAG, signed: list[tuple[object, ...]]
) -> None:
    ask: Any = dag.get_task("ask")
    function_of(dag, "sign")(SHOWN, answer(ask.options[0], "王静", "checked"))
    assert signed == [("202602", "王静", "checked", "d1", "manual__1")]


@pytest.mark.parametrize(("option", "person"), [(1, "王静"), (1, None), (0, None)])
def test_no_answer_and_a_no_sign_nothing(dag: DAG, signed: list[tuple[object, ...]], option: int, person: str | None) -> None:
    ask: Any = dag.get_task("ask")
    with pytest.raises(AirflowSkipException, match="not signed"):
        function_of(dag, "sign")(SHOWN, answer(ask.options[option], person))
    assert signed == []
