"""A file drop read with patience, and landed: every file's bytes as they are, with what was seen of them."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from adapters.file_codes import FileCode
from adapters.protocol import LandingSink
from adapters.transports.checkfile import CheckRecord, FileFault, SeenFile, compare, parse_check_file
from adapters.transports.filenames import DropName, Sending
from adapters.transports.filesystem import FileSystem
from adapters.transports.patience import Patience
from adapters.transports.records import HEAD_BYTES, Tally
from hub.errors import RefuseDelivery, RetryLater
from schemas.batch import LandedObject

LARGEST_CHECK_FILE = 1 << 20


@dataclass(frozen=True)
class LandedFile:
    kept: LandedObject
    seen: SeenFile
    head: bytes


@dataclass(frozen=True)
class LandedSending:
    """A sending in landing, and every way in which it is not what its check file says."""

    data: tuple[LandedFile, ...]
    check: LandedObject
    records: tuple[CheckRecord, ...]
    faults: tuple[FileFault, ...]


class Drop:
    def __init__(self, files: FileSystem, patience: Patience) -> None:
        self._files = files
        self._patience = patience

    def __str__(self) -> str:
        return str(self._files)

    def close(self) -> None:
        self._files.close()

    def sizes(self) -> dict[str, int]:
        return self._patience.call(self._files.sizes)

    def head(self, name: str) -> bytes:
        def first_piece() -> bytes:
            try:
                return next(self._files.read(name), b"")[:HEAD_BYTES]
            except FileNotFoundError:
                raise self._vanished(name) from None

        return self._patience.call(first_piece)

    def land(self, sending: Sending, period: str, sink: LandingSink, *, rows: bool = True) -> LandedSending:
        """Lands the sending's data files in split order, and its check file, and compares them. `rows`: they hold the feed's."""
        assert sending.check_file is not None, "a sending is landed once its check file is there"
        content = b"".join(self._stream(sending.check_file.text, limit=LARGEST_CHECK_FILE))
        check = sink.put(sending.check_file.text, [content])
        records, faults = parse_check_file(content, check.name)
        data = self._land_data(sending.data, sink, rows)
        if not faults:
            seen = [file.seen for file in data]
            faults = compare(records, seen, period, resend=sending.resend, correction=bool(sending.correction))
        return LandedSending(data, check, tuple(records), tuple(faults))

    def _land_data(self, names: Sequence[DropName], sink: LandingSink, rows: bool) -> tuple[LandedFile, ...]:
        tallies = [Tally() for _ in names]
        with closing(self._streams(names, tallies)) as streams:
            landed = sink.put_rows(streams) if rows else [sink.put(name, chunks) for name, chunks in streams]
        return tuple(_landed_file(*each) for each in zip(names, tallies, landed, strict=True))

    def _streams(self, names: Sequence[DropName], tallies: Sequence[Tally]) -> Generator[tuple[str, Iterable[bytes]], None, None]:
        for name, tally in zip(names, tallies, strict=True):
            with closing(self._stream(name.text)) as stream:
                yield name.text, tally.through(stream)

    def _stream(self, name: str, limit: int | None = None) -> Generator[bytes, None, None]:
        """A file's bytes; a broken read goes on at the byte where it broke, since a finished file no longer changes."""

        def from_offset(offset: int) -> Iterator[tuple[bytes, int]]:
            for chunk in self._files.read(name, offset):
                offset += len(chunk)
                if limit is not None and offset > limit:
                    raise RefuseDelivery(f"{self}: {name} exceeds {limit} bytes", code=FileCode.CHECK_FILE, where=str(self))
                yield chunk, offset

        try:
            yield from self._patience.stream(from_offset, 0)
        except FileNotFoundError:
            raise self._vanished(name) from None

    def _vanished(self, name: str) -> RetryLater:
        return RetryLater(f"{self}: {name} vanished while it was read", where=str(self), file=name)


def _landed_file(name: DropName, tally: Tally, kept: LandedObject) -> LandedFile:
    return LandedFile(kept, SeenFile(name.text, name.split, tally.size, tally.rows, kept.sha256), tally.head)
