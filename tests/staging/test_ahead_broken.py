"""Where staging while landing breaks, landing goes on as ever; where landing breaks, nothing is left staged."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from adapters.protocol import PassingBytes
from adapters.staging import ahead, extract, staged, take
from schemas.batch import LandedObject, Layout
from schemas.contract import Contract
from tests.adapters.sinks import DirectorySink
from tests.staging.ahead_rig import CONTENT, DELIVERIES, in_pieces, kept_as, left, put, sink_over

pytestmark = pytest.mark.timeout(60, method="thread")  # a wait without end is what could go wrong here


class Late(BaseException):
    """As Airflow's timeout comes: in the middle of anything."""


class BrokenLanding:
    """Takes so many pieces, then its disk is full."""

    def __init__(self, pieces: int) -> None:
        self.pieces = pieces

    def put(self, name: str, chunks: Iterable[bytes]) -> LandedObject:
        remaining = iter(chunks)
        for _ in range(self.pieces):
            next(remaining)
        raise OSError("no space left")


@pytest.mark.parametrize("pieces", [0, 100])
def test_a_delivery_whose_second_file_breaks_leaves_nothing(pieces: int, landing: DirectorySink, tmp_path: Path) -> None:
    contract, contents = DELIVERIES[Layout.DELIMITED]

    def breaking() -> Iterator[bytes]:
        yield from in_pieces(contents[0], *[20] * pieces)
        raise ConnectionError("broken")

    sink = sink_over(landing, tmp_path, contract, Layout.DELIMITED)
    with pytest.raises(ConnectionError, match="broken"):
        sink.put_rows([("split-1", [contents[2]]), ("split-2", breaking()), ("split-3", [contents[0]])])
    assert left(sink) == []


def test_where_nothing_can_be_staged_it_lands(landing: DirectorySink, tmp_path: Path) -> None:
    """A disk that is full or may not be written, which landing in an object store does not need."""
    (tmp_path / "ahead").write_text("in the way")
    assert landing.content(put(sink_over(landing, tmp_path), [CONTENT])) == CONTENT


