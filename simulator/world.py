"""One seeded world and the views its systems show of it. The layout of every row is that of `docs/interfaces.md`."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator

from simulator import catalogue, clientele, contradictions, events, fulfilment, planting, repricing, spoil
from simulator.book import Book, Injected
from simulator.charges import Bill
from simulator.dirt import DirtRates
from simulator.firms import FirmMaker
from simulator.nights import BASE_NIGHT, FIRST_NIGHT, night_index
from simulator.views import KEYS, ROW_FEEDS, Row, version_column

PROVINCES = ("gd", "js")
DEFAULT_DIRT = DirtRates()
_CACHED_ROWS = 600_000

__all__ = ["BASE_NIGHT", "DEFAULT_DIRT", "FIRST_NIGHT", "PROVINCES", "World"]


class World:
    """The truth, and each system's view of it, for every night (Shanghai date) from `FIRST_NIGHT` on.

    The same seed, size and rates give the same bytes on any run. Safe to read from several threads.
    """

    provinces = PROVINCES

    def __init__(self, seed: int = 20260305, customers: int = 2000, dirt: DirtRates = DEFAULT_DIRT) -> None:
        self.seed = seed
        self.customers = customers
        self.dirt = dirt
        self._lock = threading.RLock()
        self._cache: OrderedDict[tuple[str, str, int], list[Row]] = OrderedDict()
        self._passed = 0
        self.bill_totals: dict[tuple[str, str], dict[str, tuple[str, int]]] = {}
        self.kept_bills: dict[tuple[str, str], list[Bill]] = {}
        self._maker = FirmMaker(seed, dirt)
        self.books = {p: Book(p, seed, dirt) for p in PROVINCES}
        self.firms = self._maker.population(customers)
        clientele.settle(self.books, self.firms)
        catalogue.stock(self.books, customers)
        for book in self.books.values():
            contradictions.pin(book)
            fulfilment.fulfil(book)
            planting.plant(book)
            repricing.reprice(book)
            spoil.break_rows(book, 0)

    def reach(self, night: str) -> int:
        """Lets every night up to this one happen and gives its number. Raises ValueError before `FIRST_NIGHT`."""
        index = night_index(night)
        with self._lock:
            while self._passed < index:
                events.pass_night(self.books, self._maker, self._passed + 1)
                for book in self.books.values():
                    spoil.break_rows(book, self._passed + 1)
                self._passed += 1
        return index

    def rows(self, feed: str, province: str, night: str) -> list[dict[str, object]]:
        """State of one feed (`crm.*`, `group.*`, `orders.*`) at the end of a night, sorted by (updated_at, key).

        crm and group rows hold JSON-able values in the source's form; orders rows hold Python str, int, datetime, None.
        Broken rows and repeats are among them. Raises KeyError for another feed. Do not change the rows.
        """
        return list(self._shown(feed, province, night))

    def injected(self, feed: str, province: str, night: str) -> list[Injected]:
        """The broken rows and repeats among `rows`, by key."""
        index = self.reach(night)
        return sorted(spoil.injected(self.books[province], feed, index), key=lambda i: (i.key, i.kind, i.detail))

    def stream(self, feed: str, province: str, night: str) -> Iterator[Row]:
        """The rows of `rows`, unsorted, without keeping them."""
        index = self.reach(night)
        yield from spoil.spoiled_rows(self.books[province], feed, index)

    def _shown(self, feed: str, province: str, night: str) -> list[Row]:
        if feed not in ROW_FEEDS:
            raise KeyError(f"{feed}: row feeds are {', '.join(ROW_FEEDS)}")
        index = self.reach(night)
        with self._lock:
            cached = self._cache.get((feed, province, index))
            if cached is None:
                version, key = version_column(feed), KEYS[feed]
                cached = list(spoil.spoiled_rows(self.books[province], feed, index))
                cached.sort(key=lambda row: (str(row[version]), str(row[key])))
                self._cache[feed, province, index] = cached
                self._shrink()
            self._cache.move_to_end((feed, province, index))
        return cached

    def _shrink(self) -> None:
        """Forgets the rows read longest ago once too many are kept; the newest always stay."""
        kept = sum(len(rows) for rows in self._cache.values())
        while kept > _CACHED_ROWS and len(self._cache) > 1:
            kept -= len(self._cache.popitem(last=False)[1])
