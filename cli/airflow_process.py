"""A real Airflow on this machine: scheduler, DAG processor, triggerer and API server, each a process, on free ports.

LocalExecutor, the metadata in PostgreSQL. Airflow is reached only through its programs and its REST API: `dags/` alone
imports it.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.airflow_api import AirflowApi
from cli.processes import Child, start, stop, tail, wait_until
from hub.errors import HubError

CHECKOUT = Path(__file__).resolve().parent.parent
USER = "admin"
LOGIN_FILE = "login.json"
START_SECONDS = 300.0
# A task costs seconds of CPU to start, so more at a time than cores only lengthens each; one more hides waiting.
PARALLELISM = max(3, (os.cpu_count() or 2) + 1)


@dataclass(frozen=True)
class Airflow:
    """A running Airflow. `password_file` holds the generated password of user `admin`, as JSON."""

    url: str
    home: Path
    password_file: Path
    api: AirflowApi
    children: tuple[Child, ...]

    def check(self) -> None:
        """Raises HubError where one of its processes has ended, or the scheduler's heartbeat has stopped."""
        for child in self.children:
            child.check()
        self.api.check_heartbeats()


def prepare_airflow(home: Path, database_url: str) -> None:
    """Airflow's files under `home` and its metadata in `database_url`, migrated. Raises HubError where that fails."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    environment = {**_inherited(), **configuration(home, database_url, "http://127.0.0.1")}
    _run("migrate", ["db", "migrate"], home, environment)


@contextmanager
def running_airflow(
    home: Path, database_url: str, environment: Mapping[str, str], *, port: int | None = None
) -> Iterator[Airflow]:
    """Airflow as `prepare_airflow` left it, until the block ends.

    `environment` is what its DAGs and tasks see. Raises HubError where it does not come up.
    """
    port = port or free_port()
    url = f"http://127.0.0.1:{port}"
    password_file = home / LOGIN_FILE
    env = {**_inherited(), **environment, **configuration(home, database_url, url)}
    password = _password(password_file)
    children: list[Child] = []
    try:
        for name, command in programs(port).items():
            children.append(start(name, command, home / "logs" / f"{name}.log", env))
        api = AirflowApi(url, USER, password)
        wait_until(api.healthy, children, seconds=START_SECONDS, what="Airflow was not up")
        yield Airflow(url, home, password_file, api, tuple(children))
    finally:
        stop(children)


def free_port() -> int:
    """A TCP port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def programs(port: int, host: str = "127.0.0.1") -> dict[str, list[str]]:
    """Airflow's four programs by name, as command lines; the API server listens on `host` and `port`."""
    airflow = [sys.executable, "-m", "airflow"]
    return {
        "api-server": [*airflow, "api-server", "--host", host, "--port", str(port)],
        "dag-processor": [*airflow, "dag-processor"],
        # Through our own door: the executor's workers are its forks, and need not import the road again for each task.
        "scheduler": [sys.executable, "-m", "dags.scheduler"],
        "triggerer": [*airflow, "triggerer", "--skip-serve-logs"],
    }


def configuration(home: Path, database_url: str, url: str, *, public_url: str | None = None) -> dict[str, str]:
    """Airflow's settings as environment variables, the same for each of its programs; they hold the database's password.

    `url` is where its programs reach the API server; people do so there too, unless `public_url` says otherwise.
    """
    settings = {
        "CORE": {
            "DAGS_FOLDER": str(CHECKOUT / "dags"),
            "LOAD_EXAMPLES": "False",
            "EXECUTOR": "LocalExecutor",
            "PARALLELISM": str(PARALLELISM),
            "MP_START_METHOD": "fork",
            "MAX_ACTIVE_TASKS_PER_DAG": str(PARALLELISM),
            "DAGS_ARE_PAUSED_AT_CREATION": "False",
            "SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / LOGIN_FILE),
            # Without it every task asks port 8080 and fails, while the DAGs look fine.
            "EXECUTION_API_SERVER_URL": f"{url}/execution/",
        },
        "DATABASE": {
            "SQL_ALCHEMY_CONN": database_url,
            "SQL_ALCHEMY_CONN_ASYNC": database_url,
        },
        "API": {"BASE_URL": public_url or url, "WORKERS": "1", "EXPOSE_CONFIG": "False"},
        "LOGGING": {
            "BASE_LOG_FOLDER": str(home / "logs" / "tasks"),
            "DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(home / "logs" / "dags"),
            "LOGGING_LEVEL": "INFO",
        },
        "SCHEDULER": {
            "SCHEDULER_IDLE_SLEEP_TIME": "0.5",
            # Tasks of a world that was killed are taken up again soon, not after five minutes.
            "ORPHANED_TASKS_CHECK_INTERVAL": "30",
        },
        "DAG_PROCESSOR": {
            "PARSING_PROCESSES": "1",
            "MIN_FILE_PROCESS_INTERVAL": "300",
            "DAG_BUNDLE_STORAGE_PATH": str(home / "bundles"),
        },
        "WORKERS": {
            # A task's supervisor may miss its end and look again only then; it keeps its slot meanwhile (5 s unless told).
            "MIN_HEARTBEAT_INTERVAL": "1",
            # A busy machine of two cores answers late, and a task that gave up asking would look like a fault.
            "EXECUTION_API_TIMEOUT": "30",
        },
        "METRICS": {"STATSD_ON": "False", "OTEL_ON": "False"},
        "TRACES": {"OTEL_ON": "False"},
    }
    named = {f"AIRFLOW__{section}__{key}": value for section, keys in settings.items() for key, value in keys.items()}
    return {**named, "AIRFLOW_HOME": str(home), "PYTHONUNBUFFERED": "1", "OTEL_SDK_DISABLED": "true", "DO_NOT_TRACK": "1"}


def _inherited() -> dict[str, str]:
    """Our environment, without settings of another Airflow that a login may carry."""
    return {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW_")}


def _password(path: Path) -> str:
    """Made before Airflow starts: the password it would make itself it prints into its log."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(json.dumps({USER: secrets.token_urlsafe(18)}) + "\n")
    return str(json.loads(path.read_text())[USER])


def _run(name: str, arguments: list[str], home: Path, environment: Mapping[str, str]) -> None:
    log = home / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        command = [sys.executable, "-m", "airflow", *arguments]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=dict(environment), check=False)
    if done.returncode != 0:
        raise HubError(f"airflow {' '.join(arguments)} ended with {done.returncode}; {log} ends so:\n{tail(log)}", name=name)