def test_a_copy_that_broke_and_came_again_is_staged_once(landing: DirectorySink, tmp_path: Path) -> None:
    def breaking() -> Iterator[bytes]:
        yield CONTENT[:3000]
        raise ConnectionError("broken")

    sink = sink_over(landing, tmp_path)
    with pytest.raises(ConnectionError, match="broken"):
        put(sink, breaking())
    item = put(sink, in_pieces(CONTENT, 3000))
    assert left(sink) == [kept_as(item)]
    taken = take(sink.folder, "key", [item], tmp_path / "rows")
    assert taken is not None
    assert taken.rows == 61


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Staging begins only once this is set."""
    real: Callable[..., None] = ahead.stage_rows
    begin = threading.Event()

    def slow(*arguments: object) -> None:
        begin.wait()
        real(*arguments)

    monkeypatch.setattr(ahead, "stage_rows", slow)
    return begin


def test_an_interruption_where_staging_begins(landing: DirectorySink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(ahead.ThreadPoolExecutor):
        def submit(self, *arguments: Any, **named: Any) -> Any:
            super().submit(*arguments, **named)
            raise Late

    monkeypatch.setattr(ahead, "ThreadPoolExecutor", Interrupted)
    sink = sink_over(landing, tmp_path)
    with pytest.raises(Late):
        put(sink, [CONTENT])
    assert left(sink) == []


def test_an_interruption_while_staging_ends_leaves_nothing(
    landing: DirectorySink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held_up: threading.Event
) -> None:
    """However often it comes, and however late staging is."""

    class Interrupted(ahead.ThreadPoolExecutor):
        def shutdown(self, *arguments: Any, **named: Any) -> None:
            pools.append(self)
            raise Late

    pools: list[ThreadPoolExecutor] = []
    monkeypatch.setattr(ahead, "ThreadPoolExecutor", Interrupted)
    sink = sink_over(landing, tmp_path)
    with pytest.raises(Late):
        put(sink, [CONTENT])
    held_up.set()
    ThreadPoolExecutor.shutdown(pools[0])
    assert left(sink) == []


def test_a_layout_that_leaves_an_object_half_read_is_not_kept(
    landing: DirectorySink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    def hasty(_: Contract, __: str, ___: Layout, objects: Iterable[PassingBytes], out: Path) -> None:
        out.mkdir(parents=True)
        for item in objects:
            next(item.chunks())

    monkeypatch.setattr(ahead, "stage_rows", hasty)
    sink = sink_over(landing, tmp_path)
    assert landing.content(put(sink, in_pieces(CONTENT, 20, 20))) == CONTENT
    assert "not staged ahead (RuntimeError)" in caplog.text
    assert left(sink) == []


def test_an_interruption_of_an_interruption_leaves_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Watched(ahead.ThreadPoolExecutor):
        def __init__(self, workers: int) -> None:
            super().__init__(workers)
            pools.append(self)

    def interrupted(self: ahead.Passing) -> None:
        monkeypatch.undo()
        raise Late

    pools: list[ThreadPoolExecutor] = []
    monkeypatch.setattr(ahead, "ThreadPoolExecutor", Watched)
    monkeypatch.setattr(ahead.Passing, "abandon", interrupted)
    sink = sink_over(BrokenLanding(1), tmp_path)
    with pytest.raises(Late):
        put(sink, [CONTENT])
    pools[0].shutdown()
    assert left(sink) == []


def test_an_interrupted_wait_ends(
    landing: DirectorySink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held_up: threading.Event
) -> None:
    """The queue is full, and staging still at work."""

    def interrupted(self: ahead.Passing) -> None:
        while not self._pieces.full():
            self._pieces.put(b"\n")
        held_up.set()
        raise Late

    monkeypatch.setattr(ahead.Passing, "end", interrupted)
    sink = sink_over(landing, tmp_path)
    with pytest.raises(Late):
        put(sink, [CONTENT])
    assert left(sink) == []


@pytest.mark.parametrize("pieces", [1, 500], ids=["short", "longer than what may wait"])
def test_what_cannot_be_staged_lands_all_the_same(
    pieces: int, landing: DirectorySink, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    content = b"nobody,knows\n" + b"these,columns\n" * 10_000
    sink = sink_over(landing, tmp_path)
    item = put(sink, in_pieces(content, *[len(content) // pieces] * pieces))
    assert landing.content(item) == content
    assert "orders.csv is not staged ahead (FixContract)" in caplog.text
    assert left(sink) == []


@pytest.mark.parametrize("nth", [1, 9])
def test_a_block_that_fails_leaves_landing_alone(
    nth: int, landing: DirectorySink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extract, "BLOCK_BYTES", 300)
    real, written = staged.pq.write_table, iter(range(1, 1000))

    def failing(*args: object, **options: object) -> None:
        if next(written) == nth:
            raise OSError("no space left")
        real(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(staged.pq, "write_table", failing)
    sink = sink_over(landing, tmp_path)
    item = put(sink, in_pieces(CONTENT, *[20] * 400))
    assert landing.content(item) == CONTENT
    assert left(sink) == []


@pytest.mark.parametrize("pieces", [0, 1, 100])
def test_a_landing_that_fails_says_so_and_leaves_nothing(pieces: int, tmp_path: Path) -> None:
    sink = sink_over(BrokenLanding(pieces), tmp_path)
    with pytest.raises(OSError, match="no space left"):
        put(sink, in_pieces(CONTENT, *[20] * 200))
    assert left(sink) == []


def test_a_source_that_breaks_says_so_and_leaves_nothing(landing: DirectorySink, tmp_path: Path) -> None:
    def breaking() -> Iterator[bytes]:
        yield CONTENT
        raise ConnectionError("broken")

    sink = sink_over(landing, tmp_path)
    with pytest.raises(ConnectionError, match="broken"):
        put(sink, breaking())
    assert left(sink) == []
