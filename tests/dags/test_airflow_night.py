"""A small night in a real Airflow: scheduler, DAG processor, triggerer, API server, PostgreSQL, the simulated systems."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine, create_engine, text

from adapters.feeds import FEEDS, PROVINCES
from cli.airflow_api import ENDED, Question, Run
from cli.night import NightRuns, feed_dags, run_night
from cli.world import Scene, World, running_world
from hub.settings import Settings
from identity import desk
from pipeline.steward import CASES
from reconcile.life import Act, act
from report import breaks, queries
from store.checksums import checksums

NIGHT = "20260305"
LATE = "group_production_job_js"
PATIENCE_SECONDS = 600.0
INSTANCES = len(FEEDS) * len(PROVINCES)
YES, NO = 0, 1  # places of a form's options
GLANCES_TO_READ = 6


# A small world may leave its stewards nothing to ask.
TWO_PAIRS = """
insert into core.review_pair
select 'crm', one.province, one.customer_key, 'crm', one.province, other.customer_key, 3.25, 0.9, '[]', 1, null
from (select *, row_number() over (order by customer_key) as turn from core.crosswalk
      where system = 'crm' and province = 'gd' and recorded_to is null) one
join (select *, row_number() over (order by customer_key) as turn from core.crosswalk
      where system = 'crm' and province = 'gd' and recorded_to is null) other on other.turn = one.turn + 1
where one.turn in (1, 3)
"""

pytestmark = [pytest.mark.airflow, pytest.mark.e2e, pytest.mark.timeout(2400)]


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Not under pytest's own folder, which is closed to the user PostgreSQL runs as. Gone with whatever ran in it."""
    made = Path(tempfile.mkdtemp(prefix="bsshub-night-"))
    yield made
    left = [process.pid for process in psutil.process_iter(["cmdline"]) if str(made) in " ".join(process.info["cmdline"] or [])]
    shutil.rmtree(made, ignore_errors=True)
    assert left == [], "a process was left running"


@pytest.fixture(scope="module")
def world(home: Path) -> Iterator[World]:
    settings = Settings(home, None, (home / "landing").as_uri())
    with running_world(settings, Scene(customers=60, nights=(NIGHT,)), print) as running:
        yield running


@pytest.fixture(scope="module")
def engine(world: World) -> Iterator[Engine]:
    assert world.settings.store_url is not None
    made = create_engine(world.settings.store_url)
    yield made
    made.dispose()


@pytest.fixture(scope="module")
def without_one(world: World, engine: Engine) -> NightRuns:
    """The night as far as it came by the cut-off, one feed having sent nothing."""
    return run_night(world, NIGHT, print, without={LATE})


@pytest.fixture(scope="module")
def whole(world: World, without_one: NightRuns) -> NightRuns:
    """The same night once that feed has come too."""
    return run_night(world, NIGHT, print)


def test_the_cut_off_names_the_feed_that_never_came_and_the_night_goes_on(without_one: NightRuns, engine: Engine) -> None:
    [missing] = queries.missing_feeds(engine, NIGHT)
    assert (missing["feed"], missing["province"], missing["period"]) == ("group.production_job", "js", NIGHT)


def test_every_feed_ran_in_airflow_with_its_own_period(whole: NightRuns) -> None:
    assert {(run.dag_id, run.partition_key, run.state) for run in whole.feeds} == {
        (dag_id, period, "success") for dag_id, period in feed_dags(NIGHT).items()
    }
    assert len(whole.feeds) == INSTANCES


def test_the_late_feed_made_the_night_whole(whole: NightRuns, engine: Engine) -> None:
    stamp = queries.publication(engine)
    assert stamp is not None
    assert (stamp["cycle"], stamp["publication_id"]) == (NIGHT, 2)
    assert queries.night_summary(engine, NIGHT)["missing"] == []
    assert "success" in {run.state for run in whole.unify}


def test_unify_runs_when_there_is_work_and_for_the_cut_off_not_for_every_feed(without_one: NightRuns, whole: NightRuns) -> None:
    assert len(without_one.unify) == 1
    # For the late feed, for those that ended before its news were published, for the cut-off.
    assert 2 <= len(whole.unify) < INSTANCES


def test_each_step_is_in_the_ledger_with_its_airflow_run(whole: NightRuns, engine: Engine) -> None:
    steps: dict[object, set[object]] = defaultdict(set)
    for row in queries.attempts(engine, limit=None):
        steps[row["run_id"]].add(row["step"])
    assert {run.run_id: steps[run.run_id] for run in whole.feeds} == {run.run_id: {"pull", "gate", "load"} for run in whole.feeds}


