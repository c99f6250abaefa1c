"""What is staged while it lands is what the gate would stage of the landed bytes."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.staging import ahead, extract, lines, stage, take
from schemas.batch import Layout
from tests.adapters.sinks import DirectorySink
from tests.landed import landed
from tests.staging.ahead_rig import CONTENT, DELIVERIES, HEADER, in_pieces, kept_as, left, put, sink_over
from tests.staging.test_plain import read_file

pytestmark = pytest.mark.timeout(60, method="thread")  # a wait without end is what could go wrong here


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


def test_what_outlived_its_time_is_swept(landing: DirectorySink, tmp_path: Path) -> None:
    sink = sink_over(landing, tmp_path)
    old, young = (put(sink, [content]) for content in (CONTENT, CONTENT[:-5]))
    (sink.folder / "part-of-a-killed-pull").mkdir()
    yesterday = time.time() - ahead.LIFETIME.total_seconds() - 60
    for name in (kept_as(old), "part-of-a-killed-pull"):
        os.utime(sink.folder / name, (yesterday, yesterday))
    ahead.sweep(sink.folder)
    assert left(sink) == [kept_as(young)]


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
