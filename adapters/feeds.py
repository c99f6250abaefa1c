"""The one list of feeds. A new feed is a contract, an entry in its system's file, and a golden case."""

from __future__ import annotations

from adapters import billing, crm, group, orders
from adapters.feed import Feed, System
from adapters.protocol import Source
from adapters.transports.patience import Patience
from hub.errors import NotFound
from hub.settings import Connection

PROVINCES = ("gd", "js")
SYSTEMS: dict[str, System] = {room.SYSTEM.name: room.SYSTEM for room in (billing, orders, crm, group)}
FEEDS: dict[str, Feed] = {feed.feed_id: feed for system in SYSTEMS.values() for feed in system.feeds}


def feed_of(feed_id: str) -> Feed:
    """Raises NotFound, which lists the feeds there are."""
    if feed_id not in FEEDS:
        raise NotFound(f"no feed {feed_id!r}; known: {', '.join(FEEDS)}", feed_id=feed_id)
    return FEEDS[feed_id]


def open_source(feed_id: str, province: str, connection: Connection, patience: Patience | None = None) -> Source:
    """The source of one feed in one province. Nothing is connected until it is asked for something.

    Raises NotFound for an unknown feed or province, FixConnection where the connection cannot be one of this system's.
    """
    feed = feed_of(feed_id)
    if province not in PROVINCES:
        raise NotFound(f"no province {province!r}; known: {', '.join(PROVINCES)}", province=province)
    return SYSTEMS[feed.contract.system].open(feed, province, connection, patience or Patience())
