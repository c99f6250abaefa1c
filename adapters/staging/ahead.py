"""Staging while landing: where a delivery is one object, it is staged as it passes, in the time the hub waits for its source.

Landing alone decides what came. What is staged ahead is found again by the hash of what landed, and may be missing: staging that
fails here leaves nothing, and the gate, which then stages what landed, says what is wrong with it.
"""

from __future__ import annotations

import logging
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from queue import Empty, Queue

import pyarrow as pa

from adapters.protocol import LandingSink
from adapters.staging.staged import Staged, stage, staged_in
from schemas.batch import LandedObject, Layout
from schemas.contract import Contract

PIECES_WAITING = 16
"""A source that is quicker than staging waits for it."""
LIFETIME = timedelta(days=1)
"""What was staged ahead and is older than this, no gate came for, or its pull was killed."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StagingSink:
    """A `LandingSink` that also stages what it lands: each object in `folder`, named by `key` and its SHA-256.

    `key` says for what it was staged: other contracts, periods and programs stage the same bytes otherwise.
    """

    landing: LandingSink
    contract: Contract
    period: str
    layout: Layout
    folder: Path
    key: str
    kept: list[Path] = field(default_factory=list)

    def put(self, name: str, chunks: Iterable[bytes]) -> LandedObject:
        passing = Passing(name)
        out = self.folder / f"part-{uuid.uuid4().hex}"
        try:
            with ThreadPoolExecutor(1) as pool:
                try:
                    staging = pool.submit(self._stage, passing, out)
                    landed = self.landing.put(name, passing.through(chunks))
                    passing.end()
                except BaseException:
                    passing.abandon()
                    raise
            self._keep(staging, out, landed)
        finally:
            shutil.rmtree(out, ignore_errors=True)
        return landed

    def forget(self) -> None:
        """Removes what this sink has kept: no gate will come for it."""
        for path in self.kept:
            _remove(path)

    def _stage(self, passing: Passing, out: Path) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            stage(self.contract, self.period, self.layout, [passing], out)
        except BaseException:
            shutil.rmtree(out, ignore_errors=True)  # before landing goes on: it may need the room
            raise
        finally:
            passing.let_go()

    def _keep(self, staging: Future[None], out: Path, landed: LandedObject) -> None:
        try:
            staging.result()
            kept = _place(self.folder, self.key, landed)
            out.rename(kept)
            self.kept.append(kept)
        except Exception as failure:  # noqa: BLE001 (the gate will raise it, or go without)
            log.info("%s is not staged ahead (%s)", landed.name, type(failure).__name__)


def take(folder: Path, key: str, landed: LandedObject, out: Path) -> Staged | None:
    """Moves what was staged of this object to `out`, instead of whatever is there; None where nothing was, or
    nothing that can be read."""
    place = _place(folder, key, landed)
    try:
        if not place.exists():
            return None
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(out, ignore_errors=True)
        place.rename(out)
        return staged_in(out, [landed])
    except (OSError, pa.ArrowException):  # another gate was quicker, a power failure left half a file, another user's folder
        return None


def sweep(folder: Path) -> None:
    """Removes what has outlived its time."""
    with suppress(OSError):  # another process sweeps too, or the folder is another user's: no pull fails for that
        for path in folder.glob("*"):
            if time.time() - path.stat().st_mtime > LIFETIME.total_seconds():
                _remove(path)


def _place(folder: Path, key: str, landed: LandedObject) -> Path:
    return folder / f"{key}-{landed.sha256}"


def _remove(path: Path) -> None:
    """Aside first, in one stroke: nobody may take, or go on writing, half of it."""
    with suppress(OSError):
        shutil.rmtree(path.rename(path.with_name(f"part-{uuid.uuid4().hex}")))


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

    def abandon(self) -> None:
        """The end, for a reader whose work is for nobody. Never waits: it runs where a wait was interrupted."""
        self.let_go()
        self._pieces.put_nowait(None)

    def chunks(self, _size: int = 0, /) -> Iterator[bytes]:
        while (piece := self._pieces.get()) is not None:
            yield piece

    def let_go(self) -> None:
        """Nobody reads any more. Who waits for room now gets it, and nothing is waited for again."""
        self._wanted = False
        with suppress(Empty):
            while True:
                self._pieces.get_nowait()
