"""What a system shows on one night, and the part of it that a query with a time window matches."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Protocol

Row = dict[str, Any]


class SourceWorld(Protocol):
    """The world as the servers need it: rows in the source's own form, sorted by (time of update, key)."""

    def rows(self, feed: str, province: str, night: str) -> Sequence[Row]: ...


@dataclass(frozen=True)
class Snapshot:
    rows: Sequence[Row]
    moments: Sequence[datetime]

    def window(self, since: datetime | None, before: datetime | None) -> range:
        """Positions of the rows with since <= updated < before; an absent bound does not bind."""
        first = 0 if since is None else bisect_left(self.moments, since)
        last = len(self.rows) if before is None else bisect_left(self.moments, before)
        return range(first, max(first, last))


class Snapshots:
    """The last few snapshots asked for; a page of a running pull must not cost a new walk of the world."""

    _KEPT = 24

    def __init__(self, world: SourceWorld, moment: Callable[[Row], datetime]) -> None:
        self._world = world
        self._moment = moment
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str, str], Snapshot] = OrderedDict()

    def get(self, feed: str, province: str, night: str) -> Snapshot:
        """Raises ValueError where the world's rows are not sorted by time: a page boundary would lose rows."""
        with self._lock:
            key = (feed, province, night)
            if key not in self._kept:
                self._kept[key] = self._make(feed, province, night)
            self._kept.move_to_end(key)
            while len(self._kept) > self._KEPT:
                self._kept.popitem(last=False)
            return self._kept[key]

    def _make(self, feed: str, province: str, night: str) -> Snapshot:
        rows = self._world.rows(feed, province, night)
        moments = [self._moment(row) for row in rows]
        if any(later < earlier for earlier, later in pairwise(moments)):
            raise ValueError(f"rows of {feed} {province} {night} are not sorted by time of update")
        return Snapshot(rows, moments)
