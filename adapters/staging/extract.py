"""SQL extracts: CSV in UTF-8 with a header, RFC 4180 quoting; a quoted value may hold line ends."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc

from adapters.drift import Carries, check_columns
from adapters.protocol import PassingBytes
from adapters.staging.blocks import BLOCK_BYTES, Block, after_last_line, as_it_lies, blocks
from adapters.staging.decode import decode_column, strict
from adapters.staging.lines import lossy
from adapters.staging.plain import plain_rows
from adapters.staging.rows import OddRecord, Place, Positions, SplitJob, TextRows, good_table, odd_table
from schemas.contract import Contract

ENCODING = "utf-8"

csv.field_size_limit(1 << 30)  # Arrow knows no limit, and what a field means must not hang on who reads it


def record_ends(data: bytearray) -> Positions:
    """Where each record's LF lies: the line ends that an even number of quotes precedes."""
    raw = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(raw == ord("\n"))
    if b'"' not in data:
        return ends
    quotes = np.flatnonzero(raw == ord('"'))
    outside: Positions = ends[np.searchsorted(quotes, ends) % 2 == 0]
    return outside


def after_last_record(data: bytearray) -> int:
    if b'"' not in data:
        return after_last_line(data)
    ends = record_ends(data)
    return int(ends[-1]) + 1 if len(ends) else 0


@dataclass(frozen=True)
class Records:
    """The records of a block, where each starts, and its length without the line end."""

    data: bytearray
    starts: Positions
    lengths: Positions

    def record(self, position: int) -> bytes:
        start = int(self.starts[position])
        return bytes(self.data[start : start + int(self.lengths[position])])


def index_records(data: bytearray, begin: int) -> Records:
    ends = record_ends(data)
    if not len(ends) or ends[-1] != len(data) - 1:
        ends = np.append(ends, len(data))
    ends = ends[ends >= begin]
    starts = np.concatenate(([begin], ends[:-1] + 1)) if begin < len(data) else ends[:0]
    ends = ends[: len(starts)]
    raw = np.frombuffer(data, np.uint8)
    has_cr = (ends > starts) & (raw[ends - 1] == ord("\r"))
    return Records(data, starts, ends - starts - has_cr)


def extract_jobs(contract: Contract, objects: Iterable[PassingBytes]) -> Iterator[SplitJob]:
    """One job a block. Every object begins with its header. Raises FixContract where it is not the contract's columns."""
    first_row_no = 1
    header: list[str] = []
    for block in blocks(objects, after_last_record, BLOCK_BYTES):
        begin = 0
        if block.offset == 0:
            begin = int([*record_ends(block.data), len(block.data) - 1][0]) + 1
            header = next(csv.reader([block.data[:begin].decode(ENCODING, "replace").strip("\r\n\ufeff")]), [])
            check_columns(contract, header, where=block.object_name, carries=Carries.ALL)
        records = index_records(block.data, begin)
        if len(records.starts):
            yield partial(split_block, contract, tuple(header), block, records, first_row_no)
            first_row_no += len(records.starts)


def split_block(contract: Contract, header: tuple[str, ...], block: Block, records: Records, first_row_no: int) -> TextRows:
    row_no = np.arange(first_row_no, first_row_no + len(records.starts), dtype=np.int64)
    place = Place(row_no, block.object_index, records.starts + block.offset, records.lengths)
    table = _parse_all(contract, header, records, place)
    if table is None:
        found = [parse_one(contract, header, records.record(i)) for i in range(len(row_no))]
        table, typed, order = odd_table(contract, place, found), None, np.arange(len(row_no))
    else:
        typed, plain = plain_rows(contract, table)
        table, order = table.filter(pa.array(~plain)), np.argsort(~plain, kind="stable")
    return TextRows(table, lambda positions: [lossy(records.record(int(order[i])), ENCODING) for i in positions], typed=typed)


def _parse_all(contract: Contract, header: tuple[str, ...], records: Records, place: Place) -> pa.Table | None:
    """All records at once; None where one of them is broken, so that they must be read one by one."""
    if b"\0" in records.data or not records.lengths.all():  # an empty line would come as a record of empty fields
        return None
    data = as_it_lies(pa.py_buffer(records.data).slice(int(records.starts[0])))
    try:
        parsed = pc.read_csv(
            pa.BufferReader(data),
            pc.ReadOptions(column_names=list(header), block_size=data.size + 1, use_threads=False),
            pc.ParseOptions(newlines_in_values=b'"' in records.data, ignore_empty_lines=False),
            pc.ConvertOptions(column_types=dict.fromkeys(header, pa.binary()), strings_can_be_null=False),
        )
    except pa.ArrowInvalid:
        return None
    if parsed.num_rows != len(place.row_no):
        return None
    decoded = [decode_column(parsed.column(column.source).chunk(0), ENCODING) for column in contract.columns]
    if any(bad is not None for _, bad in decoded):
        return None
    return good_table(contract, place, [text for text, _ in decoded])


def parse_one(contract: Contract, header: tuple[str, ...], record: bytes) -> OddRecord:
    text = strict(record, ENCODING)
    if text is None:
        return OddRecord(None, "encoding")
    try:
        # As Arrow reads it: only CR and LF end a line, whatever else Unicode calls a line's end.
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        return OddRecord(None, "shape")
    if len(rows) != 1 or len(rows[0]) != len(header):
        return OddRecord(None, "shape")
    by_name = dict(zip(header, rows[0], strict=True))
    return OddRecord([by_name[column.source] for column in contract.columns], None)
