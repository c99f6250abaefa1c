"""Ends a socket that has fallen silent, where a driver waits for ever."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Self

import sqlalchemy as sa


class StallGuard:
    """Watches one connection. While `waiting()` lasts longer than `seconds`, its socket is shut down, so that the driver's
    wait ends in its own error of a broken connection."""

    def __init__(self, descriptor: int, seconds: float) -> None:
        self._socket = socket.socket(fileno=os.dup(descriptor))
        self._seconds = seconds
        self._since: float | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="stall-guard")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()
        self._socket.close()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._since = None

    def _watch(self) -> None:
        while not self._closed.wait(self._seconds / 4):
            since = self._since
            if since is not None and time.monotonic() - since > self._seconds:
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)
                return


def watched(connection: sa.Connection, seconds: float) -> AbstractContextManager[StallGuard | None]:
    """A guard where the driver shows its socket; the others have a read timeout of their own (`sql._connect_args`)."""
    fileno = getattr(connection.connection.driver_connection, "fileno", None)
    return nullcontext() if fileno is None else StallGuard(fileno(), seconds)


def waiting(guard: StallGuard | None) -> AbstractContextManager[None]:
    return nullcontext() if guard is None else guard.waiting()
