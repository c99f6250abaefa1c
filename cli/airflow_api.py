"""Airflow's REST API, as far as the demo and the tests need it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from hub.errors import HubError

TIMEOUT = 60.0
ENDED = frozenset({"success", "failed"})
STALE_SECONDS = 120.0


@dataclass(frozen=True)
class Run:
    """One DAG run. `state` is Airflow's: queued, running, success, failed. Times have a zone."""

    dag_id: str
    run_id: str
    state: str
    partition_key: str | None
    queued_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True)
class TaskRun:
    """One task of a run; `state` None while it has not been looked at."""

    dag_id: str
    run_id: str
    task_id: str
    state: str | None
    try_number: int
    seconds: float | None


@dataclass(frozen=True)
class Question:
    """A form that a human-in-the-loop task waits for; `map_index` -1 where the task is not mapped."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    subject: str
    body: str
    options: tuple[str, ...]


def _patient_session() -> requests.Session:
    """Questions are asked again where the answer does not come; what changes something is asked once."""
    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=Retry(total=4, backoff_factor=0.5, allowed_methods={"GET"})))
    return session


@dataclass(frozen=True)
class AirflowApi:
    """Speaks as `user`; the token is fetched when first needed and again when it has expired."""

    url: str
    user: str
    password: str = field(repr=False)
    _session: requests.Session = field(default_factory=_patient_session, repr=False, compare=False)

    def healthy(self) -> bool:
        """True when database, scheduler, DAG processor and triggerer all report in."""
        try:
            health = requests.get(f"{self.url}/api/v2/monitor/health", timeout=TIMEOUT).json()
        except (requests.RequestException, ValueError):
            return False
        return all(part and part.get("status") == "healthy" for part in health.values())

    def check_heartbeats(self) -> None:
        """Raises HubError where the scheduler has not reported for two minutes: it can hang while its process lives
        (apache/airflow#70526)."""
        health = self._ask("GET", "/monitor/health").json()
        seen = health["scheduler"]["latest_scheduler_heartbeat"]
        age = (datetime.now(UTC) - datetime.fromisoformat(seen)).total_seconds() if seen else 0.0
        if age > STALE_SECONDS:
            raise HubError(f"Airflow's scheduler has been silent for {age:.0f} s", seconds=age)

    def dag_ids(self) -> set[str]:
        """The DAGs that Airflow has parsed and would run."""
        return {dag["dag_id"] for dag in self._call("GET", "/dags", params={"limit": 500})["dags"]}

    def import_errors(self) -> list[str]:
        return [str(error["stack_trace"]) for error in self._call("GET", "/importErrors")["import_errors"]]

    def trigger(self, dag_id: str, partition_key: str | None, conf: Mapping[str, object] | None = None) -> Run:
        """Starts one run, of one partition where the DAG has any."""
        body = {"logical_date": None, "partition_key": partition_key, "conf": dict(conf or {})}
        return _run(self._call("POST", f"/dags/{dag_id}/dagRuns", json=body))

    def run(self, dag_id: str, run_id: str) -> Run:
        return _run(self._call("GET", f"/dags/{dag_id}/dagRuns/{run_id}"))

    def runs(self, since: datetime, dag_ids: Iterable[str] = ()) -> list[Run]:
        """Runs due since then, of these DAGs or of all."""
        found: list[Run] = []
        while True:
            body = {"run_after_gte": since.isoformat(), "page_limit": 100, "page_offset": len(found)}
            if wanted := list(dag_ids):
                body["dag_ids"] = wanted
            answer = self._call("POST", "/dags/~/dagRuns/list", json=body)
            found += [_run(run) for run in answer["dag_runs"]]
            if not answer["dag_runs"] or len(found) >= answer["total_entries"]:
                return found

    def tasks(self, run: Run) -> list[TaskRun]:
        answer = self._call("GET", f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances")
        return [
            TaskRun(run.dag_id, run.run_id, task["task_id"], task["state"], task["try_number"], task["duration"])
            for task in answer["task_instances"]
        ]

    def log(self, task: TaskRun) -> list[str]:
        """The lines of a task's last try, without Airflow's own frame."""
        path = f"/dags/{task.dag_id}/dagRuns/{task.run_id}/taskInstances/{task.task_id}/logs/{max(task.try_number, 1)}"
        answer = self._call("GET", path, params={"full_content": "true"})
        return [_line(entry) for entry in answer["content"]]

    def questions(self, run: Run) -> list[Question]:
        """What the run asks of people and nobody has answered yet."""
        path = f"/dags/{run.dag_id}/dagRuns/{run.run_id}/hitlDetails"
        return [_question(run, form) for form in self._call("GET", path, params={"response_received": False})["hitl_details"]]

    def answer(self, question: Question, option: str, said: Mapping[str, str]) -> None:
        """Answers as the person logged in; `said` fills the form's fields."""
        place = f"/dags/{question.dag_id}/dagRuns/{question.run_id}/taskInstances/{question.task_id}/{question.map_index}"
        self._call("PATCH", f"{place}/hitlDetails", json={"chosen_options": [option], "params_input": dict(said)})

    def dropped_events(self) -> list[str]:
        """Asset events that started nothing: Airflow tells this only in its audit log."""
        events = ("missing partition key", "failed to map partition_key", "partition fan-out exceeded")
        return [
            str(entry["extra"])
            for event in events
            for entry in self._call("GET", "/eventLogs", params={"event": event})["event_logs"]
        ]

    def _call(self, method: str, path: str, **options: Any) -> Any:
        for fresh in (False, True):
            if fresh or "Authorization" not in self._session.headers:
                self._log_in()
            answer = self._ask(method, path, **options)
            if answer.status_code != 401:
                break
        if not answer.ok:
            raise HubError(f"Airflow answered {answer.status_code} to {method} {path}: {answer.text[:500]}", path=path)
        return answer.json()

    def _ask(self, method: str, path: str, **options: Any) -> requests.Response:
        try:
            return self._session.request(method, f"{self.url}/api/v2{path}", timeout=TIMEOUT, **options)
        except requests.RequestException as error:
            raise HubError(f"Airflow did not answer {method} {path}: {type(error).__name__}", path=path) from error

    def _log_in(self) -> None:
        body = {"username": self.user, "password": self.password}
        answer = self._session.post(f"{self.url}/auth/token", json=body, timeout=TIMEOUT)
        if not answer.ok:
            raise HubError(f"Airflow refused the log-in of {self.user} with {answer.status_code}", user=self.user)
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


def _run(answer: Mapping[str, Any]) -> Run:
    return Run(
        dag_id=answer["dag_id"],
        run_id=answer["dag_run_id"],
        state=answer["state"],
        partition_key=answer["partition_key"],
        queued_at=datetime.fromisoformat(answer["queued_at"]),
        started_at=_moment(answer["start_date"]),
        ended_at=_moment(answer["end_date"]),
    )


def _question(run: Run, form: Mapping[str, Any]) -> Question:
    asks = form["task_instance"]
    return Question(
        run.dag_id, run.run_id, asks["task_id"], asks["map_index"], form["subject"], form["body"], tuple(form["options"])
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _line(entry: str | Mapping[str, Any]) -> str:
    if isinstance(entry, str):
        return entry
    detail = entry.get("error_detail") or []
    causes = "; ".join(f"{error.get('exc_type')}: {error.get('exc_value')}" for error in detail)
    return " ".join(part for part in (str(entry.get("event", "")), causes) if part) or json.dumps(dict(entry))
