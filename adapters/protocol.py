"""The seam between a system's adapter and the road: what is asked of a source, and where it puts bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from schemas.batch import Delivery, LandedObject, Window
from schemas.contract import Contract


class ContentStore(Protocol):
    """Keeps bytes unchanged, addressed by content. `put` consumes the chunks once and returns what it kept."""

    def put(self, name: str, chunks: Iterable[bytes]) -> LandedObject: ...


class LandingSink(ContentStore, Protocol):
    """Where a source lands what it delivers. `put_rows` keeps the files, or the extract, that hold a delivery's rows, all of them
    in order: each is read to its end before the next is asked for."""

    def put_rows(self, objects: Iterable[tuple[str, Iterable[bytes]]]) -> tuple[LandedObject, ...]: ...


class PassingBytes(Protocol):
    """One object's bytes, which may be readable once only. `chunks` are of about `size` where whoever gives them can choose."""

    @property
    def name(self) -> str: ...

    def chunks(self, size: int = 1 << 22, /) -> Iterator[bytes]: ...


class LandedBytes(PassingBytes, Protocol):
    """One landed object, readable again. `local_path` yields a file on this machine (a download where landing is remote)."""

    @property
    def object(self) -> LandedObject: ...

    def local_path(self) -> AbstractContextManager[Path]: ...


@dataclass(frozen=True)
class PullRequest:
    """One feed of one province for one period. `window` is set for incremental feeds only."""

    contract: Contract
    province: str
    period: str
    window: Window | None = None


@dataclass(frozen=True)
class Probe:
    """What `bsshub check` saw: the source's column names for the feed, in its own order. None where it cannot tell
    (a fixed-width file has no header; then the record length is compared instead and `detail` says so)."""

    columns: tuple[str, ...] | None
    detail: str


class Source(Protocol):
    """One system instance of one province, connected.

    `fetch` lands every delivery the sender has for the request: the newest base delivery first, then corrections in resend
    order. Raises NotYetDelivered, RetryLater, RefuseDelivery, FixConnection, FixContract; docs/internals.md, "Sources", says
    when, and which facts they carry. `probe` raises the same.
    """

    def probe(self, contract: Contract) -> Probe: ...

    def fetch(self, request: PullRequest, sink: LandingSink) -> Sequence[Delivery]: ...

    def close(self) -> None: ...
