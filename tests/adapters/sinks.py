"""A landing for tests: a directory of files named by their content, and what was put when."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from schemas.batch import Delivery, LandedObject


class DirectorySink:
    """`rows` are the names of what was put as rows, a delivery after the other."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.rows: list[list[str]] = []
        root.mkdir(parents=True, exist_ok=True)

    def put(self, name: str, chunks: Iterable[bytes]) -> LandedObject:
        part = self._root / "part"
        digest, size = hashlib.sha256(), 0
        with part.open("wb") as file:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                file.write(chunk)
        part.rename(self._root / digest.hexdigest())
        return LandedObject(name=name, sha256=digest.hexdigest(), bytes=size)

    def put_rows(self, objects: Iterable[tuple[str, Iterable[bytes]]]) -> tuple[LandedObject, ...]:
        landed = tuple(self.put(name, chunks) for name, chunks in objects)
        self.rows.append([item.name for item in landed])
        return landed

    def content(self, landed: LandedObject) -> bytes:
        return (self._root / landed.sha256).read_bytes()

    def contents(self, delivery: Delivery) -> list[bytes]:
        return [self.content(landed) for landed in delivery.objects]
