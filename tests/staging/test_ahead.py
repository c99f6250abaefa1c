"""What is staged while it lands is what the gate would stage of the landed bytes; where it is not, landing goes on as ever."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.protocol import LandingSink
from adapters.staging import Staged, StagingSink, ahead, extract, stage, staged, staged_in, take
from schemas.batch import LandedObject, Layout
from schemas.contracts import contract_of
from tests.adapters.sinks import DirectorySink
from tests.landed import landed
from tests.staging.test_plain import read_file

ORDER = contract_of("orders.product_order")
HEADER = ",".join(column.source for column in ORDER.columns)
ROW = 'O{0},K1,"一\r\n二 ""三"", {1}",,,,IPL,F,A,DONE,CM,2026-01-15 09:30:00,,{0},2026-02-01 08:00:00'
CONTENT = "\n".join([HEADER, *(ROW.format(i, "四" * (i % 7)) for i in range(60)), "torn"]).encode()

pytestmark = pytest.mark.timeout(60)  # a wait without end is what could go wrong here


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


def sink_over(landing: LandingSink, root: Path) -> StagingSink:
    folder = root / "ahead"
    folder.mkdir(exist_ok=True)
    return StagingSink(landing, ORDER, "20260201", Layout.CSV, folder)


def in_pieces(content: bytes, *sizes: int) -> Iterator[bytes]:
    """The first pieces of these sizes, the rest in one."""
    for size in sizes:
        yield content[:size]
        content = content[size:]
    yield content


def rows_of(result: Staged) -> pa.Table:
    return pa.concat_tables(map(read_file, result.files)).sort_by("_row_no")


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(sizes=st.lists(st.integers(0, 400), max_size=60), block_bytes=st.sampled_from([1, 300, 1 << 20]))
def test_in_whatever_pieces_it_comes_it_is_staged_as_it_landed(
    sizes: list[int], block_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extract, "BLOCK_BYTES", block_bytes)
    sink = sink_over(DirectorySink(tmp_path / "landing"), tmp_path)
    item = sink.put("orders.csv", in_pieces(CONTENT, *sizes))
    out = tmp_path / item.sha256 / f"{hash((*sizes, block_bytes))}"
    out.parent.mkdir(exist_ok=True)
    assert take(sink.folder, item, out)
    [file] = landed(tmp_path / "files", CONTENT)
    assert item == file.object.model_copy(update={"name": "orders.csv"})
    found = staged_in(out, [item])
    wanted = stage(ORDER, "20260201", Layout.CSV, [file], tmp_path / "rows")
    assert (found.rows, found.bytes) == (wanted.rows, wanted.bytes) == (61, len(CONTENT))
    assert rows_of(found).equals(rows_of(wanted))


def test_it_is_taken_once(landing: DirectorySink, tmp_path: Path) -> None:
    sink = sink_over(landing, tmp_path)
    item = sink.put("orders.csv", [CONTENT])
    assert not take(sink.folder, item.model_copy(update={"sha256": "0" * 64}), tmp_path / "rows")
    assert take(sink.folder, item, tmp_path / "rows")
    assert not take(sink.folder, item, tmp_path / "again")
    assert list(sink.folder.iterdir()) == []


def test_the_same_bytes_that_come_twice_are_staged_once(landing: DirectorySink, tmp_path: Path) -> None:
    sink = sink_over(landing, tmp_path)
    first, second = (sink.put("orders.csv", [CONTENT]) for _ in range(2))
    assert first == second
    assert [path.name for path in sink.folder.iterdir()] == [first.sha256]


def test_an_extract_without_rows_is_staged_too(landing: DirectorySink, tmp_path: Path) -> None:
    sink = sink_over(landing, tmp_path)
    item = sink.put("orders.csv", [HEADER.encode() + b"\n"])
    assert take(sink.folder, item, tmp_path / "rows")
    assert staged_in(tmp_path / "rows", [item]).rows == 0


@pytest.mark.parametrize("pieces", [1, 500], ids=["short", "longer than what may wait"])
def test_what_cannot_be_staged_lands_all_the_same(pieces: int, landing: DirectorySink, tmp_path: Path) -> None:
    content = b"nobody,knows\n" + b"these,columns\n" * 10_000
    sink = sink_over(landing, tmp_path)
    item = sink.put("orders.csv", in_pieces(content, *[len(content) // pieces] * pieces))
    assert landing.content(item) == content
    assert list(sink.folder.iterdir()) == []


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
    item = sink.put("orders.csv", in_pieces(CONTENT, *[20] * 400))
    assert landing.content(item) == CONTENT
    assert list(sink.folder.iterdir()) == []


@pytest.mark.parametrize("pieces", [0, 1, 100])
def test_a_landing_that_fails_says_so_and_leaves_nothing(pieces: int, tmp_path: Path) -> None:
    sink = sink_over(BrokenLanding(pieces), tmp_path)
    with pytest.raises(OSError, match="no space left"):
        sink.put("orders.csv", in_pieces(CONTENT, *[20] * 200))
    assert list(sink.folder.iterdir()) == []


def test_a_source_that_breaks_says_so_and_leaves_nothing(landing: DirectorySink, tmp_path: Path) -> None:
    def breaking() -> Iterator[bytes]:
        yield CONTENT
        raise ConnectionError("broken")

    sink = sink_over(landing, tmp_path)
    with pytest.raises(ConnectionError, match="broken"):
        sink.put("orders.csv", breaking())
    assert list(sink.folder.iterdir()) == []


def test_a_source_quicker_than_staging_waits(landing: DirectorySink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the extract, no more of it is held than may wait, and what is being staged."""
    monkeypatch.setattr(ahead, "PIECES_WAITING", 2)
    monkeypatch.setattr(extract, "BLOCK_BYTES", 1)
    waiting: list[int] = []

    def watched(self: ahead.Passing, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in real(self, chunks):
            waiting.append(self._pieces.qsize())
            yield chunk

    real = ahead.Passing.through
    monkeypatch.setattr(ahead.Passing, "through", watched)
    sink = sink_over(landing, tmp_path)
    item = sink.put("orders.csv", in_pieces(CONTENT, *[20] * 200))
    assert take(sink.folder, item, tmp_path / "rows")
    assert max(waiting) <= 2
