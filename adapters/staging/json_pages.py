"""REST pages, `{"data": [record, …], …}`: records are taken apart by DuckDB, a batch of pages at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from adapters.drift import Carries, check_columns
from adapters.protocol import PassingBytes
from adapters.staging.rows import FAULT, LENGTH, OBJECT, OFFSET, ROW_NO, Positions, SplitJob, TextRows, ready
from adapters.staging.session import session
from adapters.staging.typing_sql import sql_text
from hub.errors import RefuseDelivery
from schemas.contract import Contract

BATCH_BYTES = 1 << 23

_RECORDS = """
    CREATE OR REPLACE TEMP TABLE records AS
    SELECT page, generate_subscripts(found, 1) - 1 AS place, unnest(found) AS record
    FROM (SELECT page, json_extract(body, '$.data[*]') AS found FROM pages)"""


@dataclass(frozen=True)
class _Page:
    """The batch's `index`th object."""

    index: int
    name: str
    body: str


def json_jobs(contract: Contract, objects: Iterable[PassingBytes]) -> Iterator[SplitJob]:
    """One job a batch of pages. Raises RefuseDelivery where a page is not JSON, FixContract at a field nobody declared."""
    connection = session(1)
    first_row_no = 1
    for batch in _batches(objects):
        rows = _rows(connection, contract, batch, first_row_no)
        first_row_no += rows.table.num_rows
        yield ready(rows)


def _batches(objects: Iterable[PassingBytes]) -> Iterator[list[_Page]]:
    batch: list[_Page] = []
    size = 0
    for index, landed in enumerate(objects):
        body = b"".join(landed.chunks())
        try:
            batch.append(_Page(index, landed.name, body.decode()))
        except UnicodeDecodeError as error:
            raise _refuse(landed.name, "is not UTF-8") from error
        size += len(body)
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _refuse(page: str, what: str) -> RefuseDelivery:
    return RefuseDelivery(f"page {page} {what}", code="layout", object=page)


def _rows(connection: duckdb.DuckDBPyConnection, contract: Contract, batch: list[_Page], first_row_no: int) -> TextRows:
    numbers = pa.array([page.index for page in batch], pa.int16())
    pages = pa.table({"page": numbers, "body": pa.array([page.body for page in batch])})
    connection.register("pages", pages)
    wrong = "SELECT page FROM pages WHERE NOT json_valid(body) OR json_type(body, '$.data') IS DISTINCT FROM 'ARRAY' LIMIT 1"
    found = connection.execute(wrong).fetchone()
    if found:
        raise _refuse(next(page.name for page in batch if page.index == found[0]), 'is not JSON of the form {"data": [...]}')
    connection.execute(_RECORDS)
    keys = "SELECT DISTINCT unnest(json_keys(record)) FROM records WHERE json_type(record) = 'OBJECT'"
    names = [name for (name,) in connection.execute(keys).fetchall()]
    check_columns(contract, names, where=batch[0].name, carries=Carries.ANY)
    table = connection.sql(_text_columns(contract, first_row_no)).to_arrow_table()
    texts = table.column("record")
    connection.unregister("pages")

    def sources(positions: Positions) -> list[str]:
        found: list[str] = texts.take(pa.array(positions)).to_pylist()
        return found

    return TextRows(table.drop_columns(["record"]), sources, paged=True)


def _text_columns(contract: Contract, first_row_no: int) -> str:
    paths = ", ".join(sql_text(f'$."{column.source}"') for column in contract.columns)
    columns = ", ".join(f'fields[{i}] AS "{column.name}"' for i, column in enumerate(contract.columns, 1))
    return f"""
        SELECT {first_row_no} - 1 + row_number() OVER (ORDER BY page, place) AS {ROW_NO}, page AS {OBJECT}, place AS {OFFSET},
            NULL::INTEGER AS {LENGTH},
            CASE WHEN json_type(record) <> 'OBJECT' THEN 'shape'
                 WHEN len(list_filter(fields, lambda field: contains(field, chr(0)))) > 0 THEN 'encoding' END AS {FAULT},
            {columns}, record::VARCHAR AS record
        FROM (SELECT *, json_extract_string(record, [{paths}]) AS fields FROM records) ORDER BY page, place"""
