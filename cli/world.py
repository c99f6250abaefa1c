"""The demo's world on one machine: the embedded store, the simulated systems and a real Airflow, started and stopped as one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import create_engine, make_url

from cli.airflow_process import Airflow, prepare_airflow, running_airflow
from cli.processes import Child, start, stop, wait_until
from hub.settings import Settings
from store.migrate import upgrade
from store.server import EmbeddedServer, embedded_server, ensure_databases

STORE, AIRFLOW = "bsshub", "airflow"
ORDERS = {"gd": "orders_gd", "js": "orders_js"}
SIMULATION_SECONDS = 180.0
Say = Callable[[str], None]


@dataclass(frozen=True)
class Scene:
    """Which world is simulated, and which nights of it have been played. The last is the end of its calendar."""

    customers: int = 2000
    seed: int = 20260305
    nights: tuple[str, ...] = ("20260305",)


@dataclass(frozen=True)
class Simulation:
    """The simulated systems, running. `connections` are `AIRFLOW_CONN_*` variables and hold passwords."""

    connections: Mapping[str, str]
    control_url: str
    truth: Path
    child: Child


@dataclass(frozen=True)
class World:
    """Everything running. `settings` name the store by its URL, so that whoever opens the hub with them starts no server."""

    settings: Settings
    simulation: Simulation
    airflow: Airflow

    def check(self) -> None:
        """Raises HubError where a part of it has ended or hangs."""
        self.simulation.child.check()
        self.airflow.check()


@contextmanager
def running_world(settings: Settings, scene: Scene, say: Say, *, airflow_port: int | None = None) -> Iterator[World]:
    """The world under `settings.home`, until the block ends; nothing stays running. Raises HubError where a part does not start.

    The store named by `settings.store_url` is used where there is one; the simulated orders databases and Airflow's metadata
    live in the embedded server in any case.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    airflow_home = settings.home / "airflow"
    with ExitStack() as parts:
        say("starting PostgreSQL")
        server = parts.enter_context(embedded_server(settings.home / "pg"))
        make_databases(server.url("postgres"))
        renew_orders_databases(server.url("postgres"))
        store_url = settings.store_url or server.url(STORE)
        _migrate(store_url)
        database = server.url(AIRFLOW)
        say(f"starting the simulated systems ({scene.customers} big customers) and preparing Airflow")
        with ThreadPoolExecutor(1) as beside:
            prepared = beside.submit(prepare_airflow, airflow_home, database)
            simulation = parts.enter_context(simulated_systems(settings.home / "sim", scene, server))
            prepared.result()
        say("starting Airflow: scheduler, DAG processor, triggerer, API server")
        environment = {
            **simulation.connections,
            "BSSHUB_HOME": str(settings.home),
            "BSSHUB_STORE_URL": store_url,
            "BSSHUB_LANDING_URL": settings.landing_url,
            "BSSHUB_LAST_NIGHT": scene.nights[-1],
        }
        airflow = parts.enter_context(running_airflow(airflow_home, database, environment, port=airflow_port))
        yield World(replace(settings, store_url=store_url), simulation, airflow)


@contextmanager
def simulated_systems(home: Path, scene: Scene, server: EmbeddedServer) -> Iterator[Simulation]:
    """The nine systems' simulator as a process of its own, its nights played, its files made anew under `home`.

    Raises HubError where it does not come up.
    """
    shutil.rmtree(home, ignore_errors=True)
    ready = home / "simulation.json"
    command = [sys.executable, "-m", "simulator.process", "--with-parent", "--home", str(home)]
    command += ["--customers", str(scene.customers), "--seed", str(scene.seed)]
    command += [word for night in scene.nights for word in ("--night", night)]
    # The URLs hold a password, and a command line can be read by everyone.
    urls = {f"SIMULATOR_ORDERS_URL_{province.upper()}": server.tcp_url(name) for province, name in ORDERS.items()}
    child = start("simulator", command, home.with_name("logs") / "simulator.log", {**os.environ, **urls})
    try:
        wait_until(ready.exists, [child], seconds=SIMULATION_SECONDS, what="the simulated systems were not up")
        facts = json.loads(ready.read_text(encoding="utf-8"))
        yield Simulation(facts["connections"], facts["control_url"], Path(facts["truth"]), child)
    finally:
        stop([child])


def make_databases(server_url: str) -> None:
    """The store's and Airflow's on the server of that URL, where they are not there yet; they stay from run to run."""
    ensure_databases(server_url, [STORE, AIRFLOW])
    with _administering(server_url) as connection:
        # Airflow writes many small transactions, and may lose the last second of them to a power failure.
        connection.execute(f"alter database {AIRFLOW} set synchronous_commit = off")
        connection.execute(f"alter database {AIRFLOW} set timezone = 'UTC'")


def renew_orders_databases(server_url: str) -> None:
    """The simulated orders systems' databases, made anew and empty."""
    with _administering(server_url) as connection:
        for name in ORDERS.values():
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
    ensure_databases(server_url, list(ORDERS.values()))


def _administering(server_url: str) -> psycopg.Connection:
    address = make_url(server_url).set(drivername="postgresql", database="postgres")
    return psycopg.connect(address.render_as_string(hide_password=False), autocommit=True)


def _migrate(store_url: str) -> None:
    """Once, before tasks meet it: each would find it migrated and go on."""
    engine = create_engine(store_url)
    try:
        upgrade(engine)
    finally:
        engine.dispose()


@contextmanager
def ends_on_signal(numbers: Sequence[int] = (signal.SIGTERM, signal.SIGHUP)) -> Iterator[None]:
    """Lets these signals end the program as Ctrl-C does, so that every part is stopped on the way out."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
