"""What is staged while it lands is what the gate would stage of the landed bytes; where it is not, landing goes on as ever."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.protocol import ContentStore, PassingBytes
from adapters.staging import StagingSink, ahead, extract, lines, stage, staged, take
from schemas.batch import LandedObject, Layout
from schemas.contract import Contract
from schemas.contracts import contract_of
from tests.adapters.billing_drop import account_record, item_record
from tests.adapters.sinks import DirectorySink
from tests.landed import landed
from tests.staging.test_plain import read_file

ORDER = contract_of("orders.product_order")
HEADER = ",".join(column.source for column in ORDER.columns)
ROW = 'O{0},K1,"一\r\n二 ""三"", {1}",,,,IPL,F,A,DONE,CM,2026-01-15 09:30:00,,{0},2026-02-01 08:00:00'
CONTENT = "\n".join([HEADER, *(ROW.format(i, "四\u2028" * (i % 7)) for i in range(60)), "torn"]).encode()

ITEMS = [item_record(f"I{number}", "月租费倀") for number in range(40)]
ACCOUNTS = [account_record(f"A{number}", number) for number in range(30)]
DELIVERIES = {
    Layout.CSV: (ORDER, [CONTENT]),
    # The last of a file without its end, a file of no rows, rows that are not of the agreed shape.
    Layout.DELIMITED: (contract_of("billing.bill_item"), [b"".join(ITEMS[:25])[:-2], b"", b"".join([*ITEMS[25:], b"torn\r\n"])]),
    Layout.FIXED: (contract_of("billing.account"), [b"".join(ACCOUNTS[:9]), b"".join(ACCOUNTS[9:]).replace(b"A12 ", b"A12")]),
}

pytestmark = pytest.mark.timeout(60, method="thread")  # a wait without end is what could go wrong here


class BrokenLanding:
    """Takes so many pieces, then its disk is full."""

    def __init__(self, pieces: int) -> None:
        self.pieces = pieces

    def put(self, name: str, chunks: Iterable[bytes]) -> LandedObject:
        remaining = iter(chunks)
        for _ in range(self.pieces):
            next(remaining)
        raise OSError("no space left")


@pytest.fixture
def landing(tmp_path: Path) -> DirectorySink:
    return DirectorySink(tmp_path / "landing")


def sink_over(landing: ContentStore, root: Path, contract: Contract = ORDER, layout: Layout = Layout.CSV) -> StagingSink:
    return StagingSink(landing, contract, "20260201", layout, root / "ahead", "key")


def put(sink: StagingSink, chunks: Iterable[bytes]) -> LandedObject:
    (item,) = sink.put_rows([("orders.csv", chunks)])
    return item


def kept_as(*items: LandedObject) -> str:
    return f"key-{hashlib.sha256(''.join(item.sha256 for item in items).encode()).hexdigest()}"


def left(sink: StagingSink) -> list[str]:
    return sorted(path.name for path in sink.folder.glob("*"))


def in_pieces(content: bytes, *sizes: int) -> Iterator[bytes]:
    """The first pieces of these sizes, the rest in one."""
    for size in sizes:
        yield content[:size]
        content = content[size:]
    yield content


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(sizes=st.lists(st.integers(0, 400), max_size=60), block_bytes=st.sampled_from([1, 300, 1 << 20]))
@pytest.mark.parametrize("layout", DELIVERIES)
def test_in_whatever_pieces_it_comes_it_is_staged_as_it_landed(
    layout: Layout, sizes: list[int], block_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for reader in (extract, lines):
        monkeypatch.setattr(reader, "BLOCK_BYTES", block_bytes)
    contract, contents = DELIVERIES[layout]
    sink = sink_over(DirectorySink(tmp_path / "landing"), tmp_path, contract, layout)
    files = landed(tmp_path / "files", *contents)
    items = sink.put_rows((file.name, in_pieces(content, *sizes)) for file, content in zip(files, contents, strict=True))
    assert items == tuple(file.object for file in files)
    found = take(sink.folder, "key", items, tmp_path / "taken")
    assert found is not None
    wanted = stage(contract, "20260201", layout, files, tmp_path / "rows")
    rows = {Layout.CSV: 61, Layout.DELIMITED: 41, Layout.FIXED: 30}[layout]
    assert (found.rows, found.bytes) == (wanted.rows, wanted.bytes) == (rows, sum(map(len, contents)))
    # File by file: what a block holds is a function of the bytes, not of how they came.
    assert [read_file(path) for path in found.files] == [read_file(path) for path in wanted.files]


def test_it_is_taken_once_and_for_what_it_was_staged(landing: DirectorySink, tmp_path: Path) -> None:
    sink = sink_over(landing, tmp_path)
    item = put(sink, [CONTENT])
    assert take(sink.folder, "another key", [item], tmp_path / "rows") is None
    assert take(sink.folder, "key", [item.model_copy(update={"sha256": "0" * 64})], tmp_path / "rows") is None
    assert take(sink.folder, "key", [item], tmp_path / "rows") is not None
    assert take(sink.folder, "key", [item], tmp_path / "again") is None
    assert left(sink) == []


def test_what_holds_no_rows_lands_alone(landing: DirectorySink, tmp_path: Path) -> None:
    sink = sink_over(landing, tmp_path)
    assert landing.content(sink.put("orders.verf", [CONTENT])) == CONTENT
    assert left(sink) == []


def test_a_delivery_is_taken_whole_and_in_its_order(landing: DirectorySink, tmp_path: Path) -> None:
    contract, contents = DELIVERIES[Layout.DELIMITED]
    sink = sink_over(landing, tmp_path, contract, Layout.DELIMITED)
    items = sink.put_rows((f"split-{place}", [content]) for place, content in enumerate(contents))
    for others in (items[:1], items[:2], items[::-1], (*items, items[0])):
        assert take(sink.folder, "key", others, tmp_path / "rows") is None
    assert left(sink) == [kept_as(*items)]
    assert take(sink.folder, "key", items, tmp_path / "rows") is not None


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


def test_what_lies_where_it_is_taken_to_goes(landing: DirectorySink, tmp_path: Path) -> None:
    """A load that was killed while it staged."""
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "rows-99999.parquet").write_bytes(b"torn")
    sink = sink_over(landing, tmp_path)
    taken = take(sink.folder, "key", [put(sink, [CONTENT])], tmp_path / "rows")
    assert taken is not None
    assert taken.rows == 61


def test_what_a_power_failure_left_is_not_taken(landing: DirectorySink, tmp_path: Path) -> None:
    sink = sink_over(landing, tmp_path)
    item = put(sink, [CONTENT])
    [kept] = sink.kept
    next(kept.iterdir()).write_bytes(b"")
    assert take(sink.folder, "key", [item], tmp_path / "rows") is None


def test_two_pulls_of_the_same_bytes_keep_them_once(landing: DirectorySink, tmp_path: Path) -> None:
    one, other = sink_over(landing, tmp_path), sink_over(DirectorySink(tmp_path / "other"), tmp_path)

    def while_the_other_lands() -> Iterator[bytes]:
        yield CONTENT[:2000]
        assert put(other, [CONTENT]) is not None
        yield CONTENT[2000:]

    item = put(one, while_the_other_lands())
    assert left(one) == [kept_as(item)]
    taken = take(one.folder, "key", [item], tmp_path / "rows")
    assert taken is not None
    assert taken.rows == 61


def test_what_was_forgotten_meanwhile_is_staged_whole_or_not_at_all(landing: DirectorySink, tmp_path: Path) -> None:
    one, other = sink_over(landing, tmp_path), sink_over(DirectorySink(tmp_path / "other"), tmp_path)

    def while_the_other_gives_up() -> Iterator[bytes]:
        yield CONTENT[:2000]
        put(other, [CONTENT])
        other.forget()
        yield CONTENT[2000:]

    taken = take(one.folder, "key", [put(one, while_the_other_gives_up())], tmp_path / "rows")
    assert taken is not None
    assert taken.rows == 61
    assert left(one) == []


def test_what_is_removed_is_out_of_reach_first(landing: DirectorySink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a gate could take half of it."""
    sink = sink_over(landing, tmp_path)
    put(sink, [CONTENT])
    [kept] = sink.kept
    real, in_reach = shutil.rmtree, []

    def watched(path: Path) -> None:
        in_reach.append(kept.exists())
        real(path)

    monkeypatch.setattr(shutil, "rmtree", watched)
    sink.forget()
    assert (in_reach, left(sink)) == ([False], [])


