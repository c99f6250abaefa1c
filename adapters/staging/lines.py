"""GB18030 files, one record a line: delimited by `|`, or fixed width in bytes (docs/interfaces.md, "Files").

The fast path takes the records whose shape is right on the raw bytes; every other record is read again, alone, decoded
before it is split, and is either good after all or carries its fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc

from adapters.protocol import PassingBytes
from adapters.staging.blocks import BLOCK_BYTES, Block, after_last_line, as_it_lies, blocks
from adapters.staging.decode import Mask, decode_column, strict
from adapters.staging.plain import plain_rows
from adapters.staging.rows import OddRecord, Place, Positions, SplitJob, TextRows, good_table, odd_table
from schemas.contract import Contract

ENCODING = "gb18030"
LF, CR, BAR = 10, 13, 124


@dataclass(frozen=True)
class Lines:
    """The records of a block: where each starts, its length without the line end, and which cannot be taken as they lie."""

    data: bytearray
    starts: Positions
    lengths: Positions
    ends: Positions
    odd: Mask

    def record(self, position: int) -> bytes:
        start = int(self.starts[position])
        return bytes(self.data[start : start + int(self.lengths[position])])


def index_lines(data: bytearray) -> Lines:
    raw = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(raw == LF)
    if not len(ends) or ends[-1] != len(raw) - 1:
        ends = np.append(ends, len(raw))
    starts = np.concatenate(([0], ends[:-1] + 1))
    has_cr = (ends > starts) & (raw[ends - 1] == CR)
    lengths = ends - starts - has_cr
    carriage = raw == CR
    odd = np.zeros(len(ends), np.bool_)
    if int(np.count_nonzero(carriage)) != int(np.count_nonzero(has_cr)):
        odd |= _count(carriage, starts) != has_cr
    if int(raw.min(initial=1)) == 0:
        odd |= _count(raw == 0, starts) != 0
    return Lines(data, starts, lengths, np.minimum(ends + 1, len(raw)), odd)


def _count(marks: Mask, starts: Positions) -> Positions:
    """How many marks each line has, added up in as few bits as the longest line allows (eight are ten times faster)."""
    longest = int(np.diff(starts, append=len(marks)).max(initial=0))
    counted: Positions = np.add.reduceat(marks.view(np.uint8), starts, dtype=np.uint8 if longest < 256 else np.int64)
    return counted


class LineLayout(Protocol):
    """One way of laying fields in a line."""

    def misfits(self, lines: Lines) -> Mask: ...

    def split(self, data: bytearray, records: int) -> Sequence[pa.BinaryArray]: ...

    def split_one(self, record: bytes) -> OddRecord: ...


@dataclass(frozen=True)
class Delimited:
    """Fields between `|`, no quoting."""

    fields: int

    def misfits(self, lines: Lines) -> Mask:
        misfit: Mask = _count(np.frombuffer(lines.data, np.uint8) == BAR, lines.starts) != self.fields - 1
        return misfit

    def split(self, data: bytearray, records: int) -> Sequence[pa.BinaryArray]:
        if not records:
            return [pa.array([], pa.binary())] * self.fields
        names = [str(i) for i in range(self.fields)]
        lying = as_it_lies(pa.py_buffer(data))
        table = pc.read_csv(
            pa.BufferReader(lying),
            pc.ReadOptions(column_names=names, block_size=lying.size + 1, use_threads=False),
            pc.ParseOptions(delimiter="|", quote_char=False, double_quote=False, ignore_empty_lines=False),
            pc.ConvertOptions(column_types=dict.fromkeys(names, pa.binary()), strings_can_be_null=False),
        )
        return [column.chunk(0) for column in table.columns]

    def split_one(self, record: bytes) -> OddRecord:
        text = strict(record, ENCODING)
        if text is None:
            return OddRecord(None, "encoding")
        fields = text.split("|")
        well_formed = len(fields) == self.fields and "\r" not in text
        return OddRecord(fields, None) if well_formed else OddRecord(None, "shape")


@dataclass(frozen=True)
class Fixed:
    """Fields of so many bytes each, the line exactly their sum."""

    widths: tuple[int, ...]

    @property
    def bounds(self) -> list[tuple[int, int]]:
        ends = np.cumsum(self.widths).tolist()
        return list(zip([0, *ends[:-1]], ends, strict=True))

    def misfits(self, lines: Lines) -> Mask:
        fits = lines.lengths == sum(self.widths)
        whole = lines.ends - lines.starts
        usual = np.bincount(whole[fits], minlength=1).argmax()  # a grid takes line ends of one kind
        misfit: Mask = ~fits | (whole != usual)
        return misfit

    def split(self, data: bytearray, records: int) -> Sequence[pa.BinaryArray]:
        if not records:
            return [pa.array([], pa.binary())] * len(self.widths)
        grid = np.frombuffer(data, np.uint8).reshape(records, -1)
        return [_fixed_column(np.ascontiguousarray(grid[:, start:end])) for start, end in self.bounds]

    def split_one(self, record: bytes) -> OddRecord:
        whole = strict(record, ENCODING)
        if len(record) == sum(self.widths):
            fields = [strict(record[start:end], ENCODING) for start, end in self.bounds]
            if None not in fields:
                return OddRecord(fields, None) if "\r" not in "".join(map(str, fields)) else OddRecord(None, "shape")
        return OddRecord(None, "encoding" if whole is None else "shape")


def _fixed_column(cells: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> pa.BinaryArray:
    records, width = cells.shape
    offsets = np.arange(0, (records + 1) * width, width, dtype=np.int32)
    return pa.BinaryArray.from_buffers(pa.binary(), records, [None, pa.py_buffer(offsets), pa.py_buffer(cells)])


def layout_of(contract: Contract, *, fixed: bool) -> LineLayout:
    if not fixed:
        return Delimited(len(contract.columns))
    widths = [column.width for column in contract.columns if column.width is not None]
    if len(widths) != len(contract.columns):
        raise ValueError(f"{contract.feed_id}: a fixed-width layout needs the width of every column")
    return Fixed(tuple(widths))


def line_jobs(contract: Contract, objects: Iterable[PassingBytes], *, fixed: bool) -> Iterator[SplitJob]:
    """One job a block, to run in any order; row numbers are given here, in delivery order."""
    layout = layout_of(contract, fixed=fixed)
    first_row_no = 1
    for block in blocks(objects, after_last_line, BLOCK_BYTES):
        yield partial(split_block, contract, layout, block, first_row_no)
        first_row_no += block.data.count(b"\n") + (not block.data.endswith(b"\n"))


def split_block(contract: Contract, layout: LineLayout, block: Block, first_row_no: int) -> TextRows:
    lines = index_lines(block.data)
    count = len(lines.starts)
    row_no = np.arange(first_row_no, first_row_no + count, dtype=np.int64)
    place = Place(row_no, block.object_index, lines.starts + block.offset, lines.lengths)
    odd = lines.odd | layout.misfits(lines)
    good = np.flatnonzero(~odd)
    columns = [decode_column(column, ENCODING) for column in layout.split(_without(lines, odd), len(good))]
    undecoded = np.zeros(len(good), np.bool_)
    for _, bad in columns:
        if bad is not None:
            undecoded |= bad
    table = good_table(contract, place.at(good), [text for text, _ in columns])
    odd[good[undecoded]] = True
    if undecoded.any():
        table = table.filter(pa.array(~undecoded))
    typed, plain = plain_rows(contract, table)
    table = table.filter(pa.array(~plain))
    again = np.flatnonzero(odd)
    if len(again):
        records = [layout.split_one(lines.record(int(i))) for i in again]
        table = _stack(table, odd_table(contract, place.at(again), records))
    usual = np.flatnonzero(~odd)
    order = np.concatenate((usual[plain], usual[~plain], again))
    return TextRows(table, lambda positions: [lossy(lines.record(int(order[i]))) for i in positions], typed=typed)


def _stack(good: pa.Table, odd: pa.Table) -> pa.Table:
    plain = [pa.field(field.name, odd.schema.field(field.name).type) for field in good.schema]
    return pa.concat_tables([good.cast(pa.schema(plain)), odd])


def _without(lines: Lines, odd: Mask) -> bytearray:
    """The block's bytes less the odd records: the runs between them, joined."""
    if not odd.any():
        return lines.data
    pieces = []
    begin = 0
    for i in np.flatnonzero(odd):
        pieces.append(lines.data[begin : int(lines.starts[i])])
        begin = int(lines.ends[i])
    pieces.append(lines.data[begin:])
    return bytearray().join(pieces)


def lossy(record: bytes, encoding: str = ENCODING) -> str:
    return record.decode(encoding, "replace").replace("\0", "\ufffd")
