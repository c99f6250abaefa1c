"""Charts as inline SVG: where their bars and lines stand. No script, nothing from outside; each says its numbers in words too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from unicodedata import east_asian_width

WIDTH, ROW, LABEL, GAP = 900, 26, 400, 110
LABEL_COLUMNS = 62
TREND_HEIGHT, PAD = 150, 18
MOST = 12


@dataclass(frozen=True)
class Bar:
    """One bar: `label`, its number as `shown`, its place from the top and its length in units of the drawing."""

    label: str
    shown: str
    y: int
    length: int


@dataclass(frozen=True)
class Bars:
    """Horizontal bars, `label` units to the right of the drawing's edge; `said` tells the whole chart in a sentence."""

    said: str
    width: int
    label: int
    height: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Trend:
    """A line over nights: `points` as SVG wants them; `marks` the place, night and number of each."""

    said: str
    width: int
    points: str
    marks: tuple[tuple[int, int, str, str], ...]


def bars(title: str, rows: Sequence[Mapping[str, object]], label: str, value: str, shown: Callable[[int], str]) -> Bars:
    """The first `MOST` rows that have something to show, as they are ordered, and one bar for the rest, so that all add up."""
    kept = [(str(row[label]), int(str(row[value] or 0))) for row in rows if int(str(row[value] or 0)) > 0]
    if len(kept) > MOST + 1:  # a rest of one is shown by its name
        rest = kept[MOST:]
        kept[MOST:] = [(f"{len(rest)} others 其他{len(rest)}项", sum(number for _, number in rest))]
    longest = max((number for _, number in kept), default=1)
    room = WIDTH - LABEL - GAP
    drawn = tuple(
        Bar(_fitting(name), shown(number), place * ROW, max(number * room // longest, 1))
        for place, (name, number) in enumerate(kept)
    )
    said = f"{title}: " + ("; ".join(f"{name} {shown(number)}" for name, number in kept) or "nothing")
    return Bars(said, WIDTH, LABEL, max(len(drawn), 1) * ROW, drawn)


def _fitting(label: str) -> str:
    """Cut where it would run out of the drawing: a Chinese character is as wide as two others."""
    columns = 0
    for place, character in enumerate(label):
        columns += 2 if east_asian_width(character) in "WF" else 1
        if columns > LABEL_COLUMNS:
            return f"{label[: place - 1]}…"
    return label


def trend(title: str, rows: Sequence[Mapping[str, object]], value: str, shown: Callable[[int], str]) -> Trend:
    """`rows` newest night first, each with its `cycle`; drawn oldest first."""
    numbers = [(str(row["cycle"]), int(str(row[value] or 0))) for row in reversed(rows)]
    highest = max((number for _, number in numbers), default=0) or 1
    step = (WIDTH - 2 * PAD) // max(len(numbers) - 1, 1)
    marks = tuple(
        (PAD + place * step, TREND_HEIGHT - PAD - number * (TREND_HEIGHT - 2 * PAD) // highest, cycle, shown(number))
        for place, (cycle, number) in enumerate(numbers)
    )
    said = f"{title}: " + ("; ".join(f"{cycle} {number}" for _, _, cycle, number in marks) or "nothing")
    return Trend(said, WIDTH, " ".join(f"{x},{y}" for x, y, _, _ in marks), marks)
