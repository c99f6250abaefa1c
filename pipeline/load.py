"""Load: the accepted rows of gated batches into `core`."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from pipeline.hub import Hub
from pipeline.staging import staged_rows, workspace
from schemas.batch import LoadCounts
from store import ledger
from store.attempts import attempt
from store.loading import load_batch


def load(hub: Hub, batch_ids: Sequence[int], *, run_id: str | None = None) -> list[LoadCounts]:
    """Loads each gated batch, in the order given (a base delivery before its corrections); a refused one is left alone.

    Raises what `store.loading.load_batch` raises.
    """
    return [counts for batch_id in batch_ids if (counts := _load_one(hub, batch_id, run_id)) is not None]


def _load_one(hub: Hub, batch_id: int, run_id: str | None) -> LoadCounts | None:
    with hub.engine.connect() as connection:
        batch = ledger.get(connection, batch_id)
    if batch.state == "refused":
        return None
    where = {"system": batch.system, "feed": batch.feed, "province": batch.province, "period": batch.period}
    with attempt(hub.engine, "load", run_id=run_id, **where) as trying:
        trying.batch_ids.append(batch_id)
        counts = load_batch(hub.engine, batch_id, staged_rows(hub, batch))
    # What is staged can be made again from landing; kept, it would double the disk the hub needs.
    shutil.rmtree(workspace(hub, batch_id), ignore_errors=True)
    return counts
