"""Staging while landing: where a delivery is one object, it is staged as it passes, in the time the hub waits for its source.

Landing alone decides what came. What is staged ahead is found again by the hash of what landed, and may be missing: staging that
fails here leaves nothing, and the gate, which then stages what landed, says what is wrong with it.
"""

from __future__ import annotations

import logging
import shutil
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue

from adapters.protocol import LandingSink
from adapters.staging.staged import Staged, stage
from schemas.batch import LandedObject, Layout
from schemas.contract import Contract

PIECES_WAITING = 32
"""A source that is quicker than staging waits for it."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StagingSink:
    """A `LandingSink` that also stages what it lands: each object in `folder`, under its SHA-256."""

    landing: LandingSink
    contract: Contract
    period: str
    layout: Layout
    folder: Path

    def put(self, name: str, chunks: Iterable[bytes]) -> LandedObject:
        passing = Passing(name)
        out = self.folder / uuid.uuid4().hex
        try:
            with ThreadPoolExecutor(1) as pool:
                staging = pool.submit(self._stage, passing, out)
                try:
                    landed = self.landing.put(name, passing.through(chunks))
                finally:
                    passing.end()
            self._keep(staging, out, landed)
        finally:
            shutil.rmtree(out, ignore_errors=True)
        return landed

    def _stage(self, passing: Passing, out: Path) -> Staged:
        try:
            return stage(self.contract, self.period, self.layout, [passing], out)
        finally:
            passing.let_go()

    def _keep(self, staging: Future[Staged], out: Path, landed: LandedObject) -> None:
        if failure := staging.exception():
            log.info("%s is not staged ahead (%s)", landed.name, type(failure).__name__)
            return
        kept = self.folder / landed.sha256
        shutil.rmtree(kept, ignore_errors=True)
        out.rename(kept)


def take(folder: Path, landed: LandedObject, out: Path) -> bool:
    """Moves what was staged of this object to `out`, which must not be there; False where nothing was."""
    try:
        (folder / landed.sha256).rename(out)
    except FileNotFoundError:
        return False
    return True


@dataclass
class Passing:
    """Bytes on their way into landing, read a second time as they pass (`adapters.protocol.PassingBytes`)."""

    name: str
    size: int = 0
    _pieces: Queue[bytes | None] = field(default_factory=lambda: Queue(PIECES_WAITING))
    _wanted: bool = True

    @property
    def object(self) -> LandedObject:
        """As far as it has come. Its hash is landing's to say."""
        return LandedObject(name=self.name, sha256="", bytes=self.size)

    def through(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.size += len(chunk)
            if self._wanted:
                self._pieces.put(chunk)
            yield chunk

    def end(self) -> None:
        if self._wanted:
            self._pieces.put(None)

    def chunks(self, _size: int = 0, /) -> Iterator[bytes]:
        while (piece := self._pieces.get()) is not None:
            yield piece

    def let_go(self) -> None:
        """Nobody reads any more. Who waits for room now gets it, and nothing is waited for again."""
        self._wanted = False
        with suppress(Empty):
            while True:
                self._pieces.get_nowait()
