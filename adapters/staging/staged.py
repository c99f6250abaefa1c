"""The staging of one batch: a few threads split, type and write blocks, one Parquet file a block.

Decoding, parsing, typing and writing release Python's lock, so threads use every core and no child process is needed. A
thread types several blocks by one query that reads them as they are split: planning the typing of a wide contract takes
as long as typing tens of thousands of its rows.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adapters.protocol import LandedBytes, PassingBytes
from adapters.staging.extract import extract_jobs
from adapters.staging.json_pages import json_jobs
from adapters.staging.lines import line_jobs
from adapters.staging.rows import ROW_NO, SplitJob, TextRows, text_schema
from adapters.staging.session import typing_session
from adapters.staging.soap_pages import soap_jobs
from adapters.staging.typing_sql import typed_rows
from schemas.batch import LandedObject, Layout
from schemas.contract import Contract, Type

WORKERS = min(4, os.cpu_count() or 1)
STAGED_GLOB = "rows-*.parquet"
ROWS_AT_ONCE = 20_000
BLOCKS_A_QUERY = 6  # DuckDB reads ahead of what is taken from it without a bound of its own


@dataclass(frozen=True)
class Staged:
    """`files` in row order; `rows` of the batch; `bytes` of its landed objects."""

    files: tuple[Path, ...]
    rows: int
    bytes: int


def stage(contract: Contract, period: str, layout: Layout, objects: Sequence[LandedBytes], out: Path) -> Staged:
    """Writes `out/rows-*.parquet` anew; every record of every object is a row. An empty batch has one file of no rows.

    Raises FixContract where an object's columns are not the contract's, RefuseDelivery where an object is not of its layout.
    """
    stage_rows(contract, period, layout, objects, out)
    return staged_in(out, [landed.object for landed in objects])


def stage_rows(contract: Contract, period: str, layout: Layout, objects: Iterable[PassingBytes], out: Path) -> None:
    """The same of objects that come one after the other, each read before the next is asked for."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    work = _Work(contract, out, {"feed": contract.feed_id, "period": period}, _jobs(contract, layout, objects))
    with ThreadPoolExecutor(WORKERS) as pool:
        workers = [pool.submit(_Typist(work).run) for _ in range(WORKERS)]
    for worker in workers:
        worker.result()
    if not any(out.iterdir()):
        _write_nothing(work)


def staged_in(out: Path, objects: Iterable[LandedObject]) -> Staged:
    """What `stage` made of these objects."""
    files = tuple(sorted(out.glob(STAGED_GLOB)))
    return Staged(files, sum(pq.read_metadata(file).num_rows for file in files), sum(item.bytes for item in objects))


def _jobs(contract: Contract, layout: Layout, objects: Iterable[PassingBytes]) -> Iterator[SplitJob]:
    match layout:
        case Layout.FIXED | Layout.DELIMITED:
            return line_jobs(contract, objects, fixed=layout is Layout.FIXED)
        case Layout.CSV:
            return extract_jobs(contract, objects)
        case Layout.JSON_PAGE:
            return json_jobs(contract, objects)
        case Layout.SOAP_PAGE:
            return soap_jobs(contract, objects)


@dataclass
class _Work:
    """The blocks of one batch, handed to whichever thread asks next. A thread that fails leaves the others nothing to do."""

    contract: Contract
    out: Path
    facts: dict[str, str]
    jobs: Iterator[SplitJob]
    numbers: Iterator[int] = field(default_factory=count)
    lock: threading.Lock = field(default_factory=threading.Lock)
    failed: bool = False

    def take(self) -> tuple[int, SplitJob] | None:
        with self.lock:
            job = None if self.failed else next(self.jobs, None)
            return None if job is None else (next(self.numbers), job)


