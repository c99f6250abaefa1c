"""Retention: landed bytes may go, the chain of digests stays, and a tombstone says that they went by decision."""

from __future__ import annotations

from sqlalchemy import Engine, insert

from hub.periods import now
from store import journal, tables
from store.landing import Landing


def expire(engine: Engine, landing: Landing, sha256: str, reason: str) -> None:
    """Removes one landed object's bytes. The tombstone is written first: a kill in between leaves bytes, not a gap."""
    with engine.begin() as connection:
        connection.execute(insert(tables.tombstone).values(sha256=sha256, reason=reason, removed_at=now()))
        journal.record(connection, "object expired", "tombstone", sha256)
    landing.remove(sha256)
