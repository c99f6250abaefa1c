"""A landed object as blocks of whole records: memory is a few blocks, whatever the size of the object."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa

from adapters.protocol import PassingBytes

BLOCK_BYTES = 1 << 23
"""Of twice the size, a block no longer stays in the processor's cache: it is staged no quicker, and takes a third more memory."""
MARK = b"\xef\xbb\xbf"

Bytes: TypeAlias = bytes | bytearray | memoryview
# The end of the last whole record within these bytes (exclusive), 0 where there is none.
CutAt = Callable[[bytearray], int]


@dataclass(frozen=True)
class Block:
    """Whole records of one object, the batch's `object_index`th. `offset` is the block's place in it."""

    data: bytearray
    object_name: str
    object_index: int
    offset: int


def after_last_line(data: bytearray) -> int:
    """Every line end: 0x0A never lies inside a character of GB18030 or UTF-8."""
    return data.rfind(b"\n") + 1


def as_it_lies(data: pa.Buffer) -> pa.Buffer:
    """For Arrow's CSV reader, which takes a byte order mark away from the start of whatever it is given; but a block can start
    anywhere, and these bytes are characters of GB18030. Given twice, they are left once."""
    return pa.py_buffer(MARK + data.to_pybytes()) if bytes(memoryview(data)[: len(MARK)]) == MARK else data


def blocks(objects: Iterable[PassingBytes], cut_at: CutAt, size: int) -> Iterator[Block]:
    """Each ends with the last record within `size` bytes of its start, in whatever pieces the bytes come."""
    for index, passing in enumerate(objects):
        yield from _blocks_of(passing, index, cut_at, size)


def _blocks_of(passing: PassingBytes, index: int, cut_at: CutAt, size: int) -> Iterator[Block]:
    held: list[Bytes] = []
    offset, come, wanted = 0, 0, size
    for piece in passing.chunks(size):
        view = memoryview(piece)
        while come + len(view) >= wanted:
            data = bytearray().join([*held, view[: wanted - come]])
            view = view[wanted - come :]
            if cut := cut_at(data):
                rest = data[cut:]
                del data[cut:]  # in place: a block is copied once
                yield Block(data, passing.name, index, offset)
                offset += cut
                held, come, wanted = [rest], len(rest), size
            else:  # a record longer than a block
                held, come, wanted = [data], wanted, wanted + size
        held.append(view)
        come += len(view)
    if come:
        yield Block(bytearray().join(held), passing.name, index, offset)