@dataclass
class _Typist:
    """Types and writes the blocks that one thread takes."""

    work: _Work
    asked: deque[tuple[int, TextRows]] = field(default_factory=deque)
    failure: BaseException | None = None

    def run(self) -> None:
        schema = text_schema(self.work.contract)
        connection = typing_session()
        try:
            while self._found_untyped():
                typed = _typed(connection, self.work.contract, pa.RecordBatchReader.from_batches(schema, self._batches(schema)))
                for number, rows, table in self._by_block(typed):
                    _write(self.work, number, rows, table)
                self._raise_failure()
        except BaseException:
            self.work.failed = True
            raise

    def _found_untyped(self) -> bool:
        """Takes blocks until the query must be asked about rows of one, `asked[-1]`; what comes typed whole is written."""
        while job := self.work.take():
            number, rows = job[0], job[1]()
            if rows.table.num_rows:
                self.asked.append((number, rows))
                return True
            if rows.typed is not None:
                _write(self.work, number, rows, rows.typed)
        return False

    def _batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Read by DuckDB in the middle of its query: an error that passed through it would come out without its kind."""
        try:
            for place in range(BLOCKS_A_QUERY):
                if place and not self._found_untyped():
                    return
                yield from self.asked[-1][1].table.select(schema.names).cast(schema).to_batches(ROWS_AT_ONCE)
        except BaseException as error:  # noqa: BLE001 (raised again by `_raise_failure`)
            self.failure, self.work.failed = error, True

    def _raise_failure(self) -> None:
        if self.failure is not None:
            raise self.failure
        if self.asked:
            raise RuntimeError("the typing query gave fewer rows than it was asked about")

    def _by_block(self, typed: Iterator[pa.RecordBatch]) -> Iterator[tuple[int, TextRows, pa.Table]]:
        parts: list[pa.RecordBatch] = []
        for batch in typed:
            rest = batch
            while rest.num_rows:
                number, rows = self.asked[0]
                parts.append(rest.slice(0, rows.table.num_rows - sum(part.num_rows for part in parts)))
                rest = rest.slice(parts[-1].num_rows)
                if sum(part.num_rows for part in parts) == rows.table.num_rows:
                    self.asked.popleft()
                    asked = pa.Table.from_batches(parts)
                    if asked.column(ROW_NO) != rows.table.column(ROW_NO):
                        raise RuntimeError("the typing query gave its rows in another order")
                    before = [] if rows.typed is None else [rows.typed.cast(asked.schema)]
                    yield number, rows, pa.concat_tables([*before, asked])
                    parts = []


def _typed(connection: duckdb.DuckDBPyConnection, contract: Contract, texts: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    connection.register("block", texts)
    yield from connection.execute(typed_rows(contract, "block")).to_arrow_reader(ROWS_AT_ONCE)
    connection.unregister("block")


def _write(work: _Work, number: int, rows: TextRows, typed: pa.Table) -> None:
    texts = rows.sources(np.arange(typed.num_rows)) if rows.paged else None
    staged = typed.append_column("_source", _sources(typed, rows))
    staged = staged.append_column("_record", pa.array(texts, pa.string()) if texts else pa.nulls(typed.num_rows, pa.string()))
    few_values = [column.name for column in work.contract.columns if column.type in (Type.CODE, Type.DATE)]
    pq.write_table(
        _without_levels(staged).replace_schema_metadata(work.facts),
        work.out / f"rows-{number:05d}.parquet",
        compression="lz4",
        use_dictionary=[*few_values, "_object"],
        write_statistics=["_row_no"],
    )


def _without_levels(staged: pa.Table) -> pa.Table:
    """A column that says of no row that it is NULL is written as one that cannot be: telling so for every row takes a quarter of
    the time of writing."""
    fields = [column.with_nullable(staged.column(column.name).null_count > 0) for column in staged.schema]
    return pa.table(staged.columns, schema=pa.schema(fields))


def _write_nothing(work: _Work) -> None:
    empty = TextRows(text_schema(work.contract).empty_table(), lambda _: [])
    connection = typing_session()
    connection.register("block", empty.table)
    _write(work, 0, empty, connection.sql(typed_rows(work.contract, "block")).to_arrow_table())


def _sources(typed: pa.Table, rows: TextRows) -> pa.Array:
    """The record's text where it has errors, NULL elsewhere."""
    failed = np.flatnonzero(typed.column("_errors").is_valid().to_numpy())
    where = np.full(typed.num_rows, -1, np.int32)
    where[failed] = np.arange(len(failed))
    return pa.array(rows.sources(failed), pa.string()).take(pa.array(where, mask=where < 0))
