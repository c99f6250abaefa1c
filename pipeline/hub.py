"""The hub as a step sees it: settings, the store's engine, landing, and how connections are found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine, create_engine

from hub.settings import ConnectionSource, Settings, environment_connection, settings
from store.landing import Landing
from store.migrate import upgrade
from store.server import store_server


@dataclass(frozen=True)
class Hub:
    settings: Settings
    engine: Engine
    landing: Landing
    connections: ConnectionSource


@contextmanager
def open_hub(connections: ConnectionSource = environment_connection) -> Iterator[Hub]:
    """The hub of this environment, its store migrated and running until the block ends."""
    where = settings()
    with store_server(where) as url:
        engine = create_engine(url)
        try:
            upgrade(engine)
            yield Hub(where, engine, Landing(where.landing_url), connections)
        finally:
            engine.dispose()
