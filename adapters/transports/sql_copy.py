"""PostgreSQL's own bulk read: `COPY (SELECT …) TO STDOUT`, streamed as it comes."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import psycopg
import sqlalchemy as sa

from adapters.transports.patience import Patience
from adapters.transports.sql_errors import mapped
from adapters.transports.stall import StallGuard

# libpq hands over one row at a time; they are joined, so that what follows works on pieces worth its while. Joining more
# rows at once takes three times the processor's time, since as many small buffers must be held.
ROWS_A_JOIN = 256
PIECE_BYTES = 1 << 20


@dataclass
class RowCount:
    """Rows of an extract, known once it has been read to its end."""

    rows: int = 0


def can_copy(engine: sa.Engine) -> bool:
    return engine.dialect.name == "postgresql" and engine.dialect.driver == "psycopg"


def copy_out(
    engine: sa.Engine, query: sa.Select[Any], where: str, patience: Patience, count: RowCount
) -> Generator[bytes, None, None]:
    """CSV with header, in the query's order. `count` receives the server's own count of rows.

    Raises RetryLater where the connection breaks or is silent for `read_seconds`; a COPY cannot be resumed, so the caller
    starts it anew.
    """
    text = str(query.compile(dialect=engine.dialect, compile_kwargs={"literal_binds": True}))
    with mapped(where, "read"), engine.connect() as connection:
        connection.execution_options(postgresql_readonly=True)
        connection.exec_driver_sql("SET LOCAL datestyle TO 'ISO'")
        connection.exec_driver_sql("SET LOCAL timezone TO 'Asia/Shanghai'")
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        with StallGuard(driver.fileno(), patience.read_seconds) as guard:
            yield from _pieces(driver, text, guard, count)


def _pieces(driver: psycopg.Connection[tuple[object, ...]], text: str, guard: StallGuard, count: RowCount) -> Iterator[bytes]:
    with driver.cursor() as cursor:
        with cursor.copy(f"COPY ({text}) TO STDOUT (FORMAT csv, HEADER, ENCODING 'UTF8')".encode()) as copy:
            rows = iter(copy)
            piece = bytearray()
            while True:
                with guard.waiting():
                    some = b"".join(islice(rows, ROWS_A_JOIN))
                piece += some
                if piece and (not some or len(piece) >= PIECE_BYTES):
                    yield bytes(piece)
                    piece.clear()
                if not some:
                    break
        count.rows = cursor.rowcount
