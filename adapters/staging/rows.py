"""What the layouts hand to the typing: a block of records as text columns, each record with its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.contract import Contract

Positions = npt.NDArray[np.int64]
ROW_NO, OBJECT, OFFSET, LENGTH, FAULT = "_row_no", "_object", "_offset", "_length", "_fault"


@dataclass(frozen=True)
class TextRows:
    """Columns `_row_no`, `_object`, `_offset`, `_length`, `_fault` (NULL, `shape` or `encoding`) and the contract's columns
    as text. `sources` gives the text of the rows at these positions of the table, for people to read; `paged` rows have no
    bytes of their own in landing, so their text is kept for all of them. `typed` are rows before these, as
    `typing_sql.typed_rows` would have them, where that could be told without asking it (`adapters.staging.plain`); positions
    count them first."""

    table: pa.Table
    sources: Callable[[Positions], list[str]]
    paged: bool = False
    typed: pa.Table | None = None


def text_schema(contract: Contract) -> pa.Schema:
    """Of `TextRows.table`, whatever way its columns are held."""
    places = [(ROW_NO, pa.int64()), (OBJECT, pa.int16()), (OFFSET, pa.int64()), (LENGTH, pa.int32()), (FAULT, pa.string())]
    return pa.schema([*places, *((column.name, pa.string()) for column in contract.columns)])


SplitJob = Callable[[], TextRows]


def ready(rows: TextRows) -> SplitJob:
    """The job of rows already split."""
    return lambda: rows


@dataclass(frozen=True)
class Place:
    """Where records lie: one entry a record. `lengths` is None for pages, whose offsets are record indices."""

    row_no: Positions
    object_index: int
    offsets: Positions
    lengths: Positions | None

    def at(self, index: Positions) -> Place:
        lengths = None if self.lengths is None else self.lengths[index]
        return Place(self.row_no[index], self.object_index, self.offsets[index], lengths)


def place_columns(place: Place) -> dict[str, pa.Array]:
    count = len(place.row_no)
    lengths = pa.nulls(count, pa.int32()) if place.lengths is None else pa.array(place.lengths.astype(np.int32))
    return {
        ROW_NO: pa.array(place.row_no),
        OBJECT: pa.array(np.full(count, place.object_index, np.int16)),
        OFFSET: pa.array(place.offsets.astype(np.int64)),
        LENGTH: lengths,
    }


@dataclass(frozen=True)
class OddRecord:
    """A record the fast path could not take: its fields, read one by one, or the fault that makes it no record."""

    fields: Sequence[str | None] | None
    fault: str | None


def odd_table(contract: Contract, place: Place, records: Sequence[OddRecord]) -> pa.Table:
    columns = place_columns(place)
    columns[FAULT] = pa.array([record.fault for record in records], pa.string())
    for i, column in enumerate(contract.columns):
        columns[column.name] = pa.array([record.fields[i] if record.fields else None for record in records], pa.string())
    return pa.table(columns)


def good_table(contract: Contract, place: Place, texts: Sequence[pa.Array]) -> pa.Table:
    columns = place_columns(place)
    columns[FAULT] = pa.nulls(len(place.row_no), pa.string())
    for column, text in zip(contract.columns, texts, strict=True):
        columns[column.name] = text
    return pa.table(columns)
