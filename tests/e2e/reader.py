"""A portal that polls `portal_v1` all the time, and notes what it saw under which publication."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from types import TracebackType
from typing import Self

import psycopg
from psycopg import IsolationLevel
from sqlalchemy import make_url

VIEWS = (
    "customer",
    "customer_source",
    "contract",
    "contact",
    "product",
    "resource",
    "product_order",
    "work_order",
    "account",
    "bill",
    "bill_item",
    "payment",
    "production_job",
    "breaks",
)
STAMP = "(select publication_id from portal_v1.publication)"
# Rows and a sum over every row's whole text: another version of one row, or one row more, is another digest.
_DIGEST = "(select count(*) || ':' || coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) from portal_v1.{view} t)"
WHOLE = f"select {STAMP}, " + ", ".join(_DIGEST.format(view=view) for view in VIEWS)

Seen = dict[str, str]
"""View → digest."""


def whole(connection: psycopg.Connection) -> tuple[int | None, Seen]:
    """The publication and every view's digest, in one statement."""
    row = connection.execute(WHOLE).fetchone() or ()
    return row[0], dict(zip(VIEWS, row[1:], strict=True))


def connect(url: str) -> psycopg.Connection:
    """Autocommit: each statement alone, as a portal's connection has it."""
    dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(dsn, autocommit=True)


class Reader:
    """Reads in three ways, in turn: every view in one statement; the views one after another in one REPEATABLE READ
    transaction; and single statements, each with the stamp beside one view's data.

    `seen` is publication → view → the digests seen of it. More than one digest, or another than what the publication shows at
    rest, is a mixture of two nights.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self.seen: dict[int | None, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self.rounds = 0
        self._failure: BaseException | None = None
        self._progress = threading.Condition()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="portal reader", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ending.set()
        self._thread.join()

    def wait_for_rounds(self, more: int = 1) -> None:
        """Until the reader has begun and ended this many more rounds. Raises what ended it."""
        with self._progress:
            aim = self.rounds + more + 1  # the round under way began before now
            self._progress.wait_for(lambda: self.rounds >= aim or self._failure is not None)
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            with connect(self._url) as connection:
                while not self._ending.is_set():
                    begun = time.monotonic()
                    self._round(connection)
                    with self._progress:
                        self.rounds += 1
                        self._progress.notify_all()
                    # Leaves the road half of what the reading takes; nothing depends on how long it is.
                    self._ending.wait(time.monotonic() - begun)
        except BaseException as failure:  # noqa: BLE001  # told to the test, in its thread
            with self._progress:
                self._failure = failure
                self._progress.notify_all()

    def _round(self, connection: psycopg.Connection) -> None:
        stamp, digests = whole(connection)
        for view, digest in digests.items():
            self.seen[stamp][view].add(digest)
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        with connection.transaction():
            [stamp] = connection.execute(f"select {STAMP}").fetchone() or (None,)
            for view in VIEWS:
                [digest] = connection.execute(f"select {_DIGEST.format(view=view)}").fetchone() or ("",)
                self.seen[stamp][view].add(digest)
        connection.isolation_level = None
        for view in VIEWS:
            stamp, digest = connection.execute(f"select {STAMP}, {_DIGEST.format(view=view)}").fetchone() or (None, "")
            self.seen[stamp][view].add(digest)
