"""`hub.quarantine`: what a batch's verdict keeps out, with the bytes as they came, so that it can be explained and replayed."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from sqlalchemy import Engine

from adapters.protocol import LandedBytes
from adapters.staging import Staged
from adapters.staging.session import session
from hub.errors import InvariantBroken
from quality.verdict import Verdict
from schemas.contract import Contract

COLUMNS = ("batch_id", "row_no", "outcome", "reason", "rule_id", "detail", "object_no", "byte_offset", "byte_length", "raw")
ROWS_AT_ONCE = 20_000
MEMORY_LIMIT = "400MB"


def write_quarantine(  # noqa: PLR0917 (what the pipeline has at hand)
    engine: Engine, batch_id: int, contract: Contract, staged: Staged, verdict: Verdict, objects: Sequence[LandedBytes]
) -> int:
    """Replaces the batch's rows of `hub.quarantine`, in one transaction; returns how many there are.

    A refused batch leaves none: it is refused as a whole, and its bytes are in landing. `raw` is the record's bytes for
    files, its text in UTF-8 for pages. Raises InvariantBroken where they are not as many as the account says.
    """
    if verdict.decision == "refused":
        return _replace(engine, batch_id, None)
    with tempfile.TemporaryDirectory(dir=verdict.verdict_file.parent) as folder, ExitStack() as stack:
        paths = [stack.enter_context(landed.local_path()) for landed in objects]
        lines = Path(folder) / "quarantine.csv"
        _write_lines(batch_id, staged, verdict, _Bytes(paths, stack), lines)
        written = _replace(engine, batch_id, lines)
    kept_out = verdict.account.quarantined + verdict.account.duplicate
    if written != kept_out:
        raise InvariantBroken(
            f"{contract.feed_id}: {kept_out} rows are kept out, {written} are in quarantine",
            feed=contract.feed_id,
            batch_id=batch_id,
        )
    return written


class _Bytes:
    """Records of landed files by place; a file is mapped when the first record of it is asked for."""

    def __init__(self, paths: Sequence[Path], stack: ExitStack) -> None:
        self._paths = paths
        self._stack = stack
        self._mapped: dict[int, mmap.mmap] = {}

    def records(self, objects: Sequence[int], offsets: Sequence[int], lengths: Sequence[int]) -> list[bytes]:
        return [self._file(o)[at : at + n] if n else b"" for o, at, n in zip(objects, offsets, lengths, strict=True)]

    def _file(self, index: int) -> mmap.mmap:
        if index not in self._mapped:
            file = self._stack.enter_context(self._paths[index].open("rb"))
            self._mapped[index] = self._stack.enter_context(closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
        return self._mapped[index]


def _write_lines(batch_id: int, staged: Staged, verdict: Verdict, landed: _Bytes, path: Path) -> None:
    """The rows as CSV for COPY, streamed: DuckDB joins and orders, the bytes are added, DuckDB writes."""
    files = ", ".join(f"'{file}'" for file in staged.files)
    with session(1) as reading, session(1) as writing:
        reading.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        reading.execute(f"SET temp_directory = '{path.parent}'")
        found = reading.execute(f"""
            SELECT v._row_no AS row_no, outcome, reason, rule_id, detail, _object AS object_no, _offset AS byte_offset,
                _length AS byte_length, _record
            FROM '{verdict.verdict_file}' v JOIN read_parquet([{files}]) s USING (_row_no) ORDER BY row_no""")
        writing.register("kept", _with_bytes(found, landed))
        writing.execute(f"""
            COPY (SELECT {batch_id}, * EXCLUDE (raw), '\\x' || lower(hex(raw)) FROM kept)
            TO '{path}' (FORMAT csv, HEADER false)""")


def _with_bytes(found: duckdb.DuckDBPyConnection, landed: _Bytes) -> pa.RecordBatchReader:
    reader = found.to_arrow_reader(ROWS_AT_ONCE)
    fields = [field for field in reader.schema if field.name != "_record"]
    schema = pa.schema([*fields, pa.field("raw", pa.binary())])

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in reader:
            columns = {field.name: batch.column(field.name) for field in fields}
            yield pa.RecordBatch.from_arrays([*columns.values(), _raw(batch, landed)], schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _raw(batch: pa.RecordBatch, landed: _Bytes) -> pa.Array:
    texts = batch.column("_record")
    if texts.null_count < len(texts):
        return texts.cast(pa.binary())
    places = (batch.column(name).to_pylist() for name in ("object_no", "byte_offset", "byte_length"))
    return pa.array(landed.records(*places), pa.binary())


def _replace(engine: Engine, batch_id: int, lines: Path | None) -> int:
    copy = f"COPY hub.quarantine ({', '.join(COLUMNS)}) FROM STDIN (FORMAT csv)"
    with closing(engine.raw_connection()) as connection:
        cursor: Any = connection.cursor()
        cursor.execute("DELETE FROM hub.quarantine WHERE batch_id = %s", (batch_id,))
        written = 0
        if lines is not None:
            with cursor.copy(copy) as target, lines.open("rb") as file:
                while chunk := file.read(1 << 20):
                    target.write(chunk)
            written = cursor.rowcount
        connection.commit()
        return written
