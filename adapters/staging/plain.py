"""Text → types without a query: rows whose every field lies as most senders write it, a column at a time in Arrow.

`typing_sql` says what a field means; here is what can be told of it at a glance, at a fraction of the price. A row with a field
that asks for more (a blank at an end, `N/A`, a code nobody knows, a plus sign, a time before Shanghai last changed its clock, a
required field that says nothing) is left to the query, whole. What is typed here, the query would have typed the same:
`tests/staging/test_plain.py` holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, TypeAlias, TypeGuard

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from adapters.staging.decode import Mask
from adapters.staging.rows import LENGTH, OBJECT, OFFSET, ROW_NO
from adapters.staging.typing_sql import BLANKS, ERRORS, MISSING, NO_CHANGE_SINCE, NULL_DATES, OPEN_ENDED, SHANGHAI_OFFSET_US
from schemas.codes import CODE_TABLES
from schemas.contract import Column, Contract, Type

# The stubs know no call that mixes arrays and scalars.
pc: Any = pyarrow.compute
Texts: TypeAlias = "pa.StringArray | pa.DictionaryArray"
Typed: TypeAlias = "pa.Array[Any]"
Lengths: TypeAlias = npt.NDArray[np.int32]

MOMENT = pa.timestamp("us", "Asia/Shanghai")
WHOLE_SECONDS, WITH_TENTHS, WITH_MICROSECONDS = 19, 21, 26
_EARLIEST = int(np.datetime64(NO_CHANGE_SINCE, "us").astype(np.int64))
_FIRST_BYTES = sorted({text.encode()[0] for text in (*BLANKS, *MISSING) if text})
_LAST_BYTES = sorted({text.encode()[-1] for text in BLANKS})
_DAY = re.compile("[0-9]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Where one text of a column cannot be cast, none that these match is one.
_CASTABLE_INTEGER = "^-?[0-9]{1,18}$"
_ANY_DAY = "(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31"
_CASTABLE_MOMENT = rf"^[0-9]{{4}}-({_ANY_DAY})[ T]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{{1,6}})?$"
_ODD = object()
"""Said of a text whose meaning only the query can tell."""


def plain_rows(contract: Contract, texts: pa.Table) -> tuple[pa.Table | None, Mask]:
    """The columns of `typing_sql.typed_rows`, of those rows of a block (none with a fault) that are plain, and which these are.
    No table where none is."""
    odd = np.zeros(texts.num_rows, np.bool_)
    values: dict[str, Typed] = {}
    for column in contract.columns:
        values[column.name] = _values(column, _whole(texts.column(column.name)), odd)
        if odd.all():
            return None, ~odd
    places = {name: texts.column(name) for name in (ROW_NO, OBJECT, OFFSET, LENGTH)}
    typed = pa.table({**places, **values, ERRORS: pa.nulls(texts.num_rows, pa.list_(pa.string()))})
    return (typed.filter(pa.array(~odd)) if odd.any() else typed), ~odd


def _whole(texts: pa.ChunkedArray[Any]) -> Typed:
    return texts.combine_chunks() if texts.num_chunks != 1 else texts.chunk(0)


def _values(column: Column, texts: Typed, odd: Mask) -> Typed:
    """The values of the rows that are not `odd`, after marking as odd those that this column makes so."""
    if column.type not in _TYPED or texts.null_count or texts.offset or (_is_listed(texts) and texts.dictionary.offset):
        odd[:] = True
        return texts
    typed = _TYPED[column.type](column, texts, odd)
    if column.required and typed.null_count:
        odd |= typed.is_null().to_numpy(zero_copy_only=False)
    return typed


def _text(_: Column, texts: Texts, odd: Mask) -> Typed:
    if not _is_listed(texts):
        odd |= _asks_for_more(texts)
        return _null_where_empty(texts, _lengths(texts))
    place = texts.indices.to_numpy()
    listed = texts.dictionary.fill_null(BLANKS[0])  # what could not be decoded is not text
    odd |= _asks_for_more(listed)[place]
    empty = _lengths(listed) == 0
    return pa.DictionaryArray.from_arrays(pa.array(place, mask=empty[place]) if empty.any() else texts.indices, listed)


def _asks_for_more(texts: pa.StringArray) -> Mask:
    """Which of them have a blank at an end, or are a word for nothing. Few need more than a look at two bytes."""
    offsets = _offsets(texts)
    full = np.flatnonzero(np.diff(offsets))
    data = np.frombuffer(texts.buffers()[2] or b"", np.uint8)
    first, last = data[offsets[:-1][full]], data[offsets[1:][full] - 1]
    doubtful = np.zeros(len(full), np.bool_)
    for byte in _FIRST_BYTES:
        doubtful |= first == byte
    for byte in _LAST_BYTES:
        doubtful |= last == byte
    found = np.zeros(len(texts), np.bool_)
    if doubtful.any():
        closer = texts.take(pa.array(full[doubtful]))
        tests = [pc.is_in(closer, pa.array([word for word in MISSING if word]))]
        tests += [test(closer, blank) for blank in BLANKS for test in (pc.starts_with, pc.ends_with)]
        for test in tests:
            found[full[doubtful]] |= test.to_numpy(zero_copy_only=False)
    return found


def _code(column: Column, texts: Texts, odd: Mask) -> Typed:
    table = CODE_TABLES[str(column.codes)]
    return _listed(texts, odd, lambda text: table[text].value if text in table else _ODD if text else None, pa.string())


def _day(column: Column, texts: Texts, odd: Mask) -> Typed:
    nothing = {"", *NULL_DATES, *(OPEN_ENDED if column.open_ended else ())}
    return _listed(texts, odd, lambda text: None if text in nothing else _day_of(text), pa.date32())


def _day_of(text: str) -> object:
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else _ODD
    except ValueError:
        return _ODD


def _listed(texts: Texts, odd: Mask, meaning: Callable[[str], object], kind: pa.DataType) -> Typed:
    """Values of which there are few, each told once, as places in a list: which is how Parquet writes them."""
    encoded = texts if _is_listed(texts) else texts.dictionary_encode()
    meanings = [_ODD if text is None else meaning(text) for text in encoded.dictionary.to_pylist()]
    place = encoded.indices.to_numpy()
    if _ODD in meanings:
        odd |= np.array([said is _ODD for said in meanings], np.bool_)[place]
    values = sorted({said for said in meanings if said is not None and said is not _ODD}, key=str)
    place_of = {said: index for index, said in enumerate(values)}
    places = np.array([place_of.get(said, -1) for said in meanings], np.int32)[place]
    return pa.DictionaryArray.from_arrays(pa.array(places, mask=places < 0), pa.array(values, kind))


def _integer(_: Column, texts: Texts, odd: Mask) -> Typed:
    plain = _strings(texts)
    said = _null_where_empty(plain, _lengths(plain))
    numbers = _cast(said, pa.int64(), _CASTABLE_INTEGER, odd)
    same = pc.fill_null(pc.equal(pc.cast(numbers, pa.string()), said), True)
    odd |= ~same.to_numpy(zero_copy_only=False)
    return numbers


def _moment(_: Column, texts: Texts, odd: Mask) -> Typed:
    plain = _strings(texts)
    lengths = _lengths(plain)
    usual = (lengths == WHOLE_SECONDS) | ((lengths >= WITH_TENTHS) & (lengths <= WITH_MICROSECONDS))
    odd |= ~usual & (lengths > 0)
    local = _cast(_null_where(plain, ~usual), pa.timestamp("us"), _CASTABLE_MOMENT, odd).view(pa.int64())
    early = pc.fill_null(pc.less(local, _EARLIEST), False)
    odd |= early.to_numpy(zero_copy_only=False)
    return pc.subtract(local, SHANGHAI_OFFSET_US).view(MOMENT)


def _cast(texts: pa.StringArray, kind: pa.DataType, castable: str, odd: Mask) -> Typed:
    try:
        return pc.cast(texts, kind)
    except pa.ArrowInvalid:
        known = pc.fill_null(pc.match_substring_regex(texts, castable), True)
        odd |= ~known.to_numpy(zero_copy_only=False)
        return pc.cast(pc.if_else(known, texts, None), kind)


_TYPED: Mapping[Type, Callable[[Column, Texts, Mask], Typed]] = {
    Type.TEXT: _text,
    Type.CODE: _code,
    Type.INTEGER: _integer,
    Type.FEN: _integer,
    Type.DATE: _day,
    Type.TIMESTAMP: _moment,
}


def _is_listed(texts: Texts) -> TypeGuard[pa.DictionaryArray]:
    """A column that held more than ASCII (`decode_column`)."""
    return isinstance(texts, pa.DictionaryArray)


def _strings(texts: Texts) -> pa.StringArray:
    return texts.cast(pa.string()) if _is_listed(texts) else texts


def _offsets(texts: pa.StringArray) -> Lengths:
    return np.frombuffer(texts.buffers()[1] or b"", np.int32)[: len(texts) + 1]


def _lengths(texts: pa.StringArray) -> Lengths:
    return np.diff(_offsets(texts))


def _null_where_empty(texts: pa.StringArray, lengths: Lengths) -> pa.StringArray:
    return texts if lengths.all() else _null_where(texts, lengths == 0)


def _null_where(texts: pa.StringArray, nothing: Mask) -> pa.StringArray:
    validity = pa.py_buffer(np.packbits(~nothing, bitorder="little").tobytes())
    _, offsets, data = texts.buffers()
    return pa.StringArray.from_buffers(len(texts), offsets, data, validity)
