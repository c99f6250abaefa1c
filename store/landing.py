"""Landing: bytes as received, addressed by content, under any fsspec URL (`sha256/ab/cdef…`)."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from hub.errors import FixConnection, NotFound
from schemas.batch import LandedObject

READ_BYTES = 1 << 22
PART_LIFETIME = timedelta(days=1)
"""A part older than this belongs to nobody: its writer was killed."""


class Landing:
    """Keeps objects under their SHA-256; the same bytes are kept once (`adapters.protocol.ContentStore`).

    Raises FixConnection for a URL whose protocol nobody knows, or whose driver is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            fs, root = fsspec.core.url_to_fs(url)
        except ImportError as error:
            raise _unopened(url, str(error)) from None
        except ValueError:  # its text may hold the URL, and that a key
            raise _unopened(url, "no such protocol, or no such address of one; file:///FOLDER always is one") from None
        self._fs: Any = fs
        self._root: str = root.rstrip("/")

    def put(self, name: str, chunks: Iterable[bytes]) -> LandedObject:
        """Writes the chunks aside while hashing them, then renames: a kill leaves a nameless part, never half an object.

        Raises FixConnection where landing cannot be written, before a chunk is asked for.
        """
        self._open_for_writing()
        part = f"{self._root}/part/{uuid.uuid4().hex}"
        try:
            with self._fs.open(part, "wb") as file:
                digest, size = _write(file, chunks)
                _persist(file)
            self._settle(part, digest)
        except BaseException:
            if self._fs.exists(part):
                self._fs.rm_file(part)
            raise
        return LandedObject(name=name, sha256=digest, bytes=size)

    def get(self, item: LandedObject) -> Landed:
        """The object again. Raises NotFound where its bytes are gone."""
        if not self.holds(item.sha256):
            raise NotFound(f"landing {self.url} no longer holds {item.name} ({item.sha256})", sha256=item.sha256)
        return Landed(self._fs, self._path(item.sha256), item)

    def holds(self, sha256: str) -> bool:
        return bool(self._fs.exists(self._path(sha256)))

    def remove(self, sha256: str) -> None:
        """Takes bytes away, for retention. `store.retention` records the tombstone first."""
        if self.holds(sha256):
            self._fs.rm_file(self._path(sha256))

    def _open_for_writing(self) -> None:
        try:
            if isinstance(self._fs, LocalFileSystem):
                # People's data as it came: its owner's alone to read.
                Path(self._root).mkdir(parents=True, exist_ok=True, mode=0o700)
            self._fs.makedirs(f"{self._root}/part", exist_ok=True)
            self._clear_parts()
        except Exception as error:  # noqa: BLE001 (every driver has errors of its own, whose text may hold a key)
            raise _unopened(self.url, f"nothing can be written there ({type(error).__name__})") from None

    def _clear_parts(self) -> None:
        for part in self._fs.ls(f"{self._root}/part", detail=False):
            with suppress(FileNotFoundError):  # another process clears too, or its writer has just renamed it
                if datetime.now(UTC) - self._fs.modified(part).astimezone(UTC) > PART_LIFETIME:
                    self._fs.rm_file(part)

    def _settle(self, part: str, digest: str) -> None:
        """Also over an object that is there: if its bytes were damaged since, these are whole."""
        path = self._path(digest)
        self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        if isinstance(self._fs, LocalFileSystem):
            Path(part).replace(path)
        else:
            self._fs.mv(part, path)

    def _path(self, sha256: str) -> str:
        return f"{self._root}/sha256/{sha256[:2]}/{sha256[2:]}"


@dataclass(frozen=True)
class Landed:
    """One landed object, readable again (`adapters.protocol.LandedBytes`)."""

    _fs: Any
    _path: str
    object: LandedObject

    @property
    def name(self) -> str:
        return self.object.name

    def chunks(self, size: int = READ_BYTES) -> Iterator[bytes]:
        with self._fs.open(self._path, "rb") as file:
            while chunk := file.read(size):
                yield chunk

    @contextmanager
    def local_path(self) -> Iterator[Path]:
        """A file on this machine: landing's own where it is local (read it, do not write), else a copy for the block's time."""
        if isinstance(self._fs, LocalFileSystem):
            yield Path(self._path)
            return
        with tempfile.NamedTemporaryFile(prefix="bsshub-landed-") as copy:
            with self._fs.open(self._path, "rb") as file:
                shutil.copyfileobj(file, copy, READ_BYTES)
            copy.flush()
            yield Path(copy.name)

    def read_range(self, offset: int, length: int) -> bytes:
        with self._fs.open(self._path, "rb") as file:
            file.seek(offset)
            return bytes(file.read(length))


def _unopened(url: str, why: str) -> FixConnection:
    return FixConnection(f"BSSHUB_LANDING_URL: {url.partition(':')[0]}:// cannot be opened: {why}")


def _write(file: IO[bytes], chunks: Iterable[bytes]) -> tuple[str, int]:
    """Hashing runs beside writing and reading: `hashlib` lets go of the interpreter for large chunks."""
    digest, size = hashlib.sha256(), 0
    hashing: Future[None] | None = None
    with ThreadPoolExecutor(1) as pool:
        for chunk in chunks:
            if hashing is not None:
                hashing.result()
            hashing = pool.submit(digest.update, chunk)
            file.write(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def _persist(file: IO[bytes]) -> None:
    """The ledger's row survives a power failure, so the bytes it speaks of must too. Object stores promise it by themselves."""
    handle = getattr(file, "f", None)
    if handle is not None and hasattr(handle, "fileno"):
        file.flush()
        os.fsync(handle.fileno())
