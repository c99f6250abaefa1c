"""PostgreSQL's own bulk read: `COPY (SELECT …) TO STDOUT`, streamed as it comes.

The rows are taken from libpq's buffer by psycopg's own binding of it: `Cursor.copy` waits anew for every row, and of millions of
rows that alone costs as much as receiving them.
"""

from __future__ import annotations

import select
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import errors, pq
from psycopg.pq.abc import PGconn, PGresult

from adapters.transports.patience import Patience
from adapters.transports.sql_errors import mapped

PIECE_BYTES = 1 << 20
CANCEL_WITHIN_SECONDS = 5


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
        try:
            yield from _Copying(driver.pgconn, patience.read_seconds, count).pieces(text)
        except BaseException:
            _leave(connection, driver)
            raise


def _leave(connection: sa.Connection, driver: psycopg.Connection[Any]) -> None:
    """A connection in the middle of a COPY is good for nothing else, and what the server still does is for nobody."""
    try:
        if driver.pgconn.transaction_status == pq.TransactionStatus.ACTIVE:
            with suppress(psycopg.Error):
                driver.cancel_safe(timeout=CANCEL_WITHIN_SECONDS)
    finally:
        connection.invalidate()


@dataclass(frozen=True)
class _Copying:
    """One COPY, over a connection that psycopg keeps from blocking: all waiting is `_wait`'s, so no wait is without end."""

    libpq: PGconn
    read_seconds: float
    count: RowCount
    readiness: select.poll = field(default_factory=select.poll)

    def pieces(self, query: str) -> Iterator[bytes]:
        self.libpq.send_query(f"COPY ({query}) TO STDOUT (FORMAT csv, HEADER, ENCODING 'UTF8')".encode())
        self.readiness.register(self.libpq.socket, select.POLLIN | select.POLLOUT)
        while self.libpq.flush():
            self._wait()
        self.readiness.modify(self.libpq.socket, select.POLLIN)
        self._expect(self._result(), pq.ExecStatus.COPY_OUT)
        piece = bytearray()
        for size, row in map(self.libpq.get_copy_data, repeat(1)):
            if size > 0:
                piece += row
            elif size == 0:  # all that has come is taken, which is little at a time
                if len(piece) >= PIECE_BYTES:
                    yield bytes(piece)
                    piece.clear()
                self._wait()
            else:
                break
        if piece:
            yield bytes(piece)
        copied = self._expect(self._result(), pq.ExecStatus.COMMAND_OK).command_tuples
        while self._result() is not None:
            pass
        if copied is None:
            raise psycopg.OperationalError("the server does not say how many rows it sent")
        self.count.rows = copied

    def _wait(self) -> None:
        if not self.readiness.poll(self.read_seconds * 1000):
            raise psycopg.OperationalError(f"the server says nothing for {self.read_seconds} seconds")
        self.libpq.consume_input()

    def _result(self) -> PGresult | None:
        while self.libpq.is_busy():
            self._wait()
        return self.libpq.get_result()

    def _expect(self, result: PGresult | None, status: pq.ExecStatus) -> PGresult:
        if result is None or self.libpq.status != pq.ConnStatus.OK:
            raise psycopg.OperationalError("the connection broke")
        if result.status != status:
            raise errors.error_from_result(result)
        return result
