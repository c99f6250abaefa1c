"""What travels between the steps about one batch: windows, landed objects, deliveries, the row conservation account."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Kind(StrEnum):
    """What a delivery does to the store. The file name's prefix says it; other transports say FULL, INCREMENTAL or EVENT."""

    FULL = "full"
    INITIAL = "initial"
    INCREMENTAL = "incremental"
    EVENT = "event"
    CORRECTION_INSERT = "correction_insert"
    CORRECTION_DELETE = "correction_delete"


class Layout(StrEnum):
    """How a landed object's bytes hold rows."""

    FIXED = "fixed"
    DELIMITED = "delimited"
    CSV = "csv"  # an SQL extract: UTF-8, header, NULL is an unquoted empty field
    JSON_PAGE = "json_page"
    SOAP_PAGE = "soap_page"


class Window(Record):
    """Half open [since, before), both with zone; `since` None means everything before."""

    since: datetime | None
    before: datetime


class LandedObject(Record):
    """One object in landing, addressed by content. `name` is the sender's name for it (a file name, a page)."""

    name: str
    sha256: str
    bytes: int


class ControlTotals(Record):
    """The sender's own sums for this unit and period."""

    rows: int
    amount_fen: int | None


class Delivery(Record):
    """What a source delivered for one feed, province and period: one batch. `objects` hold rows, in order;
    `companions` are kept beside them (check files, control totals).

    `declared_rows` is what the sender said (the check file, the page total); None where the transport says nothing. `replay_of`:
    the batch whose landed bytes are judged once more.
    """

    kind: Kind
    resend: int
    layout: Layout
    objects: tuple[LandedObject, ...]
    companions: tuple[LandedObject, ...] = ()
    declared_rows: int | None = None
    control: ControlTotals | None = None
    window: Window | None = None
    notes: tuple[str, ...] = ()
    replay_of: int | None = None


class Account(Record):
    """Invariant 1, in rows and in fen. Fen count readable amounts; `unreadable` counts rows whose amount could not be read."""

    received: int = 0
    accepted: int = 0
    quarantined: int = 0
    duplicate: int = 0
    refused: int = 0
    received_fen: int = 0
    accepted_fen: int = 0
    quarantined_fen: int = 0
    duplicate_fen: int = 0
    refused_fen: int = 0
    unreadable: int = 0

    @model_validator(mode="after")
    def _nothing_is_lost(self) -> Self:
        if self.received != self.accepted + self.quarantined + self.duplicate + self.refused:
            raise ValueError(f"rows do not add up: {self}")
        if self.received_fen != self.accepted_fen + self.quarantined_fen + self.duplicate_fen + self.refused_fen:
            raise ValueError(f"money does not add up: {self}")
        return self


class LoadCounts(Record):
    """Where accepted rows went: accepted = inserted + updated + unchanged + stale + deleted, in rows and in fen.

    `vanished` counts rows of the store that a full delivery no longer holds; they are no accepted rows.
    """

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    stale: int = 0
    deleted: int = 0
    vanished: int = 0
    inserted_fen: int = 0
    updated_fen: int = 0
    unchanged_fen: int = 0
    stale_fen: int = 0
    deleted_fen: int = 0

    @property
    def accepted(self) -> int:
        return self.inserted + self.updated + self.unchanged + self.stale + self.deleted

    @property
    def accepted_fen(self) -> int:
        return self.inserted_fen + self.updated_fen + self.unchanged_fen + self.stale_fen + self.deleted_fen
