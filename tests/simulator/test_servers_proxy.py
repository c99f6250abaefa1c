"""The proxy before a database, with a real PostgreSQL behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import URL

from simulator.servers.faults import Fault, FaultBoard, FaultKind
from simulator.servers.proxy import DatabaseProxy, database_address

pytestmark = pytest.mark.postgres


@pytest.fixture
def proxied(new_database: Callable[..., str]) -> Iterator[tuple[str, FaultBoard, DatabaseProxy]]:
    board = FaultBoard()
    proxy = DatabaseProxy(new_database(), board, province="gd")
    proxy.start()
    try:
        yield libpq(proxy.proxied()), board, proxy
    finally:
        proxy.stop()


def libpq(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


ROWS = "select repeat('x', 1000) from generate_series(1, 2000)"


def test_rows_pass_unchanged(proxied: tuple[str, FaultBoard, DatabaseProxy]) -> None:
    with psycopg.connect(proxied[0], connect_timeout=20) as connection:
        assert connection.execute("select count(*), sum(length(repeat)) from (" + ROWS + ") r").fetchone() == (2000, 2_000_000)
        assert len(connection.execute(ROWS).fetchall()) == 2000


def test_the_connection_breaks_amid_a_read_once(proxied: tuple[str, FaultBoard, DatabaseProxy]) -> None:
    url, board, _ = proxied
    number = board.add(Fault(FaultKind.DROP_CONNECTION, "orders", "gd", after_bytes=500_000))
    with psycopg.connect(url, connect_timeout=20) as connection:
        connection.execute("select 1")
        assert board.struck(number) == 0
        rows = connection.cursor().stream(ROWS)
        assert next(rows) == ("x" * 1000,)
        with pytest.raises(psycopg.OperationalError):
            list(rows)
    assert board.struck(number) == 1
    with psycopg.connect(url, connect_timeout=20) as connection:
        assert len(connection.execute(ROWS).fetchall()) == 2000


def test_it_breaks_a_connection_that_was_open_before_the_fault(proxied: tuple[str, FaultBoard, DatabaseProxy]) -> None:
    url, board, _ = proxied
    with psycopg.connect(url, connect_timeout=20) as connection:
        connection.execute(ROWS)
        board.add(Fault(FaultKind.DROP_CONNECTION, "orders"))
        with pytest.raises(psycopg.OperationalError):
            connection.execute(ROWS)


def test_a_stopped_proxy_refuses_and_ends_what_is_open(proxied: tuple[str, FaultBoard, DatabaseProxy]) -> None:
    url, _, proxy = proxied
    with psycopg.connect(url, connect_timeout=20) as connection:
        proxy.stop()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url, connect_timeout=5)


def test_addresses() -> None:
    assert database_address("postgresql+psycopg://u:p@db.example/orders") == ("db.example", 5432)
    assert database_address("postgresql+psycopg://u@/orders?host=/run/pg&port=6000") == Path("/run/pg/.s.PGSQL.6000")
    with pytest.raises(ValueError, match="without a host"):
        database_address("sqlite:///orders.db")
