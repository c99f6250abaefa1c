"""The staging of one batch: split and type blocks on a few threads, one Parquet file a block.

Decoding, parsing, typing and writing release Python's lock, so threads use every core and no child process is needed.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adapters.protocol import LandedBytes
from adapters.staging.extract import extract_jobs
from adapters.staging.json_pages import json_jobs
from adapters.staging.lines import line_jobs
from adapters.staging.rows import SplitJob, TextRows
from adapters.staging.session import session
from adapters.staging.soap_pages import soap_jobs
from adapters.staging.typing_sql import typed_rows
from schemas.batch import Layout
from schemas.contract import Contract, Type

WORKERS = min(4, os.cpu_count() or 1)


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
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    typist = _Typist(contract, out, {"feed": contract.feed_id, "period": period})
    written = list(_ordered(typist, _jobs(contract, layout, objects)))
    if not written:
        written.append(typist.write(_nothing(contract), 0))
    return Staged(tuple(path for path, _ in written), sum(rows for _, rows in written), sum(o.object.bytes for o in objects))


def _jobs(contract: Contract, layout: Layout, objects: Sequence[LandedBytes]) -> Iterator[SplitJob]:
    match layout:
        case Layout.FIXED | Layout.DELIMITED:
            return line_jobs(contract, objects, fixed=layout is Layout.FIXED)
        case Layout.CSV:
            return extract_jobs(contract, objects)
        case Layout.JSON_PAGE:
            return json_jobs(contract, objects)
        case Layout.SOAP_PAGE:
            return soap_jobs(contract, objects)


def _ordered(typist: _Typist, jobs: Iterator[SplitJob]) -> Iterator[tuple[Path, int]]:
    """Runs the jobs, a bounded number at once, and yields what they wrote in their order."""
    running: deque[Future[tuple[Path, int]]] = deque()
    with ThreadPoolExecutor(WORKERS) as pool:
        for number, job in enumerate(jobs):
            running.append(pool.submit(typist.run, job, number))
            if len(running) > WORKERS:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


@dataclass
class _Typist:
    """Types and writes a block; one DuckDB session a thread."""

    contract: Contract
    out: Path
    facts: dict[str, str]
    local: threading.local = field(default_factory=threading.local)

    def run(self, job: SplitJob, number: int) -> tuple[Path, int]:
        return self.write(job(), number)

    def write(self, rows: TextRows, number: int) -> tuple[Path, int]:
        connection = self._connection()
        connection.register("block", rows.table)
        typed = connection.sql(typed_rows(self.contract, "block")).to_arrow_table()
        connection.unregister("block")
        path = self.out / f"rows-{number:05d}.parquet"
        texts = rows.sources(np.arange(typed.num_rows)) if rows.paged else None
        staged = typed.append_column("_source", _sources(typed, rows))
        staged = staged.append_column("_record", pa.array(texts, pa.string()) if texts else pa.nulls(typed.num_rows, pa.string()))
        staged = staged.replace_schema_metadata(self.facts)
        few_values = [column.name for column in self.contract.columns if column.type in (Type.CODE, Type.DATE)]
        pq.write_table(staged, path, compression="snappy", use_dictionary=[*few_values, "_object"])
        return path, typed.num_rows

    def _connection(self) -> duckdb.DuckDBPyConnection:
        if not hasattr(self.local, "connection"):
            self.local.connection = session(threads=1)
        connection: duckdb.DuckDBPyConnection = self.local.connection
        return connection


def _sources(typed: pa.Table, rows: TextRows) -> pa.Array:
    """The record's text where it has errors, NULL elsewhere."""
    failed = np.flatnonzero(typed.column("_errors").is_valid().to_numpy())
    where = np.full(typed.num_rows, -1, np.int32)
    where[failed] = np.arange(len(failed))
    return pa.array(rows.sources(failed), pa.string()).take(pa.array(where, mask=where < 0))


def _nothing(contract: Contract) -> TextRows:
    fields = [pa.field("_row_no", pa.int64()), pa.field("_object", pa.int16()), pa.field("_offset", pa.int64())]
    fields += [pa.field("_length", pa.int32()), pa.field("_fault", pa.string())]
    fields += [pa.field(column.name, pa.string()) for column in contract.columns]
    return TextRows(pa.schema(fields).empty_table(), lambda _: [])
