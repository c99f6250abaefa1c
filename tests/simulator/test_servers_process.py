"""The simulation as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from simulator.process import READY_FILE
from simulator.world import BASE_NIGHT, FIRST_NIGHT, PROVINCES

pytestmark = pytest.mark.postgres

DEADLINE_S = 120


def wait_for(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not done():
        assert time.monotonic() < deadline, f"waited {DEADLINE_S} s for {what}"
        time.sleep(0.05)


def command(home: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "simulator.process", "--home", str(home), "--customers", "40", "--seed", "3", "--polite", *more]


@contextmanager
def started(
    home: Path, *more: str, environment: dict[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command(home, *more), env={**os.environ, **(environment or {})}, stdout=log, stderr=log)
    ready = home / READY_FILE
    try:
        wait_for(lambda: ready.exists() or process.poll() is not None, "the simulation")
        assert process.poll() is None, (home / "log").read_text()
        yield process, json.loads(ready.read_text())
    finally:
        process.kill()
        process.wait()


def call(method: str, facts: dict[str, Any], path: str, body: object = None) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, facts["control_url"] + path, json=body, timeout=DEADLINE_S)


def ask_token(crm: dict[str, Any]) -> int:
    url = f"http://127.0.0.1:{crm['port']}/gd/oauth/token"
    login = (crm["login"], crm["password"])
    with requests.Session() as session:
        session.trust_env = False
        return session.post(url, data={"grant_type": "client_credentials"}, auth=login, timeout=DEADLINE_S).status_code


def test_it_tells_where_it_is_obeys_and_ends(tmp_path: Path, new_database: Callable[..., str]) -> None:
    environment = {f"SIMULATOR_ORDERS_URL_{province.upper()}": new_database() for province in PROVINCES}
    with started(tmp_path, "--night", FIRST_NIGHT, environment=environment) as (process, facts):
        assert (tmp_path / READY_FILE).stat().st_mode & 0o777 == 0o600
        assert len(facts["connections"]) == 8
        assert call("GET", facts, "/health").json() == {"state": "ready", "nights": [FIRST_NIGHT]}
        truth = Path(facts["truth"])
        assert any(truth.iterdir())
        assert call("POST", facts, f"/night/{BASE_NIGHT}").json()["nights"] == [FIRST_NIGHT, BASE_NIGHT]
        assert any(BASE_NIGHT in path.name for path in (tmp_path / "drop" / "gd").iterdir())

        number = call("POST", facts, "/fault", {"kind": "refuse_login", "system": "crm"}).json()["number"]
        crm = json.loads(facts["connections"]["AIRFLOW_CONN_BSS_CRM_GD"])
        assert [ask_token(crm), ask_token(crm)] == [401, 200]
        assert call("GET", facts, f"/fault/{number}").json() == {"struck": 1}
        assert call("DELETE", facts, "/faults").ok
        assert call("GET", facts, f"/fault/{number}").status_code == 404
        assert "kind is one of" in call("POST", facts, "/fault", {"kind": "explode", "system": "crm"}).json()["error"]
        assert call("POST", facts, "/night/tomorrow").status_code == 404

        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=DEADLINE_S) == 0
    assert not (tmp_path / READY_FILE).exists()
    log = (tmp_path / "log").read_text()
    assert log == ""


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    start = f"import subprocess; subprocess.Popen({command(tmp_path, '--with-parent')!r}).wait()"
    with subprocess.Popen([sys.executable, "-c", start]) as parent:
        ready = tmp_path / READY_FILE
        wait_for(ready.exists, "the simulation")
        child = psutil.Process(json.loads(ready.read_text())["pid"])
        parent.kill()
    wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the simulation's end")
    assert not ready.exists()
