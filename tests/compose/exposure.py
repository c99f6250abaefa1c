"""Looks for secrets where they must not be: the containers' and the image's configuration, logs, command lines, reports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from engine import Compose, run

WRITTEN = ("/var/lib/bsshub/airflow/logs", "/var/lib/bsshub/report", "/var/lib/bsshub/gx")
SCHEDULER = "airflow-scheduler"


def secret_values(compose: Compose, folder: Path) -> dict[str, str]:
    """Every secret of the running world by name: the secret files', and the simulated systems' passwords."""
    found = {path.name: path.read_text().strip() for path in folder.iterdir()}
    facts = json.loads(compose("exec", "-T", "simulator", "cat", "/var/lib/bsshub/sim/simulation.json"))
    for name, text in facts["connections"].items():
        if password := json.loads(text).get("password"):
            found[name] = password
    return found


def exposures(compose: Compose, secrets: Mapping[str, str]) -> list[str]:
    """Where a secret is to be seen, as sentences that name it and do not hold it."""
    image = "bsshub:local"
    places = {
        "docker inspect of the containers": json.dumps(list(compose.containers().values())),
        "the image's configuration": run(["docker", "inspect", image]) + run(["docker", "history", "--no-trunc", image]),
        "the containers' logs": compose("logs", "--no-color"),
        "the processes' command lines": compose("top"),
    }
    found = [f"{name} is in {place}" for place, text in places.items() for name, value in secrets.items() if _shows(text, value)]
    return found + [f"a secret is in {path}" for path in _files_with(compose, secrets)]


def _shows(text: str, value: str) -> bool:
    return any(form in text for form in {value, quote(value, safe=""), json.dumps(value)[1:-1]})


def _files_with(compose: Compose, secrets: Mapping[str, str]) -> list[str]:
    """Files that tasks and reports wrote. The patterns go in by standard input: a command line can be read by all."""
    search = 'grep -rlFf /dev/stdin "$@"; [ $? -le 1 ]'
    patterns = "\n".join(secrets.values()) + "\n"
    return compose("exec", "-T", SCHEDULER, "sh", "-c", search, "sh", *WRITTEN, given=patterns).split()
