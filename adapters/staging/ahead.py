"""Staging while landing: a delivery is staged as it passes, in the time the hub waits for its source and for landing's disk.

Landing alone decides what came. What is staged ahead is found again by the hash of what landed, and may be missing: staging that
fails here leaves nothing, and the gate, which then stages what landed, says what is wrong with it.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from queue import Empty, Queue

import pyarrow as pa

from adapters.protocol import ContentStore, PassingBytes
from adapters.staging.staged import Staged, stage_rows, staged_in
from schemas.batch import LandedObject, Layout
from schemas.contract import Contract

PIECES_WAITING = 16
"""A source that is quicker than staging waits for it."""
LIFETIME = timedelta(days=1)
"""What was staged ahead and is older than this, no gate came for, or its pull was killed."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StagingSink:
    """A `LandingSink` that also stages the rows it lands: each delivery in `folder`, named by `key` and what landed.

    `key` says for what it was staged: other contracts, periods and programs stage the same bytes otherwise.
    """

    landing: ContentStore
    contract: Contract
    period: str
    layout: Layout
    folder: Path
    key: str
    kept: list[Path] = field(default_factory=list)

    def put(self, name: str, chunks: Iterable[bytes]) -> LandedObject:
        return self.landing.put(name, chunks)

    def put_rows(self, objects: Iterable[tuple[str, Iterable[bytes]]]) -> tuple[LandedObject, ...]:
        passing = Passing()
        out = self.folder / f"part-{uuid.uuid4().hex}"
        pool = ThreadPoolExecutor(1)
        try:
            staging = pool.submit(self._stage, passing, out)
            landed = tuple(self.landing.put(name, passing.through(name, chunks)) for name, chunks in objects)
            passing.end()
            pool.shutdown()
            self._keep(staging, out, landed)
        except BaseException:
            passing.abandon()
            pool.shutdown()
            raise
        finally:
            passing.abandon()  # again, for the interruption of an interruption; where staging has ended, for nobody
            shutil.rmtree(out, ignore_errors=True)
        return landed

    def forget(self) -> None:
        """Removes what this sink has kept: no gate will come for it."""
        for path in self.kept:
            _remove(path)

    def _stage(self, passing: Passing, out: Path) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            stage_rows(self.contract, self.period, self.layout, passing.objects(), out)
        except BaseException:
            shutil.rmtree(out, ignore_errors=True)  # before landing goes on: it may need the room
            raise
        finally:
            passing.let_go()
            if passing.abandoned:  # perhaps by one who no longer waits: an interrupted wait for a thread is not waited anew
                shutil.rmtree(out, ignore_errors=True)

    def _keep(self, staging: Future[None], out: Path, landed: Sequence[LandedObject]) -> None:
        try:
            staging.result()
            kept = _place(self.folder, self.key, landed)
            out.rename(kept)
            self.kept.append(kept)
        except Exception as failure:  # noqa: BLE001 (the gate will raise it, or go without)
            log.info("%s is not staged ahead (%s)", ", ".join(item.name for item in landed), type(failure).__name__)


def take(folder: Path, key: str, landed: Sequence[LandedObject], out: Path) -> Staged | None:
    """Moves what was staged of this delivery's objects to `out`, instead of whatever is there; None where nothing was, or
    nothing that can be read."""
    place = _place(folder, key, landed)
    try:
        if not place.exists():
            return None
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(out, ignore_errors=True)
        place.rename(out)
        return staged_in(out, landed)
    except (OSError, pa.ArrowException):  # another gate was quicker, a power failure left half a file, another user's folder
        return None


def sweep(folder: Path) -> None:
    """Removes what has outlived its time."""
    with suppress(OSError):  # the folder is another user's: no pull fails for that
        for path in folder.glob("*"):
            with suppress(OSError):  # another process sweeps too
                if time.time() - path.stat().st_mtime > LIFETIME.total_seconds():
                    _remove(path)


def _place(folder: Path, key: str, landed: Sequence[LandedObject]) -> Path:
    digests = "".join(item.sha256 for item in landed)
    return folder / f"{key}-{hashlib.sha256(digests.encode()).hexdigest()}"


def _remove(path: Path) -> None:
    """Aside first, in one stroke: nobody may take, or go on writing, half of it."""
    with suppress(OSError):
        shutil.rmtree(path.rename(path.with_name(f"part-{uuid.uuid4().hex}")))


@dataclass
class Passing:
    """Objects on their way into landing, read a second time as they pass."""

    _pieces: Queue[bytes | str | None] = field(default_factory=lambda: Queue(PIECES_WAITING))  # a name begins an object
    abandoned: bool = False
    _wanted: bool = True

    def through(self, name: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
        self._pass(name)
        for chunk in chunks:
            self._pass(chunk)
            yield chunk

    def end(self) -> None:
        self._pass(None)

    def abandon(self) -> None:
        """The end, for a reader whose work is for nobody. Never waits: it runs where a wait was interrupted."""
        self.abandoned = True
        self.let_go()
        self._pieces.put_nowait(None)

    def objects(self) -> Iterator[PassingBytes]:
        """Each must be read to its end before the next is asked for."""
        following = self._pieces.get()
        while isinstance(following, str):
            passing = _PassingObject(following, self._pieces)
            yield passing
            if not passing.ended:
                raise RuntimeError(f"{passing.name} was not read to its end")
            following = passing.following

    def let_go(self) -> None:
        """Nobody reads any more. Who waits for room now gets it, and nothing is waited for again."""
        self._wanted = False
        with suppress(Empty):
            while True:
                self._pieces.get_nowait()

    def _pass(self, piece: bytes | str | None) -> None:
        if self._wanted:
            self._pieces.put(piece)


@dataclass
class _PassingObject:
    """One of them (`adapters.protocol.PassingBytes`)."""

    name: str
    _pieces: Queue[bytes | str | None]
    following: str | None = None
    ended: bool = False

    def chunks(self, _size: int = 0, /) -> Iterator[bytes]:
        while (piece := self._pieces.get()) is not None and not isinstance(piece, str):
            yield piece
        self.following, self.ended = piece, True
