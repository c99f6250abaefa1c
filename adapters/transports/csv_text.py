"""The canonical CSV of an SQL extract, column-wise in Arrow: byte for byte what PostgreSQL's `COPY … (FORMAT csv)` writes.

UTF-8, LF, header; NULL is an unquoted empty field, an empty text is `""`; a field is quoted where it holds a comma, a quote,
CR or LF; timestamps are `YYYY-MM-DD HH:MM:SS` with as many decimals as they need.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import pyarrow as pa
from pyarrow import compute

# The stubs know no call that mixes arrays and scalars.
pc: Any = compute
Texts: TypeAlias = "pa.Array[Any]"


def header(names: Sequence[str]) -> bytes:
    return lines([pa.array([name]) for name in names])


def lines(columns: Sequence[Texts]) -> bytes:
    """One line a row; all columns of one length."""
    if not len(columns[0]):
        return b""
    rows = pc.binary_join_element_wise(*(_field(column) for column in columns), pa.scalar(","))
    whole = pa.ListArray.from_arrays(pa.array([0, len(rows)], pa.int32()), rows)
    text: str = pc.binary_join(whole, "\n")[0].as_py()
    return f"{text}\n".encode()


def column(values: Sequence[object]) -> Texts:
    """Values of one column as a driver gives them. Raises pa.ArrowInvalid where they are of no common type."""
    return pa.array(values)


def _field(column: Texts) -> Texts:
    filled: Texts = pc.fill_null(_quoted(_text(column)), "")
    return filled


def _text(column: Texts) -> Texts:
    if pa.types.is_timestamp(column.type):
        exact = pc.cast(pc.cast(column, pa.timestamp("us")), pa.string())
        return _trimmed(exact)
    text: Texts = pc.cast(column, pa.string())
    return text


def _trimmed(exact: Texts) -> Texts:
    """Without the zeros that end a fraction, nor an empty fraction."""
    trimmed: Texts = pc.replace_substring_regex(exact, r"\.?0+$", "")
    return trimmed


def _quoted(texts: Texts) -> Texts:
    needs = pc.or_(pc.match_substring_regex(texts, '[,"\r\n]'), pc.equal(texts, ""))
    doubled = pc.replace_substring(texts, '"', '""')
    quote = pa.scalar('"')
    quoted: Texts = pc.if_else(needs, pc.binary_join_element_wise(quote, doubled, quote, pa.scalar("")), texts)
    return quoted
