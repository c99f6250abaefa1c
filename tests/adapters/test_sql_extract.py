"""Both ways out of a database give the same bytes, in the same order, within the same window."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from adapters.protocol import PullRequest
from adapters.transports import sql_pages
from adapters.transports.sql import SqlSource, url_of
from hub.errors import FixConnection
from hub.periods import SHANGHAI
from hub.settings import Connection
from schemas.batch import Window
from schemas.contracts.orders import PRODUCT_ORDER
from tests.adapters.orders_table import START, awkward_orders, fill, order
from tests.adapters.sinks import DirectorySink
from tests.adapters.standard import SECRET, patient

WINDOWS = [None, Window(since=None, before=(START + timedelta(seconds=300)).replace(tzinfo=SHANGHAI))]
WINDOWS.append(Window(since=(START + timedelta(seconds=100)).replace(tzinfo=SHANGHAI), before=WINDOWS[1].before))  # type: ignore[union-attr]


def connection_of(url: str) -> Connection:
    parsed = sa.make_url(url)
    extra: dict[str, object] = {name: value for name, value in parsed.query.items() if isinstance(value, str)}
    return Connection("bss_orders_gd", parsed.drivername, login=parsed.username or "", schema=parsed.database or "", extra=extra)


def sqlite_connection(path: Path) -> Connection:
    return Connection("bss_orders_gd", "sqlite", schema=str(path))


def extract(connection: Connection, root: Path, window: Window | None, *, portable: bool = False) -> tuple[bytes, int | None]:
    sink = DirectorySink(root / "landing")
    source = SqlSource(connection, "t_product_order", patient([]), portable=portable)
    (delivery,) = source.fetch(PullRequest(PRODUCT_ORDER, "gd", "20260201", window), sink)
    source.close()
    return sink.contents(delivery)[0], delivery.declared_rows


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_pages, "PAGE_ROWS", 70)
    monkeypatch.setattr(sql_pages, "PART_ROWS", 30)


@pytest.mark.postgres
@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("window", WINDOWS, ids=["all", "before", "between"])
def test_copy_pages_and_sqlite_give_the_same_bytes(
    new_database: Callable[..., str], tmp_path: Path, window: Window | None
) -> None:
    rows = awkward_orders(seed=7, count=500)
    url = new_database()
    fill(url, rows)
    fill(f"sqlite:///{tmp_path / 'orders.db'}", rows)
    copied = extract(connection_of(url), tmp_path, window)
    assert extract(connection_of(url), tmp_path, window, portable=True) == copied
    assert extract(sqlite_connection(tmp_path / "orders.db"), tmp_path, window) == copied
    assert read_back(copied[0]) == expected(rows, window)
    assert copied[1] == len(expected(rows, window))


def read_back(content: bytes) -> list[str]:
    return [row["order_no"] for row in csv.DictReader(io.StringIO(content.decode(), newline=""))]


def expected(rows: list[dict[str, Any]], window: Window | None) -> list[str]:
    """By key; in a window by (version, key), where rows without a version belong to every window, and come last."""
    if window is None:
        return sorted(row["order_no"] for row in rows)

    def inside(moment: datetime | None) -> bool:
        if moment is None:
            return True
        placed = moment.replace(tzinfo=SHANGHAI)
        return (window.since is None or window.since <= placed) and placed < window.before

    chosen = [row for row in rows if inside(row["updated_at"])]
    chosen.sort(key=lambda row: (row["updated_at"] is None, row["updated_at"] or START, row["order_no"]))
    return [row["order_no"] for row in chosen]


def test_null_and_empty_text_stay_apart(tmp_path: Path) -> None:
    fill(f"sqlite:///{tmp_path / 'orders.db'}", [order(1, customer_name="", uscc=None)])
    content, _ = extract(sqlite_connection(tmp_path / "orders.db"), tmp_path, None)
    assert b'PO000001,C1,"",,CU1,' in content


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("count", [0, 1, 70, 140, 141])
def test_a_table_of_whole_pages_is_read_to_its_end(tmp_path: Path, count: int) -> None:
    rows = [order(number) for number in range(count)]
    fill(f"sqlite:///{tmp_path / 'orders.db'}", rows or [order(0)])
    if not rows:
        engine = sa.create_engine(f"sqlite:///{tmp_path / 'orders.db'}")
        with engine.begin() as connection:
            connection.exec_driver_sql("delete from t_product_order")
    content, declared = extract(sqlite_connection(tmp_path / "orders.db"), tmp_path, None)
    assert read_back(content) == [row["order_no"] for row in rows]
    assert declared == count


@pytest.mark.parametrize(
    ("conn_type", "driver"),
    [
        ("postgres", "postgresql+psycopg"),
        ("mysql", "mysql+pymysql"),
        ("oracle", "oracle+oracledb"),
        ("mssql+pyodbc", "mssql+pyodbc"),
    ],
)
def test_a_connection_becomes_a_url(conn_type: str, driver: str) -> None:
    extra: dict[str, object] = {"charset": "utf8mb4", "table_schema": "BSS", "number": 1}
    url = url_of(Connection("bss_orders_gd", conn_type, "db", 1521, "hub", SecretStr(SECRET), "orders", extra))
    assert (url.drivername, url.host, url.port, url.database, dict(url.query)) == (
        driver,
        "db",
        1521,
        "orders",
        {"charset": "utf8mb4"},
    )
    assert SECRET not in str(url)


@pytest.mark.parametrize("conn_type", ["nosuchdb", "mysql+nosuchdriver", ""])
def test_a_driver_that_is_not_there_is_a_connection_to_fix(conn_type: str) -> None:
    with pytest.raises(FixConnection) as caught:
        SqlSource(Connection("bss_orders_gd", conn_type, "db", password=SecretStr(SECRET)), "t_product_order", patient([]))
    assert SECRET not in str(caught.value)


def test_a_missing_sqlite_file_is_a_connection_to_fix(tmp_path: Path) -> None:
    source = SqlSource(sqlite_connection(tmp_path / "no" / "orders.db"), "t_product_order", patient([]))
    with pytest.raises(FixConnection):
        source.probe(PRODUCT_ORDER)


@pytest.mark.parametrize("dialect", ["mysql", "oracle", "sqlite", "postgresql"])
def test_a_page_is_written_in_every_dialect(dialect: str) -> None:
    table = sa.Table("t", sa.MetaData(), sa.Column("k", sa.String(20)), sa.Column("v", sa.DateTime, nullable=False))
    page = sql_pages.Extract((table.c.k, table.c.v), table.c.v, (table.c.k,), None)
    compiled = str(
        page.page(sql_pages.Position(False, (START, "A"))).compile(dialect=sa.create_mock_engine(f"{dialect}://", None).dialect)
    )
    assert "ORDER BY" in compiled
    assert " OR " in compiled
