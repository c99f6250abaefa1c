"""A published night, and the commands run on it as a person would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from pipeline import Hub
from tests.e2e.conftest import build_rig  # noqa: F401 (a fixture)
from tests.e2e.published import Published, publish_twice
from tests.e2e.spoilt import PrivateDrop

Run = Callable[..., Any]


def environment(hub: Hub, connections: dict[str, str]) -> dict[str, str]:
    """What a shell must export so that a command works on this hub."""
    home = {"BSSHUB_HOME": str(hub.settings.home), "BSSHUB_LANDING_URL": hub.settings.landing_url}
    return {**home, "BSSHUB_STORE_URL": str(hub.settings.store_url), **connections}


def runner(variables: dict[str, str]) -> Run:
    """`run("feeds", "--json")` → exit_code, stdout, stderr."""
    return lambda *words: CliRunner().invoke(app, list(words), env=variables)


@pytest.fixture(scope="module")
def published(build_rig: Any) -> Published:  # noqa: F811 (the fixture)
    return publish_twice(build_rig)


@pytest.fixture(scope="module")
def bsshub(published: Published) -> Run:
    """Commands on the published night. `js` has no connections, as in the hub that published."""
    gd = {name: value for name, value in published.rig.connections.items() if name.endswith("_GD")}
    return runner(environment(published.hub, gd))


def runner_of(drop: PrivateDrop, connections: dict[str, str]) -> Run:
    """Commands on a hub whose billing `gd` is a drop of its own."""
    directory = f'{{"conn_type": "file", "schema": "{drop.path}"}}'
    return runner(environment(drop.hub, {**connections, "AIRFLOW_CONN_BSS_BILLING_GD": directory}))
