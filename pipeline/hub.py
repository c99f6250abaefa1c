"""The hub as a step sees it: settings, the store's engine, landing, and how connections are found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, ProgrammingError

from adapters.transports.sql_errors import mapped
from hub.errors import FixConnection
from hub.settings import ConnectionSource, Settings, environment_connection, settings
from store.landing import Landing
from store.migrate import upgrade
from store.server import store_server

STORE_DRIVER = "postgresql+psycopg"
STORE_FORM = f"{STORE_DRIVER}://USER:PASSWORD@HOST:PORT/DATABASE, an @ or / in the password written as %40 or %2F"


@dataclass(frozen=True)
class Hub:
    settings: Settings
    engine: Engine
    landing: Landing
    connections: ConnectionSource


@contextmanager
def open_hub(connections: ConnectionSource = environment_connection) -> Iterator[Hub]:
    """The hub of this environment, its store migrated and running until the block ends.

    Raises FixConnection where the store or landing is named wrongly or refuses us, RetryLater where the store does not answer.
    """
    where = settings()
    landing = Landing(where.landing_url)
    with store_server(where) as url:
        address = _store_address(url)
        engine = create_engine(address)
        try:
            _open(engine, address)
            yield Hub(where, engine, landing, connections)
        finally:
            engine.dispose()


def _store_address(url: str) -> URL:
    """Raises FixConnection, without the URL: it holds a password, and where it cannot be read, nobody knows at which place."""
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise FixConnection(f"BSSHUB_STORE_URL is no address of a PostgreSQL; allowed: {STORE_FORM}") from None
    if address.drivername != STORE_DRIVER or not address.database or "@" in (address.host or ""):
        raise FixConnection(f"BSSHUB_STORE_URL is no address of a PostgreSQL; allowed: {STORE_FORM}")
    return address


def _open(engine: Engine, address: URL) -> None:
    port = f":{address.port}" if address.port else ""
    where = f"the store at {address.host or 'a socket'}{port}/{address.database} (BSSHUB_STORE_URL)"
    with mapped(where, "open it"), engine.connect():
        pass
    try:
        upgrade(engine)
    except ProgrammingError as error:
        if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            raise FixConnection(f"{where}: {address.username} may not make its schemas and tables there") from None
        raise
