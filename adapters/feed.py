"""What a system says of one of its feeds, and what is asked of a system."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from adapters.protocol import Source
from adapters.transports.patience import Patience
from hub.settings import Connection
from schemas.batch import Layout
from schemas.contract import Contract


@dataclass(frozen=True)
class Feed:
    """`entry` is the source's own name for the feed: a unit number, a table, a resource, an operation."""

    contract: Contract
    transport: str
    layout: Layout
    entry: str

    @property
    def feed_id(self) -> str:
        return self.contract.feed_id


Opener = Callable[[Feed, str, Connection, Patience], Source]


@dataclass(frozen=True)
class System:
    name: str
    feeds: tuple[Feed, ...]
    open: Opener
