"""What every room's tests may use: one embedded PostgreSQL a session, and fresh migrated stores made from a template."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, make_url

from store.migrate import upgrade
from store.server import STORE_CONFIG, EmbeddedServer, embedded_server, ensure_databases

TEMPLATE = "store_template"
# A server that is thrown away has nothing to keep from a power failure.
THROWAWAY_CONFIG = {**STORE_CONFIG, "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_wal_size": "1GB"}
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def pg_server() -> Iterator[EmbeddedServer]:
    """The session's server. Not under pytest's own temporary folder, which pytest closes to the user PostgreSQL runs as."""
    root = Path(tempfile.mkdtemp(prefix="bsshub-pg-"))
    try:
        with embedded_server(root, THROWAWAY_CONFIG) as server:
            yield server
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def pg_url(pg_server: EmbeddedServer) -> str:
    """URL of the session server's `postgres` database."""
    return pg_server.url("postgres")


@pytest.fixture(scope="session")
def new_database(pg_server: EmbeddedServer) -> Iterator[Callable[..., str]]:
    """Makes a database, empty or copied from `template`, and returns its URL. All are dropped when the session ends."""
    admin = psycopg.connect(_dsn(pg_server.url("postgres")), autocommit=True)

    def make(template: str = "template0") -> str:
        name = f"t{next(_numbers)}"
        admin.execute(f'create database "{name}" template "{template}" strategy file_copy')
        return pg_server.url(name)

    yield make
    admin.close()


@pytest.fixture(scope="session")
def store_template(pg_server: EmbeddedServer) -> str:
    """Name of a migrated, empty store, to be copied."""
    ensure_databases(pg_server.url("postgres"), [TEMPLATE])
    engine = create_engine(pg_server.url(TEMPLATE))
    upgrade(engine)
    engine.dispose()
    return TEMPLATE


@pytest.fixture
def store_url(new_database: Callable[..., str], store_template: str) -> str:
    """URL of a fresh migrated store, of this test alone."""
    return new_database(store_template)


@pytest.fixture
def store_engine(store_url: str) -> Iterator[Engine]:
    """An engine on a fresh migrated store, of this test alone."""
    engine = create_engine(store_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def module_store_url(new_database: Callable[..., str], store_template: str) -> str:
    """URL of a fresh migrated store, shared by the tests of one module."""
    return new_database(store_template)


def _dsn(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
