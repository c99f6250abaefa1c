"""Databases, reached by URL only (docs/interfaces.md, "Database"). One table, one canonical CSV extract, in key order.

PostgreSQL by psycopg streams its own `COPY`; every other dialect (MySQL, MariaDB, Oracle, SQLite …) is read in keyset pages.
Both write the same bytes. connectorx was weighed for the others and left out: it reads a whole query or cuts it by an integer
key, so a read that breaks could not go on where it broke.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from typing import Any

import sqlalchemy as sa
from sqlalchemy import types

from adapters.drift import Carries, check_columns
from adapters.protocol import LandingSink, Probe, PullRequest
from adapters.transports.paging import KINDS
from adapters.transports.patience import Patience
from adapters.transports.sql_copy import RowCount, can_copy, copy_out
from adapters.transports.sql_errors import mapped
from adapters.transports.sql_pages import Extract, PagedRead
from adapters.transports.stall import waiting, watched
from hub.errors import FixConnection, FixContract
from hub.settings import Connection
from schemas.batch import Delivery, LandedObject, Layout
from schemas.contract import Contract, Type

# Airflow's own connection types; any other conn_type is taken as a SQLAlchemy driver name as it stands.
DRIVER_NAMES = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "oracle": "oracle+oracledb",
}
OWN_EXTRAS = frozenset({"table_schema"})
_AMOUNTS: tuple[type[types.TypeEngine[Any]], ...] = (types.Integer, types.Numeric)
FAMILIES: Mapping[Type, tuple[type[types.TypeEngine[Any]], ...]] = {
    Type.TEXT: (types.String,),
    Type.CODE: (types.String, *_AMOUNTS),
    Type.INTEGER: _AMOUNTS,
    Type.FEN: _AMOUNTS,
    Type.YUAN: (types.Numeric, types.String),
    Type.DATE: (types.Date, types.DateTime),
    Type.TIMESTAMP: (types.DateTime,),
    Type.BOOLEAN: (types.Boolean, *_AMOUNTS),
}


class SqlSource:
    """One table. `portable` forces the keyset path where the database has a faster one (the tests compare the two)."""

    def __init__(self, connection: Connection, table: str, patience: Patience, *, portable: bool = False) -> None:
        self._where = f"{connection} {table}"
        self._table = table
        self._schema = str(connection.extra["table_schema"]) if "table_schema" in connection.extra else None
        self._patience = patience
        with mapped(self._where, "prepare the connection"):
            url = url_of(connection)
            self._engine = sa.create_engine(
                url, poolclass=sa.NullPool, hide_parameters=True, connect_args=_connect_args(url, patience)
            )
        self._copies = can_copy(self._engine) and not portable

    def probe(self, contract: Contract) -> Probe:
        table = self._patience.call(lambda: self._reflect(contract))
        return Probe(tuple(column.name.lower() for column in table.columns), "columns as agreed")

    def fetch(self, request: PullRequest, sink: LandingSink) -> Sequence[Delivery]:
        contract = request.contract
        table = self._patience.call(lambda: self._reflect(contract))
        extract = _extract(table, request)
        count = RowCount()
        kept = self._land(extract, sink, count)
        return [
            Delivery(
                kind=KINDS[contract.mode],
                resend=0,
                layout=Layout.CSV,
                objects=(kept,),
                declared_rows=count.rows,
                window=request.window,
            )
        ]

    def close(self) -> None:
        self._engine.dispose()

    def _land(self, extract: Extract, sink: LandingSink, count: RowCount) -> LandedObject:
        if not self._copies:
            read = PagedRead(self._engine, extract, self._where, self._patience, count)
            return self._put(sink, read.chunks())
        query = extract.whole()
        return self._patience.call(lambda: self._put(sink, copy_out(self._engine, query, self._where, self._patience, count)))

    def _put(self, sink: LandingSink, chunks: Generator[bytes, None, None]) -> LandedObject:
        # Closed here and now: a landing that fails must not leave a query running at the source.
        with closing(chunks):
            return sink.put_rows([(f"{self._table}.csv", chunks)])[0]

    def _reflect(self, contract: Contract) -> sa.Table:
        """The table as the database describes it, its columns held against the contract (names, then kinds of type)."""
        seconds = self._patience.read_seconds
        with (
            mapped(self._where, "describe the table"),
            self._engine.connect() as connection,
            watched(connection, seconds) as guard,
            waiting(guard),
        ):
            try:
                table = sa.Table(self._table, sa.MetaData(), schema=self._schema, autoload_with=connection, resolve_fks=False)
            except sa.exc.NoSuchTableError:
                raise FixContract(f"{self._where}: no such table", where=self._where, feed=contract.feed_id) from None
        check_columns(contract, (column.name.lower() for column in table.columns), where=self._where, carries=Carries.ALL)
        _check_types(contract, table, self._where)
        return table


def url_of(connection: Connection) -> sa.URL:
    """conn_type is the driver name, schema the database; text in extra goes to the driver as the URL's query."""
    if not connection.conn_type:
        raise FixConnection(f"{connection}: conn_type is empty; give a SQLAlchemy driver name", conn_id=connection.conn_id)
    query = {name: value for name, value in connection.extra.items() if isinstance(value, str) and name not in OWN_EXTRAS}
    return sa.URL.create(
        DRIVER_NAMES.get(connection.conn_type, connection.conn_type),
        username=connection.login or None,
        password=connection.password.get_secret_value() or None,
        host=connection.host or None,
        port=connection.port,
        database=connection.schema or None,
        query=query,
    )


