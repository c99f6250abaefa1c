"""The orders system's database: its two tables, brought to the state of a night in bulk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    delete,
    func,
    select,
)

from simulator.nights import at_time, day_of
from simulator.views import Row
from simulator.world import World

_CHUNK = 5_000
_METADATA = MetaData()

PRODUCT_ORDER = Table(
    "t_product_order",
    _METADATA,
    Column("order_no", String(20), primary_key=True),
    Column("customer_no", String(12)),
    Column("customer_name", String(200)),
    Column("uscc", String(30)),
    Column("crm_customer_id", String(12)),
    Column("product_id", String(16)),
    Column("offering_code", String(10)),
    Column("service_kind", String(10)),
    Column("action", String(10)),
    Column("state", String(10)),
    Column("channel", String(10)),
    Column("ordered_at", DateTime),
    Column("completed_at", DateTime),
    Column("price_fen", BigInteger),
    Column("updated_at", DateTime, nullable=False),
    Index("i_product_order_updated", "updated_at", "order_no"),
)
WORK_ORDER = Table(
    "t_work_order",
    _METADATA,
    Column("work_order_no", String(20), primary_key=True),
    Column("order_no", String(20)),
    Column("step_no", Integer),
    Column("step_name", String(60)),
    Column("department", String(60)),
    Column("owner_name", String(40)),
    Column("state", String(10)),
    Column("due_rule_at", DateTime),
    Column("due_promised_at", DateTime),
    Column("due_contract_at", DateTime),
    Column("governing_deadline", String(10)),
    Column("started_at", DateTime),
    Column("finished_at", DateTime),
    Column("updated_at", DateTime, nullable=False),
    Index("i_work_order_updated", "updated_at", "work_order_no"),
)
_TABLES = {"orders.product_order": PRODUCT_ORDER, "orders.work_order": WORK_ORDER}


def apply(world: World, night: str, province: str, url: str) -> None:
    """Creates the tables where they are missing and brings them to the end of a night, in one transaction.

    Only rows touched since the newest one there are written; going back to an earlier night writes all. The database must hold
    this world's rows of this province, or none. PostgreSQL is filled by COPY, others by executemany.
    """
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            _METADATA.create_all(connection)
            latest = _latest(connection)
            going_back = latest is not None and latest >= at_time(day_of(night) + timedelta(days=1), 0)
            for feed, table in _TABLES.items():
                rows = world.stream(feed, province, night)
                if latest is None or going_back:
                    connection.execute(delete(table))
                    _insert(connection, table, rows)
                else:
                    _replace(connection, table, [row for row in rows if _touched(row) > latest])
    finally:
        engine.dispose()


def _touched(row: Row) -> datetime:
    moment = row["updated_at"]
    if not isinstance(moment, datetime):
        raise TypeError(f"updated_at {moment!r} is not a time")
    return moment


def _latest(connection: Connection) -> datetime | None:
    found = [connection.execute(select(func.max(table.c.updated_at))).scalar() for table in _TABLES.values()]
    return max((moment for moment in found if moment is not None), default=None)


def _replace(connection: Connection, table: Table, rows: list[Row]) -> None:
    key = next(iter(table.primary_key.columns))
    for chunk in _chunks(rows):
        connection.execute(delete(table).where(key.in_([row[key.name] for row in chunk])))
    _insert(connection, table, rows)


def _insert(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    if connection.dialect.name == "postgresql" and connection.dialect.driver == "psycopg":
        _copy(connection, table, rows)
        return
    for chunk in _chunks(rows):
        connection.execute(table.insert(), chunk)


def _copy(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    driver = connection.connection.driver_connection
    if driver is None:
        raise RuntimeError("the pooled connection is closed")
    columns = ", ".join(column.name for column in table.columns)
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([row[column.name] for column in table.columns])


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk
