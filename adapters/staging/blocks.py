"""A landed object as blocks of whole records: memory is a few blocks, whatever the size of the object."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from adapters.protocol import LandedBytes

BLOCK_BYTES = 1 << 24
MARK = b"\xef\xbb\xbf"

# The end of the last whole record within these bytes (exclusive), 0 where there is none.
CutAt = Callable[[bytes], int]


@dataclass(frozen=True)
class Block:
    """Whole records of one object. `offset` is the block's place in the object, `first_row_no` its first record's number."""

    data: bytes
    object_index: int
    offset: int


def after_last_line(data: bytes) -> int:
    """Every line end: 0x0A never lies inside a character of GB18030 or UTF-8."""
    return data.rfind(b"\n") + 1


def as_it_lies(data: pa.Buffer) -> pa.Buffer:
    """For Arrow's CSV reader, which takes a byte order mark away from the start of whatever it is given; but a block can start
    anywhere, and these bytes are characters of GB18030. Given twice, they are left once."""
    return pa.py_buffer(MARK + data.to_pybytes()) if data.slice(0, len(MARK)).to_pybytes() == MARK else data


def blocks(objects: Sequence[LandedBytes], cut_at: CutAt) -> Iterator[Block]:
    for index, landed in enumerate(objects):
        with landed.local_path() as path:
            yield from _file_blocks(path, index, cut_at)


def _file_blocks(path: Path, index: int, cut_at: CutAt) -> Iterator[Block]:
    offset = 0
    rest = b""
    with path.open("rb") as file:
        while chunk := file.read(BLOCK_BYTES):
            data = rest + chunk
            cut = cut_at(data)
            if cut:
                yield Block(data[:cut], index, offset)
                offset += cut
            rest = data[cut:]
    if rest:
        yield Block(rest, index, offset)
