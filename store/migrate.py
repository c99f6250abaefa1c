"""Bringing a store to the shape the code expects. Migrations are frozen text; a test holds them equal to `store.tables`."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, text

MIGRATIONS = Path(__file__).parent / "migrations"
UPGRADE_LOCK = 7_361_001  # any fixed number; two processes that open a new store must not both build it


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Migrates the store up to `revision`. Doing it twice, or from two processes at once, changes nothing."""
    with engine.begin() as connection:
        _prepare(connection)
        command.upgrade(_config(connection), revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Migrates the store down to `revision` (`base` removes everything but the schema `hub` and the version table)."""
    with engine.begin() as connection:
        _prepare(connection)
        command.downgrade(_config(connection), revision)


def _prepare(connection: Connection) -> None:
    connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": UPGRADE_LOCK})
    connection.execute(text("create schema if not exists hub"))


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config