def test_an_extract_without_rows_is_staged_too(landing: DirectorySink, tmp_path: Path) -> None:
    sink = sink_over(landing, tmp_path)
    taken = take(sink.folder, "key", [put(sink, [HEADER.encode() + b"\n"])], tmp_path / "rows")
    assert taken is not None
    assert taken.rows == 0


def test_where_nothing_can_be_staged_it_lands(landing: DirectorySink, tmp_path: Path) -> None:
    """A disk that is full or may not be written, which landing in an object store does not need."""
    (tmp_path / "ahead").write_text("in the way")
    assert landing.content(put(sink_over(landing, tmp_path), [CONTENT])) == CONTENT


def test_another_users_folder_is_nothing_to_take(landing: DirectorySink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = sink_over(landing, tmp_path)
    item = put(sink, [CONTENT])

    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError("not yours")

    monkeypatch.setattr(Path, "stat", forbidden)
    assert take(sink.folder, "key", [item], tmp_path / "rows") is None
    ahead.sweep(sink.folder)
    monkeypatch.undo()
    assert left(sink) == [kept_as(item)]


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


def test_an_interruption_where_staging_begins(landing: DirectorySink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Late(BaseException):
        pass

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
    landing: DirectorySink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it comes, and however late staging is."""

    class Late(BaseException):
        pass

    class Interrupted(ahead.ThreadPoolExecutor):
        def shutdown(self, *arguments: Any, **named: Any) -> None:
            pools.append(self)
            raise Late

    going_on = threading.Event()
    pools: list[ahead.ThreadPoolExecutor] = []

    def slow(*arguments: object) -> None:
        going_on.wait()
        staged.stage_rows(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(ahead, "ThreadPoolExecutor", Interrupted)
    monkeypatch.setattr(ahead, "stage_rows", slow)
    sink = sink_over(landing, tmp_path)
    with pytest.raises(Late):
        put(sink, [CONTENT])
    going_on.set()
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


def test_an_interrupted_wait_ends(landing: DirectorySink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow raises in the middle of a task that takes too long, once. The queue is full, and staging still at work."""

    class Late(Exception):
        pass

    going_on = threading.Event()

    def interrupted(self: ahead.Passing) -> None:
        while not self._pieces.full():
            self._pieces.put(b"\n")
        going_on.set()
        raise Late

    def slow(*arguments: object) -> None:
        going_on.wait()
        staged.stage_rows(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(ahead.Passing, "end", interrupted)
    monkeypatch.setattr(ahead, "stage_rows", slow)
    sink = sink_over(landing, tmp_path)
    with pytest.raises(Late):
        put(sink, [CONTENT])
    assert left(sink) == []


def test_what_outlived_its_time_is_swept(landing: DirectorySink, tmp_path: Path) -> None:
    sink = sink_over(landing, tmp_path)
    old, young = (put(sink, [content]) for content in (CONTENT, CONTENT[:-5]))
    (sink.folder / "part-of-a-killed-pull").mkdir()
    yesterday = time.time() - ahead.LIFETIME.total_seconds() - 60
    for name in (kept_as(old), "part-of-a-killed-pull"):
        os.utime(sink.folder / name, (yesterday, yesterday))
    ahead.sweep(sink.folder)
    assert left(sink) == [kept_as(young)]


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


def test_a_source_quicker_than_staging_waits(landing: DirectorySink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the extract: what has been read of the source, and not yet by staging, is no more than may wait."""
    monkeypatch.setattr(ahead, "PIECES_WAITING", 2)
    given = read = 0
    most = 0

    def giving() -> Iterator[bytes]:
        nonlocal given, most
        for piece in in_pieces(CONTENT, *[20] * 200):
            given += 1
            most = max(most, given - read)
            yield piece

    def reading(self: Any, size: int = 0) -> Iterator[bytes]:
        nonlocal read
        for piece in real(self, size):
            read += 1
            yield piece

    real = ahead._PassingObject.chunks
    monkeypatch.setattr(ahead._PassingObject, "chunks", reading)
    taken = take(tmp_path / "ahead", "key", [put(sink_over(landing, tmp_path), giving())], tmp_path / "rows")
    assert taken is not None
    assert most <= 2 + 2  # one in the hands of either
