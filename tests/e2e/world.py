"""A small world whose four systems run in this process, and hubs that pull from it: each hub a fresh store and landing.

rig = build_rig(customers=150)          # fixture of conftest.py
rig.play("20260305")
hub = rig.new_hub()
run_cycle(hub, "20260305")
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from sqlalchemy import create_engine

from hub.settings import Connection, ConnectionSource, Settings, environment_connection
from pipeline import PROVINCES, Hub
from simulator.dirt import DirtRates
from simulator.servers.rudeness import Rudeness
from simulator.simulation import Simulation
from simulator.world import DEFAULT_DIRT, World
from store.landing import Landing

NewDatabase = Callable[..., str]


@dataclass
class Rig:
    """A running simulation. Nothing is to be seen before the first `play`; `home` is its own folder."""

    world: World
    simulation: Simulation
    home: Path
    _new_database: NewDatabase
    _store_template: str
    _closing: ExitStack
    _hubs: list[Hub] = field(default_factory=list)

    def play(self, night: str) -> None:
        self.simulation.play(night)

    @property
    def connections(self) -> dict[str, str]:
        """`AIRFLOW_CONN_*` variables of every source, as another process needs them."""
        return self.simulation.connections()

    def new_hub(self) -> Hub:
        """A hub with a migrated empty store and an empty landing of its own, pulling from this simulation."""
        return self._open(self._new_database(self._store_template))

    def copy_of(self, hub: Hub) -> Hub:
        """A hub that stands where `hub` stands and goes its own way: store, landing, staged batches, report. Nobody may be
        using `hub` meanwhile."""
        hub.engine.dispose()
        copy = self._open(self._new_database(str(hub.engine.url.database)))
        shutil.copytree(hub.settings.home, copy.settings.home)
        return copy

    def _open(self, url: str) -> Hub:
        home = self.home / f"hub{len(self._hubs) + 1}"
        made = Settings(home=home, store_url=url, landing_url=(home / "landing").as_uri())
        engine = create_engine(url)
        self._closing.callback(engine.dispose)
        hub = Hub(made, engine, Landing(made.landing_url), connections_of(self.connections))
        self._hubs.append(hub)
        return hub


def connections_of(variables: Mapping[str, str]) -> ConnectionSource:
    """Connections as the hub reads them from these `AIRFLOW_CONN_*` variables, without setting them for good."""

    def find(conn_id: str) -> Connection:
        with mock.patch.dict(os.environ, variables):
            return environment_connection(conn_id)

    return find


@contextmanager
def running_rig(
    home: Path,
    new_database: NewDatabase,
    store_template: str,
    *,
    customers: int = 150,
    seed: int = 3,
    dirt: DirtRates = DEFAULT_DIRT,
    rudeness: Rudeness | None = None,
) -> Iterator[Rig]:
    """The four systems of a world in both provinces, until the block ends. Polite (no 429, 5xx, delays) unless told otherwise."""
    world = World(seed=seed, customers=customers, dirt=dirt)
    urls = {province: new_database() for province in PROVINCES}
    with ExitStack() as closing:
        simulation = closing.enter_context(Simulation(home / "simulated", world, urls, rudeness or Rudeness.none()))
        yield Rig(world, simulation, home, new_database, store_template, closing)
