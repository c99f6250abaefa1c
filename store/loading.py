"""Load: a gated batch's accepted rows into `core`, by COPY into a table aside, then one transaction.

A batch that is loaded already is left as it is. A load killed at any instant leaves nothing that counts: rows wait in schema
`work` until the one transaction that merges or attaches them, moves the ledger, and extends the chain.
"""

from __future__ import annotations

from sqlalchemy import Connection, Engine, text

from hub.errors import InvariantBroken
from schemas.batch import LoadCounts
from schemas.entities import FACTS
from store import facts, ledger, merge, order, sequence
from store.ledger import Batch
from store.staged import StagedRows
from store.work import LOAD_LOCK, batch_lock


def load_batch(engine: Engine, batch_id: int, staged: StagedRows) -> LoadCounts:
    """Loads one batch and says where its rows went.

    Raises OutOfOrder where a newer delivery was loaded meanwhile or a correction's month is not loaded, InvariantBroken where
    the batch was not gated or its accounts do not add up; the store is then unchanged.
    """
    with batch_lock(engine, batch_id):
        with engine.connect() as connection:
            batch = ledger.get(connection, batch_id)
        if batch.counts is not None:
            return batch.counts
        if batch.state != "gated":
            raise InvariantBroken(f"batch {batch_id} is {batch.state}; only a gated batch is loaded", batch_id=batch_id)
        is_fact = batch.contract.entity in FACTS
        (facts.fill if is_fact else merge.fill)(engine, batch, staged)
        with engine.begin() as connection:
            seq = _take_turn(connection, batch)
            counts = (facts.attach if is_fact else merge.merge)(connection, batch, seq)
            ledger.record_load(connection, batch, seq, counts)
        return counts


def _take_turn(connection: Connection, batch: Batch) -> int:
    connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOAD_LOCK})
    ledger.get(connection, batch.batch_id, lock=True)
    order.admit(connection, batch.contract, batch.province, batch.period, batch.delivery, loading=True)
    return sequence.advance(connection)
