"""Writing versioned tables: what changed is found in DuckDB, and written by COPY and one set-based statement.

A version is closed (`recorded_to`) and a new one opened (`recorded_from`) only where something differs, so that doing it
twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import psycopg
import pyarrow as pa
from pyarrow import csv
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from hub.errors import RetryLater
from identity.extract import read_store

BATCH = 50_000
NAMED_AT_ONCE = 20_000
"""Up to so many rows are asked for by name; of more, the whole table is read."""


@dataclass(frozen=True)
class Versioned:
    """A table of versions: one open row a `key`; `json` are those of `values` that the store keeps as jsonb. `compared`: the
    values that tell two versions apart, where a few stand for all of them."""

    table: str
    key: tuple[str, ...]
    values: tuple[str, ...]
    json: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.table.rpartition(".")[2]

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.key, *self.values)

    @property
    def telling(self) -> tuple[str, ...]:
        return self.compared or self.values


@dataclass(frozen=True)
class Changes:
    """How many versions were closed and opened."""

    closed: int
    opened: int

    def __bool__(self) -> bool:
        return bool(self.closed or self.opened)


@contextmanager
def alone(engine: Engine, what: str) -> Iterator[Connection]:
    """A transaction on the store in which nobody else does `what`; it waits for its turn, commits at the end."""
    with engine.begin() as store:
        store.execute(text("select pg_advisory_xact_lock(hashtext(:what))"), {"what": f"bsshub.{what}"})
        yield store


def read_open(connection: duckdb.DuckDBPyConnection, versioned: Versioned, condition: str = "true") -> None:
    """Makes `NAME_current`: the key, and what tells versions apart, of the store's open versions for which `condition` holds."""
    columns = (*versioned.key, *versioned.telling)
    selected = ", ".join(f"{column}::text as {column}" if column in versioned.json else column for column in columns)
    query = f"select {selected} from {versioned.table} where recorded_to is null and {condition}"
    read_store(connection, f"{versioned.name}_current", query)


def read_open_of(connection: duckdb.DuckDBPyConnection, versioned: Versioned, column: str, ids: str) -> None:
    """As `read_open`, of the versions whose `column` is one of the ids that the query `ids` selects. Of more than `NAMED_AT_ONCE`
    every open version is read; the caller leaves out those that it did not ask for."""
    found = connection.execute(f"from (select distinct * from ({ids})) limit ?", [NAMED_AT_ONCE + 1]).fetchall()
    names = ", ".join(f"'{name}'" for (name,) in found)
    read_open(connection, versioned, "true" if len(found) > NAMED_AT_ONCE else f"{column} in ({names or 'null'})")


def find_changes(connection: duckdb.DuckDBPyConnection, versioned: Versioned, wanted: str, *, partial: bool = False) -> Changes:
    """Compares `wanted` with `NAME_current`; makes `NAME_closing` and `NAME_opening`.

    What `wanted` does not hold is closed, unless it is `partial`: then it is left as it is.
    """
    name, key = versioned.name, ", ".join(versioned.key)
    differs = " or ".join(f"{_comparable(versioned, 'wanted', c)} is distinct from {_comparable(versioned, 'current', c)}"
                          for c in versioned.telling)  # fmt: skip
    joined = " and ".join(f"wanted.{column} = current.{column}" for column in versioned.key)
    columns = ", ".join(f"wanted.{column}" for column in versioned.columns)
    first = versioned.key[0]
    # Where nothing stands yet, all that is wanted is opened: millions of rows, of which no copy is made.
    something_stands = bool(_count(connection, f"{name}_current"))
    made = "table" if something_stands else "temp view"
    connection.execute(
        f"create or replace {made} {name}_opening as select {columns} from {wanted} wanted "
        f"left join {name}_current current on {joined} where current.{first} is null or {differs}"
    )
    connection.execute(
        f"create or replace table {name}_closing as "
        f"select {key} from {name}_current anti join {wanted} wanted using ({key}) where {not partial} "
        f"union all select {key} from {name}_opening semi join {name}_current using ({key})"
        if something_stands
        else f"create or replace table {name}_closing as select {key} from {name}_current"
    )
    return Changes(_count(connection, f"{name}_closing"), _count(connection, f"{name}_opening"))


