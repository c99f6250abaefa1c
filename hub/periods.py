"""Periods and cycles. A period is `YYYYMMDD` or `YYYYMM`; a cycle is a night, `YYYYMMDD`, a Shanghai date."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from hub.errors import HubError

SHANGHAI = ZoneInfo("Asia/Shanghai")
PeriodKind = Literal["daily", "monthly"]


def first_day(period: str) -> date:
    """First day of a period. Raises HubError where the text is neither `YYYYMMDD` nor `YYYYMM`."""
    try:
        if len(period) == 8 and period.isascii() and period.isdigit():
            return date(int(period[:4]), int(period[4:6]), int(period[6:]))
        if len(period) == 6 and period.isascii() and period.isdigit():
            return date(int(period[:4]), int(period[4:]), 1)
    except ValueError:
        pass
    raise HubError(f"period {period!r} is neither a day YYYYMMDD nor a month YYYYMM", period=period)


def kind_of(period: str) -> PeriodKind:
    first_day(period)
    return "daily" if len(period) == 8 else "monthly"


def check_kind(period: str, kind: PeriodKind) -> str:
    """The period itself, where it is of that kind."""
    if kind_of(period) != kind:
        raise HubError(f"period {period} is not {kind}", period=period, allowed=kind)
    return period


def following(period: str) -> str:
    """The period after this one, of the same kind."""
    start = first_day(period)
    if kind_of(period) == "daily":
        return f"{start + timedelta(days=1):%Y%m%d}"
    return f"{(start.replace(day=28) + timedelta(days=4)).replace(day=1):%Y%m}"


def preceding(period: str) -> str:
    """The period before this one, of the same kind."""
    eve = first_day(period) - timedelta(days=1)
    return f"{eve:%Y%m%d}" if kind_of(period) == "daily" else f"{eve:%Y%m}"


def last_day(period: str) -> date:
    return first_day(following(period)) - timedelta(days=1)


def starts_at(period: str) -> datetime:
    """Shanghai midnight at which the period begins."""
    return datetime.combine(first_day(period), time(), SHANGHAI)


def ends_at(period: str) -> datetime:
    """Shanghai midnight at which the period has passed (exclusive)."""
    return starts_at(following(period))


def period_for_cycle(cycle: str, kind: PeriodKind) -> str:
    """The period of a feed that a night asks for: the day itself, or the latest month that had passed."""
    check_kind(cycle, "daily")
    return cycle if kind == "daily" else preceding(cycle[:6])


def month_of(period: str) -> str:
    first_day(period)
    return period[:6]


def now() -> datetime:
    """The present, in Shanghai's zone."""
    return datetime.now(SHANGHAI)
