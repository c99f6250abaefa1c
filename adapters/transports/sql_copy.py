"""PostgreSQL's own bulk read: `COPY (SELECT …) TO STDOUT`, streamed as it comes.

The rows are taken from libpq's buffer by psycopg's own binding of it: `Cursor.copy` waits anew for every row, and of millions of
rows that alone costs as much as receiving them.
"""

from __future__ import annotations

import select
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import errors, pq
from psycopg.pq.abc import PGconn, PGresult

from adapters.transports.patience import Patience
from adapters.transports.sql_errors import mapped
from adapters.transports.stall import StallGuard

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
        with StallGuard(driver.fileno(), patience.read_seconds) as guard:
            try:
                yield from _Copying(driver.pgconn, guard, count).pieces(text)
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
    """One COPY, over a connection that psycopg keeps from blocking: all waiting is `_wait`'s, where the guard sees it."""

    libpq: PGconn
    guard: StallGuard
    count: RowCount

    def pieces(self, query: str) -> Iterator[bytes]:
        self.libpq.send_query(f"COPY ({query}) TO STDOUT (FORMAT csv, HEADER, ENCODING 'UTF8')".encode())
        while self.libpq.flush():
            self._wait(select.POLLIN | select.POLLOUT)
        self._expect(self._result(), pq.ExecStatus.COPY_OUT)
        piece = bytearray()
        while (size_and_row := self.libpq.get_copy_data(1))[0] >= 0:
            if not size_and_row[0]:
                self._wait()
                continue
            piece += size_and_row[1]
            if len(piece) >= PIECE_BYTES:
                yield bytes(piece)
                piece.clear()
        if piece:
            yield bytes(piece)
        copied = self._expect(self._result(), pq.ExecStatus.COMMAND_OK).command_tuples
        while self._result() is not None:
            pass
        if copied is None:
            raise psycopg.OperationalError("the server does not say how many rows it sent")
        self.count.rows = copied

    def _wait(self, events: int = select.POLLIN) -> None:
        readiness = select.poll()
        readiness.register(self.libpq.socket, events)
        with self.guard.waiting():
            readiness.poll()
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
