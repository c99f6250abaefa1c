"""Retention: landed bytes may go, the chain of digests stays, and a tombstone says that they went by decision."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.dialects.postgresql import insert

from hub.errors import NotAllowed
from hub.periods import now
from store import journal, tables
from store.landing import Landing

# The same bytes may be of several batches: they go when none of these is new, or still to be loaded.
_DUE = """
select object ->> 'sha256' as sha256, max((object ->> 'bytes')::bigint) as bytes, min(object ->> 'name') as name,
    min(batch.system || '.' || batch.feed) as feed, min(batch.province) as province, max(batch.period) as period,
    max(batch.landed_at) as landed_at
from hub.batch batch, jsonb_array_elements(batch.delivery -> 'objects') object
group by object ->> 'sha256'
having max(batch.landed_at) < :before and bool_and(batch.state not in ('landed', 'gated'))
order by max(batch.landed_at), 1
"""


def due(engine: Engine, landing: Landing, before: datetime) -> list[dict[str, Any]]:
    """Objects that landing still holds and whose every batch landed before that moment and needs its bytes for nothing but
    proof: `sha256, bytes, name, feed, province, period, landed_at`, oldest first."""
    with engine.connect() as connection:
        found = [dict(row) for row in connection.execute(text(_DUE), {"before": before}).mappings()]
    return [row for row in found if landing.holds(row["sha256"])]


def expire(engine: Engine, landing: Landing, digests: Iterable[str], reason: str) -> None:
    """Removes landed objects' bytes. An object's tombstone is written first: a kill in between leaves bytes, not a gap.

    Raises NotAllowed where no reason is given.
    """
    if not reason.strip():
        raise NotAllowed("bytes go for a reason, which auditors will read")
    for sha256 in digests:
        with engine.begin() as connection:
            stone = insert(tables.tombstone).values(sha256=sha256, reason=reason, removed_at=now()).on_conflict_do_nothing()
            if connection.execute(stone.returning(tables.tombstone.c.sha256)).scalar():
                journal.record(connection, "object expired", "tombstone", sha256)
        landing.remove(sha256)
