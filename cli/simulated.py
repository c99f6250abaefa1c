"""`bsshub sim`: the simulated systems alone, kept running, so that the other commands have something to pull from."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from cli.output import console
from cli.world import Scene, ends_on_signal, renew_orders_databases, simulated_systems
from hub.periods import first_day
from hub.settings import settings
from store.server import embedded_server

LAST_NIGHT = "20260305"


def run(*, customers: int, seed: int, periods: int) -> None:
    """Plays the last `periods` nights of the simulated calendar, tells where everything is, and waits for Ctrl-C."""
    home = settings().home
    home.mkdir(parents=True, exist_ok=True)
    scene = Scene(customers, seed, tuple(_nights(periods)))
    with ends_on_signal(), embedded_server(home / "pg") as server:
        renew_orders_databases(server.url("postgres"))
        with simulated_systems(home / "sim", scene, server) as simulation:
            variables = _write_variables(home / "sim" / "connections.env", simulation.connections)
            console.print(f"the systems are up, as of the night {scene.nights[-1]}; Ctrl-C stops them")
            console.print(f"connections  set -a; . {variables}; set +a", soft_wrap=True)
            console.print(f"truth        {simulation.truth}", soft_wrap=True)
            console.print(
                f"control      {simulation.control_url}  (POST /night/YYYYMMDD, POST /fault, GET /health)", soft_wrap=True
            )
            try:
                signal.pause()
            except KeyboardInterrupt:
                console.print("stopping")


def _nights(periods: int) -> list[str]:
    last = first_day(LAST_NIGHT)
    return [f"{last - timedelta(days=back):%Y%m%d}" for back in reversed(range(periods))]


def _write_variables(path: Path, connections: Mapping[str, str]) -> Path:
    """Readable by this user alone: it holds the simulated systems' passwords."""
    text = "".join(f"{name}={shlex.quote(value)}\n" for name, value in connections.items())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return path
