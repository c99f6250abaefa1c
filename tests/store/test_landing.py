"""Landing: content-addressed, once, whole or not at all, on any filesystem."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.errors import FixConnection, NotFound
from schemas.batch import LandedObject
from store.landing import Landing


@pytest.fixture(params=["file", "memory"])
def landing(request: pytest.FixtureRequest, tmp_path: Path) -> Landing:
    return Landing((tmp_path / "landing").as_uri() if request.param == "file" else f"memory://{tmp_path}")


def test_bytes_come_back_as_they_went(landing: Landing) -> None:
    item = landing.put("a.dat", [b"one", b"", b"two"])
    assert item == LandedObject(name="a.dat", sha256=hashlib.sha256(b"onetwo").hexdigest(), bytes=6)
    landed = landing.get(item)
    assert list(landed.chunks(4)) == [b"onet", b"wo"]
    assert landed.read_range(3, 2) == b"tw"
    with landed.local_path() as path:
        assert path.read_bytes() == b"onetwo"


def test_only_its_owner_reads_what_landed(tmp_path: Path) -> None:
    Landing((tmp_path / "landing").as_uri()).put("a.dat", [b"13800000000"])
    assert (tmp_path / "landing").stat().st_mode & 0o777 == 0o700


def test_a_landing_that_cannot_be_written_says_so_before_anything_is_asked_of_the_source(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    asked: list[bytes] = []

    def chunks() -> Iterator[bytes]:
        asked.append(b"x")
        yield b"x"

    with pytest.raises(FixConnection, match=r"BSSHUB_LANDING_URL: file:// cannot be opened: nothing can be written"):
        Landing((tmp_path / "file" / "landing").as_uri()).put("a.dat", chunks())
    assert asked == []


def test_an_empty_object_is_an_object(landing: Landing) -> None:
    item = landing.put("empty.dat", [])
    assert item.bytes == 0
    assert list(landing.get(item).chunks()) == []


def test_the_same_bytes_are_kept_once_under_two_names(tmp_path: Path) -> None:
    landing = Landing(tmp_path.as_uri())
    first, second = landing.put("a.dat", [b"same"]), landing.put("b.dat", [b"sa", b"me"])
    assert first.sha256 == second.sha256
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [first.sha256[2:]]


def test_a_good_delivery_repairs_bytes_that_were_damaged(tmp_path: Path) -> None:
    landing = Landing(tmp_path.as_uri())
    landing.put("a.dat", [b"whole"])
    [kept] = [path for path in tmp_path.rglob("*") if path.is_file()]
    kept.write_bytes(b"whol")
    item = landing.put("a.dat", [b"who", b"le"])
    assert list(landing.get(item).chunks()) == [b"whole"]


def test_a_source_that_breaks_off_leaves_nothing(landing: Landing) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        landing.put("a.dat", broken())
    assert not landing.holds(hashlib.sha256(b"half").hexdigest())


def test_no_part_stays_behind_a_source_that_breaks_off(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        Landing(tmp_path.as_uri()).put("a.dat", broken())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_bytes_that_are_gone_are_not_found(landing: Landing) -> None:
    item = landing.put("a.dat", [b"x"])
    landing.remove(item.sha256)
    landing.remove(item.sha256)
    with pytest.raises(NotFound, match=item.sha256):
        landing.get(item)


def test_what_a_killed_writer_left_is_cleared_after_a_day(tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.mkdir()
    for name, age in (("left", timedelta(days=2)), ("being-written", timedelta(minutes=5))):
        (part / name).write_bytes(b"half")
        moment = (datetime.now(UTC) - age).timestamp()
        os.utime(part / name, (moment, moment))
    Landing(tmp_path.as_uri()).put("a.dat", [b"x"])
    assert [path.name for path in part.iterdir()] == ["being-written"]