def _connect_args(url: sa.URL, patience: Patience) -> dict[str, object]:
    """Each driver's own names for the same waits."""
    connect, read = max(1, round(patience.connect_seconds)), max(1, round(patience.read_seconds))
    keep_alive = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
    postgres: dict[str, object] = {"connect_timeout": max(2, connect), "client_encoding": "UTF8", **keep_alive}
    mysql: dict[str, object] = {"connect_timeout": connect, "read_timeout": read, "write_timeout": read}
    known: dict[str, Callable[[], dict[str, object]]] = {
        "psycopg": lambda: postgres,
        "psycopg2": lambda: postgres,
        "pymysql": lambda: mysql,
        "mysqldb": lambda: mysql,
        "oracledb": lambda: {"tcp_connect_timeout": float(connect)},
        "pysqlite": lambda: {"timeout": float(read)},
    }
    driver = url.get_dialect()().driver
    return known[driver]() if driver in known else {}


def _extract(table: sa.Table, request: PullRequest) -> Extract:
    contract = request.contract
    by_name = {column.name.lower(): column for column in table.columns}

    def named(name: str) -> sa.Column[object]:
        return by_name[contract.column(name).source]

    return Extract(
        columns=tuple(by_name[column.source] for column in contract.columns),
        # Without a window the version decides nothing: key order is the order rows were once written in, and quicker to read.
        version=named(contract.version) if contract.version and request.window else None,
        key=tuple(named(name) for name in contract.key),
        window=request.window,
    )


def _check_types(contract: Contract, table: sa.Table, where: str) -> None:
    found = {column.name.lower(): column.type for column in table.columns}
    changed = {
        column.source: str(found[column.source]) for column in contract.columns if not _fits(found[column.source], column.type)
    }
    if changed:
        listed = ", ".join(f"{name} is {kind}" for name, kind in changed.items())
        what = f"{where}: types differ from the contract {contract.feed_id}: {listed}"
        raise FixContract(what, where=where, feed=contract.feed_id, changed=changed)


def _fits(found: types.TypeEngine[Any], agreed: Type) -> bool:
    zoned = isinstance(found, types.DateTime) and found.timezone
    return isinstance(found, FAMILIES[agreed]) and not zoned