def test_running_the_night_again_pulls_and_gates_again_and_changes_nothing(
    whole: NightRuns, world: World, engine: Engine
) -> None:
    before, published = checksums(engine), _stamp(engine)
    again = run_night(world, NIGHT, print)
    assert len(again.unify) == 1
    tried = {(row["run_id"], row["step"]) for row in queries.attempts(engine, limit=None)}
    for run in again.feeds:
        assert {(run.run_id, "pull"), (run.run_id, "gate")} <= tried
    assert not {run.run_id for run in again.feeds} & {run.run_id for run in whole.feeds}
    assert checksums(engine) == before
    assert _stamp(engine) == published


def test_no_event_of_the_asset_was_dropped(whole: NightRuns, world: World) -> None:
    assert world.airflow.api.dropped_events() == []


def test_a_feed_that_is_overdue_fails_at_once_and_says_since_when(whole: NightRuns, world: World) -> None:
    """The kind of error decides: no retry is spent on a period that was due long ago."""
    api = world.airflow.api
    triggered = api.trigger("billing_payment_gd", "20260306")
    run = _wait(lambda: _ended(world, triggered))
    [pull] = [task for task in api.tasks(run) if task.task_id == "pull"]
    assert (run.state, pull.state, pull.try_number) == ("failed", "failed", 1)
    assert any("overdue since 2026-03-07 09:00" in line for line in api.log(pull))


def test_a_month_that_the_person_does_not_sign_stays_open(whole: NightRuns, world: World, engine: Engine) -> None:
    run, [form] = _answered(world, "close_period", {"period": "202602"}, NO, {"note": ""})
    assert form.subject == "Close 202602 签核账期 202602"
    assert {task.task_id: task.state for task in world.airflow.api.tasks(run)}["sign"] == "skipped"
    assert breaks.signatures(engine) == []


def test_a_month_is_signed_by_who_answers_the_form(whole: NightRuns, world: World, engine: Engine) -> None:
    for row in breaks.listing(engine, limit=None):
        if row["severity"] == "critical":
            act(engine, row["break_id"], Act.ANSWER, by="李强", said="known at the source")
            act(engine, row["break_id"], Act.ACCEPT, by="李强", said="known at the source")
    run, [form] = _answered(world, "close_period", {"period": "202602"}, YES, {"note": "read with billing"})
    assert run.state == "success"
    assert "账单金额 | ¥" in form.body
    [signature] = breaks.signatures(engine)
    signed = (signature["period"], signature["signed_by"], signature["note"])
    assert signed == ("202602", world.airflow.api.user, "read with billing")
    assert [row["step"] for row in queries.attempts(engine, limit=None) if row["run_id"] == run.run_id] == ["sign"]


def test_the_steward_answers_each_pair_in_its_own_form(whole: NightRuns, world: World, engine: Engine) -> None:
    with engine.begin() as store:
        store.execute(text(TWO_PAIRS))
    waiting = desk.queue(engine, state="open", limit=CASES)
    run, forms = _answered(world, "steward", {}, NO, {"reason": "two licences"})
    assert (run.state, len(forms)) == ("success", len(waiting))
    noted = {(row["a"], row["b"]): (row["verdict"], row["decided_by"], row["reason"]) for row in desk.decisions(engine)}
    assert noted == {(row["a"], row["b"]): ("different", world.airflow.api.user, "two licences") for row in waiting}


def _answered(
    world: World, dag_id: str, conf: dict[str, object], option: int, said: dict[str, str]
) -> tuple[Run, list[Question]]:
    """A run of the DAG to its end, and the forms it showed, each answered once it was read.

    Airflow takes a task for lost that is answered within the second it began to wait, and asks anew after the retry's pause:
    an answer too soon costs time, not the result.
    """
    api = world.airflow.api
    run = api.trigger(dag_id, None, conf)
    shown: dict[int, Question] = {}
    glances: Counter[int] = Counter()

    def answer_what_waits() -> Run | None:
        for form in api.questions(run):
            shown[form.map_index] = form
            glances[form.map_index] += 1
            if glances[form.map_index] % GLANCES_TO_READ == 0:
                api.answer(form, form.options[option], said)
        return _ended(world, run)

    return _wait(answer_what_waits), list(shown.values())


def _stamp(engine: Engine) -> dict[str, object]:
    """What is published; the ledger's chain goes on with every attempt."""
    stamp = queries.publication(engine)
    assert stamp is not None
    return {name: value for name, value in stamp.items() if name != "chain_head"}


def _ended(world: World, triggered: Run) -> Run | None:
    known = world.airflow.api.run(triggered.dag_id, triggered.run_id)
    return known if known.state in ENDED else None


def _wait(look: Callable[[], Run | None]) -> Run:
    end = time.monotonic() + PATIENCE_SECONDS
    while (found := look()) is None:
        assert time.monotonic() < end
        time.sleep(0.5)
    return found