def write_changes(store: Connection, connection: duckdb.DuckDBPyConnection, versioned: Versioned, seq: int) -> None:
    """Closes and opens what `find_changes` found, at `seq`, inside the caller's transaction."""
    name, key = versioned.name, ", ".join(versioned.key)
    if _count(connection, f"{name}_closing"):
        _close(store, connection, versioned, seq)
    columns = (*versioned.columns, "recorded_from")
    query = f"select {', '.join(versioned.columns)}, {int(seq)} as recorded_from from {name}_opening order by {key}"
    copy_in(store, connection, query, versioned.table, columns, anew=made_anew(store, versioned.table))


def _close(store: Connection, connection: duckdb.DuckDBPyConnection, versioned: Versioned, seq: int) -> None:
    name, key = versioned.name, ", ".join(versioned.key)
    store.execute(text(f"create temp table {name}_closing on commit drop as select {key} from {versioned.table} limit 0"))
    copy_in(store, connection, f"select {key} from {name}_closing", f"{name}_closing", versioned.key)
    store.execute(text(f"analyze {name}_closing"))
    joined = " and ".join(f"version.{column} = closing.{column}" for column in versioned.key)
    store.execute(
        text(
            f"update {versioned.table} version set recorded_to = :seq from {name}_closing closing "
            f"where {joined} and version.recorded_to is null"
        ),
        {"seq": seq},
    )


def made_anew(store: Connection, table: str) -> bool:
    """Whether an empty table's file was made anew in this transaction: what is then copied in need not be logged row by row.
    Where somebody reads the table at this moment, or we may not, it stays as it is."""
    if store.execute(text(f"select exists (select from {table})")).scalar_one():
        return False
    try:
        with store.begin_nested():
            store.execute(text(f"lock table {table} in access exclusive mode nowait"))
            empty = not store.execute(text(f"select exists (select from {table})")).scalar_one()
            if empty:
                store.execute(text(f"truncate {table}"))
            return empty
    except DBAPIError:
        return False


def copy_in(
    store: Connection,
    connection: duckdb.DuckDBPyConnection,
    query: str,
    table: str,
    columns: Sequence[str],
    *,
    anew: bool = False,
) -> None:
    """Streams the rows of a DuckDB query into a table of the store by COPY, inside the caller's transaction: the store takes in
    one batch while the next is made ready. `anew`: the table's file was made in this transaction."""
    driver = store.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError(f"the store is written through psycopg, not {type(driver).__name__}")
    statement = f"copy {table} ({', '.join(columns)}) from stdin (format csv{', freeze' if anew else ''})"
    try:
        with driver.cursor().copy(statement.encode()) as copy, ThreadPoolExecutor(1) as ahead:
            batches = connection.execute(query).to_arrow_reader(BATCH)
            coming = ahead.submit(_next_as_csv, batches)
            while rows := coming.result():
                coming = ahead.submit(_next_as_csv, batches)
                copy.write(rows)
    except psycopg.Error as error:
        # PostgreSQL quotes the row in its message, and the row may hold personal values.
        raise RetryLater(f"{table} could not be written ({error.sqlstate})", table=table) from None


def _next_as_csv(batches: pa.RecordBatchReader) -> bytes:
    """The next batch as COPY reads it, a value always in quotes, NULL never; nothing behind the last."""
    try:
        batch = batches.read_next_batch()
    except StopIteration:
        return b""
    written = pa.BufferOutputStream()
    csv.write_csv(batch, written, csv.WriteOptions(include_header=False, quoting_style="all_valid"))
    return bytes(written.getvalue())


def _comparable(versioned: Versioned, side: str, column: str) -> str:
    """jsonb comes back with spaces, its keys in jsonb's own order (shorter first, then by bytes): write them in that order."""
    value = f"{side}.{column}"
    return f"json({value})::varchar" if column in versioned.json else value


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"select count(*) from {table}").fetchone()
    return int(row[0]) if row else 0
