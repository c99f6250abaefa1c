"""The world's calendar: nights are Shanghai dates, counted from 1 at `FIRST_NIGHT`; 0 is the state before it."""

from __future__ import annotations

import random
import zlib
from datetime import date, datetime, time, timedelta

FIRST_NIGHT = "20260225"
BASE_NIGHT = "20260305"
BILL_MONTHS = ("202512", "202601", "202602")
BILLING_DUE_DAY = 3
_FIRST = date.fromisoformat("2026-02-25")
BEFORE_FIRST = _FIRST - timedelta(days=1)


def night_index(night: str) -> int:
    """Number of a night, 1 at `FIRST_NIGHT`. Raises ValueError for an earlier night."""
    index = (day_of(night) - _FIRST).days + 1
    if index < 1:
        raise ValueError(f"night {night}: the world begins with night {FIRST_NIGHT}")
    return index


def night_of(index: int) -> str:
    """The night with a number."""
    return f"{_FIRST + timedelta(days=index - 1):%Y%m%d}"


def day_of(night: str) -> date:
    """Shanghai date of a night `YYYYMMDD`."""
    return date.fromisoformat(f"{night[:4]}-{night[4:6]}-{night[6:8]}")


def at_time(day: date, seconds: int) -> datetime:
    """Shanghai wall-clock time, `seconds` after midnight of a day."""
    return datetime.combine(day, time()) + timedelta(seconds=seconds)


def working_time(rng: random.Random, day: date) -> datetime:
    """A moment between 08:00 and 22:00 of a day."""
    return at_time(day, rng.randrange(8 * 3600, 22 * 3600))


def random_day(rng: random.Random, first: date, last: date) -> date:
    """A day of the closed range."""
    return first + timedelta(days=rng.randrange(max((last - first).days, 0) + 1))


def month_bounds(month: str) -> tuple[date, date]:
    """First and last day of a month `YYYYMM`."""
    first = date.fromisoformat(f"{month[:4]}-{month[4:6]}-01")
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def month_before(day: date) -> str:
    """The month before a day's month."""
    return f"{day.replace(day=1) - timedelta(days=1):%Y%m}"


def share(*parts: object) -> float:
    """A stable number in [0, 1) made of the parts: the same choice for the same row, whatever else exists."""
    return zlib.crc32(":".join(map(str, parts)).encode()) / 2**32


def stream(seed: int, *concern: object) -> random.Random:
    """An independent random stream for one concern of the world."""
    return random.Random(f"{seed}:{':'.join(map(str, concern))}")
