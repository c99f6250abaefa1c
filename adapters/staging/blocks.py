"""A landed object as blocks of whole records: memory is a few blocks, whatever the size of the object."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from adapters.protocol import PassingBytes

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


def blocks(objects: Sequence[PassingBytes], cut_at: CutAt, size: int) -> Iterator[Block]:
    for index, passing in enumerate(objects):
        yield from _blocks_of(passing.chunks(size), index, cut_at, size)


def _blocks_of(pieces: Iterable[bytes], index: int, cut_at: CutAt, size: int) -> Iterator[Block]:
    """A block once so many bytes have come since the last, in however many pieces; copied once where they end with a record."""
    offset, come = 0, 0
    held: list[bytes] = []
    for piece in pieces:
        held.append(piece)
        come += len(piece)
        if come >= size:
            data = b"".join(held)
            cut = cut_at(data)
            if cut:
                yield Block(data[:cut], index, offset)
                offset += cut
            held, come = [data[cut:]], 0
    if rest := b"".join(held):
        yield Block(rest, index, offset)
