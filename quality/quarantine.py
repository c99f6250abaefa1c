"""`hub.quarantine`: what a batch's verdict keeps out, with the bytes as they came, so that it can be explained and replayed."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import duckdb
import pyarrow as pa
from sqlalchemy import Engine

from adapters.protocol import LandedBytes
from adapters.staging import Staged
from adapters.staging.session import session
from hub.errors import InvariantBroken
from quality.verdict import Verdict
from schemas.contract import Contract
from store import duck

ROWS_AT_ONCE = 20_000
MEMORY_LIMIT = "300MB"


def write_quarantine(  # noqa: PLR0917 (what the pipeline has at hand)
    engine: Engine, batch_id: int, contract: Contract, staged: Staged, verdict: Verdict, objects: Sequence[LandedBytes]
) -> int:
    """Replaces the batch's rows of `hub.quarantine`, in one transaction; returns how many there are.

    A refused batch leaves none: it is refused as a whole, and its bytes are in landing. `raw` is the record's bytes for
    files, its text in UTF-8 for pages. Raises InvariantBroken where they are not as many as the account says.
    """
    replaced = f"DELETE FROM hub.quarantine WHERE batch_id = {int(batch_id)}"
    insert = f"INSERT INTO {duck.ATTACHED}.hub.quarantine BY NAME SELECT {int(batch_id)}::BIGINT AS batch_id, * FROM kept"
    with ExitStack() as stack:
        writing = stack.enter_context(duck.session(engine.url))
        writing.execute("BEGIN")
        writing.execute(f"CALL postgres_execute('{duck.ATTACHED}', '{replaced}')")
        written = 0
        if verdict.decision == "accepted":
            reading = stack.enter_context(session(1))
            paths = [stack.enter_context(landed.local_path()) for landed in objects]
            writing.register("kept", _with_bytes(_kept_out(reading, staged, verdict), _Bytes(paths, stack)))
            row = writing.execute(insert).fetchone()
            written = row[0] if row else 0
        _must_be_all(contract, batch_id, verdict, written)
        writing.execute("COMMIT")
    return written


def _must_be_all(contract: Contract, batch_id: int, verdict: Verdict, written: int) -> None:
    kept_out = verdict.account.quarantined + verdict.account.duplicate
    if written != kept_out:
        told = f"{contract.feed_id}: {kept_out} rows are kept out, {written} would be in quarantine"
        raise InvariantBroken(told, feed=contract.feed_id, batch_id=batch_id)


class _Bytes:
    """Records of landed files by place; a file is mapped when the first record of it is asked for."""

    def __init__(self, paths: Sequence[Path], stack: ExitStack) -> None:
        self._paths = paths
        self._stack = stack
        self._mapped: dict[int, mmap.mmap] = {}

    def records(self, objects: Sequence[int], offsets: Sequence[int], lengths: Sequence[int]) -> list[bytes]:
        found = [self._file(o)[at : at + n] if n else b"" for o, at, n in zip(objects, offsets, lengths, strict=True)]
        for mapped in self._mapped.values():
            mapped.madvise(mmap.MADV_DONTNEED)  # pages that were read count as ours until given back
        return found

    def _file(self, index: int) -> mmap.mmap:
        if index not in self._mapped:
            file = self._stack.enter_context(self._paths[index].open("rb"))
            self._mapped[index] = self._stack.enter_context(closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
        return self._mapped[index]


def _kept_out(reading: duckdb.DuckDBPyConnection, staged: Staged, verdict: Verdict) -> duckdb.DuckDBPyConnection:
    """The rows and where their bytes lie: as a rule in the order they are staged, so that files are read from front to back."""
    spill = verdict.verdict_file.parent / "spill"
    reading.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
    reading.execute(f"SET temp_directory = {duck.literal(spill)}")
    found, files = duck.literal(verdict.verdict_file), ", ".join(duck.literal(file) for file in staged.files)
    return reading.execute(f"""
        SELECT v._row_no AS row_no, outcome, reason, rule_id, detail, _object AS object_no, _offset AS byte_offset,
            _length AS byte_length, _record
        FROM read_parquet({found}) v JOIN read_parquet([{files}]) s USING (_row_no)""")


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
    places = (batch.column(name).to_numpy().tolist() for name in ("object_no", "byte_offset", "byte_length"))
    return pa.array(landed.records(*places), pa.binary())
