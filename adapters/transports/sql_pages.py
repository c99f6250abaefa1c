"""The portable bulk read: keyset pages in SQLAlchemy Core, no vendor's SQL, a server-side cursor a page."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from adapters.transports import csv_text
from adapters.transports.patience import Patience
from adapters.transports.sql_copy import RowCount
from adapters.transports.sql_errors import mapped
from adapters.transports.stall import StallGuard, waiting, watched
from hub.periods import SHANGHAI
from schemas.batch import Window

PAGE_ROWS = 100_000
PART_ROWS = 10_000

Row = Sequence[object]
Query = sa.Select[Any]


@dataclass(frozen=True)
class Extract:
    """One table's columns, in the contract's order; by key, or by version and key within a window of the version column.

    Rows whose version is missing come last: no window would ever hold them, and none may be dropped unseen.
    """

    columns: tuple[sa.Column[object], ...]
    version: sa.Column[object] | None
    key: tuple[sa.Column[object], ...]
    window: Window | None

    @property
    def names(self) -> list[str]:
        return [column.name.lower() for column in self.columns]

    @property
    def order(self) -> tuple[sa.Column[object], ...]:
        return self.key if self.version is None else (self.version, *self.key)

    @property
    def has_undated(self) -> bool:
        return self.version is not None and bool(self.version.nullable)

    def whole(self) -> Query:
        """Every row in one statement, for a database that sorts NULL last (PostgreSQL)."""
        condition = sa.or_(self._dated(), self._undated()) if self.has_undated else self._dated()
        return self._selected().where(condition).order_by(*self.order)

    def page(self, position: Position) -> Query:
        order = self.key if position.undated else self.order
        query = self._selected().where(self._undated() if position.undated else self._dated())
        if position.after is not None:
            query = query.where(_later(order, position.after))
        return query.order_by(*order).limit(PAGE_ROWS)

    def position_of(self, row: Row, *, undated: bool) -> Position:
        order = self.key if undated else self.order
        places = [self.columns.index(column) for column in order]
        return Position(undated, tuple(row[place] for place in places))

    def _selected(self) -> Query:
        columns: Sequence[Any] = self.columns
        return sa.select(*columns)

    def _dated(self) -> sa.ColumnElement[bool]:
        if self.version is None:
            return sa.true()
        conditions: list[sa.ColumnElement[bool]] = [self.version.is_not(None)] if self.has_undated else []
        if self.window is not None:
            since, before = self.window.since, self.window.before
            conditions += [self.version >= since.astimezone(SHANGHAI).replace(tzinfo=None)] if since else []
            conditions += [self.version < before.astimezone(SHANGHAI).replace(tzinfo=None)]
        return sa.and_(sa.true(), *conditions)

    def _undated(self) -> sa.ColumnElement[bool]:
        assert self.version is not None
        return self.version.is_(None)


@dataclass(frozen=True)
class Position:
    """After which row to go on; rows without a version are read last."""

    undated: bool = False
    after: tuple[object, ...] | None = None


@dataclass(frozen=True)
class PagedRead:
    """One extract read page by page. `count` receives the rows the driver handed over."""

    engine: sa.Engine
    extract: Extract
    where: str
    patience: Patience
    count: RowCount

    def chunks(self) -> Generator[bytes, None, None]:
        """The same bytes as `copy_out`. A connection that breaks is opened anew and the read goes on after the last row."""
        yield csv_text.header(self.extract.names)
        yield from self.patience.stream(self._from_position, Position())

    def _from_position(self, position: Position) -> Iterator[tuple[bytes, Position]]:
        with (
            mapped(self.where, "read"),
            self.engine.connect() as connection,
            watched(connection, self.patience.read_seconds) as guard,
        ):
            while True:
                rows_of_page = 0
                for part in self._parts(connection, self.extract.page(position), guard):
                    rows_of_page += len(part)
                    position = self.extract.position_of(part[-1], undated=position.undated)
                    self.count.rows += len(part)
                    yield csv_text.lines([csv_text.column(values) for values in zip(*part, strict=True)]), position
                if rows_of_page == PAGE_ROWS:
                    continue
                if position.undated or not self.extract.has_undated:
                    return
                position = Position(undated=True)

    def _parts(self, connection: sa.Connection, query: Query, guard: StallGuard | None) -> Iterator[Sequence[Row]]:
        with waiting(guard):
            result = connection.execution_options(stream_results=True, max_row_buffer=PART_ROWS).execute(query)
        with result:
            while True:
                with waiting(guard):
                    part = result.fetchmany(PART_ROWS)
                if not part:
                    return
                yield part


def _later(order: Sequence[sa.Column[object]], after: Row) -> sa.ColumnElement[bool]:
    """(a, b) > (x, y), written out: not every database compares rows."""
    first, *rest = order
    value, *others = after
    if not rest:
        return first > value
    return sa.or_(first > value, sa.and_(first == value, _later(rest, others)))
