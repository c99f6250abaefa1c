"""A quarantined row explained to a person: where it stands and what is wrong with it, never what it holds."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from adapters.staging import read_record
from hub.errors import NotFound
from pipeline.hub import Hub
from quality import explain_row
from store import ledger, tables

NO_RECORD = {
    "encoding": "record: its bytes are not text of the agreed encoding 字符编码错误",
    "shape": "record: it does not have the agreed fields 记录格式错误",
}


@dataclass(frozen=True)
class ExplainedRow:
    """Where the row stands, the reason the gate gave, and every fault in words (both languages)."""

    batch_id: int
    feed: str
    row_no: int
    object_name: str
    byte_offset: int
    reason: str
    rule_id: str
    faults: tuple[str, ...]


def explain_quarantined(hub: Hub, batch_id: int, row_no: int) -> ExplainedRow:
    """Reads the one record again by its layout and judges it by its contract.

    Raises NotFound where the batch has no such row in quarantine.
    """
    held = tables.quarantine
    with hub.engine.connect() as connection:
        batch = ledger.get(connection, batch_id)
        found = connection.execute(sa.select(held).where(held.c.batch_id == batch_id, held.c.row_no == row_no)).one_or_none()
    if found is None:
        raise NotFound(f"batch {batch_id} has no row {row_no} in quarantine", batch_id=batch_id, row_no=row_no)
    record = read_record(batch.contract, batch.delivery.layout, found.raw)
    if record.fields is None:
        faults = [NO_RECORD[str(record.fault)]]
    else:
        names = (column.source for column in batch.contract.columns)
        faults = explain_row(batch.contract, dict(zip(names, record.fields, strict=True)), batch.period)
    return ExplainedRow(
        batch_id,
        batch.feed_id,
        row_no,
        batch.delivery.objects[found.object_no].name,
        found.byte_offset,
        found.reason,
        found.rule_id,
        tuple(faults or [found.detail]),  # a row may be sound by itself: what keeps it out is then another row
    )
