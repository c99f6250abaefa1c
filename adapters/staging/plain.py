"""Text → types without a query: blocks whose every field lies as a database writes it, a column at a time in Arrow.

`typing_sql` says what a field means; here is what can be told of it at a glance, at a fraction of the price. A block with a field
that asks for more (a blank at an end, `N/A`, a code nobody knows, a plus sign, a time before Shanghai last changed its clock, a
required field that says nothing) is not typed here at all, and the query reads every field of it. What is typed here, the query
would have typed the same: `tests/staging/test_plain.py` holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from adapters.staging.rows import LENGTH, OBJECT, OFFSET, ROW_NO
from adapters.staging.typing_sql import BLANKS, ERRORS, MISSING, NO_CHANGE_SINCE, SHANGHAI_OFFSET_US
from schemas.codes import CODE_TABLES
from schemas.contract import Column, Contract, Type

# The stubs know no call that mixes arrays and scalars.
pc: Any = pyarrow.compute
Texts: TypeAlias = "pa.StringArray"
Typed: TypeAlias = "pa.Array[Any]"
Lengths: TypeAlias = npt.NDArray[np.int32]

MOMENT = pa.timestamp("us", "Asia/Shanghai")
WHOLE_SECONDS, WITH_TENTHS, WITH_MICROSECONDS = 19, 21, 26
_EARLIEST = int(np.datetime64(NO_CHANGE_SINCE, "us").astype(np.int64))
_FIRST_BYTES = sorted({text.encode()[0] for text in (*BLANKS, *MISSING) if text})
_LAST_BYTES = sorted({text.encode()[-1] for text in BLANKS})


class _Odd(Exception):
    """A field that asks for a closer look."""


def plain_rows(contract: Contract, texts: pa.Table) -> pa.Table | None:
    """The columns of `typing_sql.typed_rows` over a block of whole records (none with a fault), or None where a field is odd, or
    is of a type that nothing is known of here."""
    if not all(column.type in _TYPED for column in contract.columns):
        return None
    try:
        values = {column.name: _values(column, texts.column(column.name)) for column in contract.columns}
    except (_Odd, pa.ArrowInvalid):
        return None
    places = {name: texts.column(name) for name in (ROW_NO, OBJECT, OFFSET, LENGTH)}
    return pa.table({**places, **values, ERRORS: pa.nulls(texts.num_rows, pa.list_(pa.string()))})


def _values(column: Column, texts: pa.ChunkedArray[Any]) -> Typed:
    whole = texts.combine_chunks() if texts.num_chunks != 1 else texts.chunk(0)
    if not pa.types.is_string(whole.type) or whole.null_count or whole.offset:
        raise _Odd
    typed = _TYPED[column.type](column, whole)
    if column.required and typed.null_count:
        raise _Odd
    return typed


def _text(_: Column, texts: Texts) -> Typed:
    offsets = _offsets(texts)
    lengths = np.diff(offsets)
    full = lengths > 0
    starts, ends = offsets[:-1][full], offsets[1:][full]
    data = np.frombuffer(texts.buffers()[2] or b"", np.uint8)
    first, last = data[starts], data[ends - 1]
    odd = np.zeros(len(starts), np.bool_)
    for byte in _FIRST_BYTES:
        odd |= first == byte
    for byte in _LAST_BYTES:
        odd |= last == byte
    if odd.any():
        _look_closer(texts.take(pa.array(np.flatnonzero(full)[odd])))
    return _null_where_empty(texts, lengths)


def _look_closer(texts: Texts) -> None:
    """Raises _Odd where one of them has a blank at an end, or is a word for nothing."""
    found = [pc.is_in(texts, pa.array(MISSING))]
    for blank in BLANKS:
        found += [pc.starts_with(texts, blank), pc.ends_with(texts, blank)]
    if any(pc.any(each).as_py() for each in found):
        raise _Odd


def _code(column: Column, texts: Texts) -> Typed:
    """As places in a list of values, which is how Parquet writes it."""
    table = CODE_TABLES[str(column.codes)]
    encoded = texts.dictionary_encode()
    found = encoded.dictionary.to_pylist()
    if any(text not in table and text != "" for text in found):
        raise _Odd
    values = sorted({table[text].value for text in found if text in table})
    places = np.array([values.index(table[text].value) if text in table else -1 for text in found], np.int32)
    place = places[encoded.indices.to_numpy()]
    indices = pa.array(place, mask=place < 0) if "" in found else pa.array(place)
    return pa.DictionaryArray.from_arrays(indices, pa.array(values, pa.string()))


def _integer(_: Column, texts: Texts) -> Typed:
    said = _null_where_empty(texts, _lengths(texts))
    numbers: Typed = pc.cast(said, pa.int64())
    if not pc.all(pc.equal(pc.cast(numbers, pa.string()), said), min_count=0).as_py():
        raise _Odd
    return numbers


def _moment(_: Column, texts: Texts) -> Typed:
    lengths = _lengths(texts)
    usual = (lengths == WHOLE_SECONDS) | (lengths == 0) | ((lengths >= WITH_TENTHS) & (lengths <= WITH_MICROSECONDS))
    if not usual.all():
        raise _Odd
    local = pc.cast(_null_where_empty(texts, lengths), pa.timestamp("us")).view(pa.int64())
    if pc.any(pc.less(local, _EARLIEST)).as_py():
        raise _Odd
    moments: Typed = pc.subtract(local, SHANGHAI_OFFSET_US).view(MOMENT)
    return moments


_TYPED: Mapping[Type, Callable[[Column, Texts], Typed]] = {
    Type.TEXT: _text,
    Type.CODE: _code,
    Type.INTEGER: _integer,
    Type.FEN: _integer,
    Type.TIMESTAMP: _moment,
}


def _offsets(texts: Texts) -> Lengths:
    return np.frombuffer(texts.buffers()[1] or b"", np.int32)[: len(texts) + 1]


def _lengths(texts: Texts) -> Lengths:
    return np.diff(_offsets(texts))


def _null_where_empty(texts: Texts, lengths: Lengths) -> Texts:
    if lengths.all():
        return texts
    validity = pa.py_buffer(np.packbits(lengths > 0, bitorder="little").tobytes())
    _, offsets, data = texts.buffers()
    return pa.StringArray.from_buffers(len(texts), offsets, data, validity)
