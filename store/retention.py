"""Retention: landed bytes may go, the chain of digests stays, and a tombstone says that they went by decision.

Bytes that come again are bytes like any others: their tombstone speaks of those that went before them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.dialects.postgresql import insert

from hub.errors import NotAllowed, RetryLater
from hub.periods import now
from schemas.batch import Delivery
from store import journal, tables
from store.landing import Landing

_LOCK = 7_361_004
AT_ONCE = 500
"""Objects that go under one lock: a delivery that lands meanwhile waits so long, no longer."""
_NAMED = "jsonb_array_elements(batch.delivery -> 'objects' || coalesce(batch.delivery -> 'companions', '[]')) object"
# The same bytes may be of several batches: they go when none of these is new, or still to be loaded.
_DUE = f"""
select object ->> 'sha256' as sha256, max((object ->> 'bytes')::bigint) as bytes, min(object ->> 'name') as name,
    min(batch.system || '.' || batch.feed) as feed, min(batch.province) as province, max(batch.period) as period,
    max(batch.landed_at) as landed_at
from hub.batch batch, {_NAMED}
where cast(:among as text[]) is null or object ->> 'sha256' = any (:among)
group by object ->> 'sha256'
having max(batch.landed_at) < :before and bool_and(batch.state not in ('landed', 'gated'))
order by max(batch.landed_at), 1
"""
_EXPIRED = f"""
select sha256 from hub.tombstone where not exists (
    select from hub.batch batch, {_NAMED} where object ->> 'sha256' = tombstone.sha256 and batch.landed_at >= removed_at)
"""


def due(engine: Engine, landing: Landing, before: datetime) -> list[dict[str, Any]]:
    """Objects that landing still holds and whose every batch landed before that moment and needs its bytes for nothing but
    proof: `sha256, bytes, name, feed, province, period, landed_at`, oldest first. Raises NotAllowed for a moment to come."""
    if before > now():
        raise NotAllowed(f"{before:%Y-%m-%d} has not begun: what is still to land would be due")
    with engine.connect() as connection:
        return [row for row in _due(connection, before) if landing.holds(row["sha256"])]


def expire(engine: Engine, landing: Landing, before: datetime, *, by: str, reason: str) -> list[dict[str, Any]]:
    """Removes the bytes of what is `due`, and returns it. Each object's tombstone is written first: a kill in between leaves
    bytes, not a gap. Whatever lands meanwhile stays.

    Raises NotAllowed where nobody is named or no reason is given.
    """
    if not (by.strip() and reason.strip()):
        raise NotAllowed("bytes go by somebody's name and for a reason, which auditors will read")
    gone: list[dict[str, Any]] = []
    digests = [str(row["sha256"]) for row in due(engine, landing, before)]
    for start in range(0, len(digests), AT_ONCE):
        with _alone(engine):
            with engine.begin() as connection:
                still_due = _due(connection, before, digests[start : start + AT_ONCE])
                for row in still_due:
                    _tell(connection, row["sha256"], f"{by.strip()}: {reason.strip()}")
            for row in still_due:
                landing.remove(row["sha256"])
        gone += still_due
    return gone


def expired(connection: Connection) -> frozenset[str]:
    """Hashes of the objects that went by decision and did not land again."""
    return frozenset(connection.execute(text(_EXPIRED)).scalars())


def hold(connection: Connection, landing: Landing, delivery: Delivery) -> None:
    """Until the transaction ends nothing expires: for entering a delivery into the ledger, whose bytes landed before.

    Raises RetryLater where they expired between landing and this call.
    """
    connection.execute(text("select pg_advisory_xact_lock_shared(:lock)"), {"lock": _LOCK})
    for item in (*delivery.objects, *delivery.companions):
        if not landing.holds(item.sha256):
            raise RetryLater(f"the bytes of {item.name} expired while they landed; pull it again", name=item.name)


def _due(connection: Connection, before: datetime, among: Sequence[str] | None = None) -> list[dict[str, Any]]:
    found = connection.execute(text(_DUE), {"before": before, "among": None if among is None else list(among)})
    return [dict(row) for row in found.mappings()]


def _tell(connection: Connection, sha256: str, reason: str) -> None:
    said = {"reason": reason, "removed_at": now()}
    stone = insert(tables.tombstone).values(sha256=sha256, **said)
    connection.execute(stone.on_conflict_do_update(index_elements=["sha256"], set_=said))
    journal.record(connection, "object expired", "tombstone", sha256)


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """Nobody enters a delivery into the ledger meanwhile."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("select pg_advisory_lock(:lock)"), {"lock": _LOCK})
        try:
            yield
        finally:
            connection.execute(text("select pg_advisory_unlock(:lock)"), {"lock": _LOCK})
