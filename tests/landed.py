"""Landed objects over plain files, for tests that need no store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from schemas.batch import LandedObject


@dataclass(frozen=True)
class LandedFile:
    path: Path

    @property
    def object(self) -> LandedObject:
        data = self.path.read_bytes()
        return LandedObject(name=self.name, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))

    @property
    def name(self) -> str:
        return self.path.name

    def chunks(self, size: int = 1 << 22) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            while chunk := file.read(size):
                yield chunk

    def local_path(self) -> AbstractContextManager[Path]:
        return nullcontext(self.path)


def landed(folder: Path, *contents: bytes) -> list[LandedFile]:
    """One landed file a content, in order."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, content in enumerate(contents):
        path = folder / f"object-{number:03d}"
        path.write_bytes(content)
        files.append(LandedFile(path))
    return files
