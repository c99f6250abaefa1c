"""Source bytes → text, a column at a time, strictly.

Splitting raw GB18030 at `|` and then decoding each field is exact: where a separator byte was really a character's second
byte (118 characters of GBK), the field to its left ends in a lone lead byte and does not decode, so the record is found
and read again, decoded first. Only columns that hold more than ASCII pay for the codec, and only once a distinct value.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Mask = npt.NDArray[np.bool_]


def is_ascii(column: pa.BinaryArray) -> bool:
    values = column.buffers()[2]
    return values is None or values.size == 0 or int(np.frombuffer(values, np.uint8).max()) < 0x80


def decode_column(column: pa.BinaryArray, encoding: str) -> tuple[pa.Array, Mask | None]:
    """The column as text, and which of its values did not decode (None: all did). A value that did not is NULL."""
    if is_ascii(column):
        return column.view(pa.string()), None
    if encoding == "utf-8" and (same := _already_text(column)) is not None:
        return same, None
    encoded = column.dictionary_encode()
    texts, bad = _decode_distinct(encoded.dictionary, encoding)
    decoded = pa.DictionaryArray.from_arrays(encoded.indices, texts)
    if not bad.any():
        return decoded, None
    indices = encoded.indices.fill_null(0).to_numpy(zero_copy_only=False)
    return decoded, bad[indices] & column.is_valid().to_numpy(zero_copy_only=False)


def _already_text(column: pa.BinaryArray) -> pa.StringArray | None:
    """UTF-8 is what text is made of here: bytes that are valid need no codec."""
    try:
        return column.cast(pa.string())
    except pa.ArrowInvalid:
        return None


def _decode_distinct(values: pa.BinaryArray, encoding: str) -> tuple[pa.Array, Mask]:
    listed = pa.ListArray.from_arrays(pa.array([0, len(values)], pa.int32()), values)
    joined = pc.binary_join(listed, b"\n")[0].as_py()
    try:
        text = joined.decode(encoding)
    except UnicodeDecodeError:
        return _decode_singly(values, encoding)
    parts = pc.split_pattern(pa.array([text], pa.large_string()), "\n").values.cast(pa.string())
    if len(parts) != len(values):  # a value of a quoted CSV may hold a line end
        return _decode_singly(values, encoding)
    return parts, np.zeros(len(values), np.bool_)


def _decode_singly(values: pa.BinaryArray, encoding: str) -> tuple[pa.Array, Mask]:
    texts = [strict(value, encoding) for value in values.to_pylist()]
    return pa.array(texts, pa.string()), np.array([text is None for text in texts], np.bool_)


def strict(value: bytes, encoding: str) -> str | None:
    """The text, or None where it is not text of this encoding (NUL included: no store keeps it)."""
    try:
        text = value.decode(encoding)
        text.encode()
    except UnicodeError:
        return None
    return None if "\0" in text else text
