"""Tables that live only while a load runs, in schema `work`; those of a load that was killed are cleared by the next one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text

LOAD_LOCK = 7_361_003
"""Loads commit one at a time: the sequence they are given is the order in which they become visible."""
_BATCH_LOCKS = 7_361  # first half of a two-part advisory lock; the second is the batch

_NAME = re.compile(r"^[a-z_]+_b(\d+)$")


@contextmanager
def batch_lock(engine: Engine, batch_id: int) -> Iterator[None]:
    """Holds the batch against another load of it, on a connection of its own: a killed process lets go of it."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("select pg_advisory_lock(:space, :batch)"), {"space": _BATCH_LOCKS, "batch": batch_id})
        try:
            clear_orphans(connection, mine=batch_id)
            yield
        finally:
            connection.execute(text("select pg_advisory_unlock(:space, :batch)"), {"space": _BATCH_LOCKS, "batch": batch_id})


def clear_orphans(connection: Connection, *, mine: int | None = None) -> None:
    """Drops the work tables of batches that nobody is loading; `mine` is the caller's own batch, whose lock it holds."""
    names = connection.execute(text("select tablename from pg_tables where schemaname = 'work'")).scalars().all()
    for name in names:
        match = _NAME.match(name)
        if match is None:
            continue
        batch_id = int(match[1])
        parameters = {"space": _BATCH_LOCKS, "batch": batch_id}
        # A lock the session holds already would be granted again, so one's own batch is told apart by number.
        if batch_id == mine:
            connection.execute(text(f'drop table if exists work."{name}"'))
        elif connection.execute(text("select pg_try_advisory_lock(:space, :batch)"), parameters).scalar_one():
            connection.execute(text(f'drop table if exists work."{name}"'))
            connection.execute(text("select pg_advisory_unlock(:space, :batch)"), parameters)
