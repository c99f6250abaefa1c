"""One row for several, several for one, several for several: rows whose amounts add up, among those nothing else is matched to.

What binds rows is their key; without one an equal text; without either only their dates. Within a bound set a row is
answered by the one subset of the other side whose sum agrees; by two subsets, it stays for a person. Subsets are looked for
among the `NEAREST` rows of the other side. Where only dates bind, a sum that chance would give as well is no answer either.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import gcd
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa

from reconcile.matching.question import MONEY_DIGITS, Question, Tolerance

NEAREST = 16
SHOWN = 3
BY_CHANCE = 0.5
"""With this many sums expected to agree by chance, a sum that agrees proves nothing."""
ALONE, MANY = "1", "N"

EMPTY = """
create or replace table grouped (group_no bigint, settled boolean, kind varchar, side varchar, row_no bigint, place bigint)
"""
_SCOPES = """
select side, row_number() over (order by side, day, amount, id, row_no) as rank, amount, coalesce(day, 0) as day, row_no,
    {scope} as scope
from rows
where fault is null and {scope} {bound}
    and (side, row_no) not in (
        select ('left', left_row) from paired union all select ('right', right_row) from paired
        union all select ('left', left_row) from tied union all select ('right', right_row) from tied
        union all select (side, row_no) from grouped)
order by scope, rank
"""


class Row(NamedTuple):
    """`rank` orders rows by what they hold, whatever their order in the extract."""

    side: str
    rank: int
    amount: int
    day: int
    row_no: int


@dataclass(frozen=True)
class Group:
    """Rows of both sides that belong together; `settled` False: only perhaps."""

    left: tuple[Row, ...]
    right: tuple[Row, ...]
    settled: bool

    @property
    def kind(self) -> str:
        return f"{ALONE if len(self.left) == 1 else MANY}:{ALONE if len(self.right) == 1 else MANY}"

    @property
    def rows(self) -> frozenset[Row]:
        return frozenset((*self.left, *self.right))


def group(connection: duckdb.DuckDBPyConnection, question: Question) -> None:
    """Fills `grouped` with rows that are in neither `paired` nor `tied`."""
    if question.keys:
        passes = [("key", "is not null", True)]
    elif question.text is not None:
        passes = [("text", "<> ''", True), ("''", "is not null", False)]
    else:
        passes = [("''", "is not null", False)]
    numbers = itertools.count(1)
    for scope, bound, binding in passes:
        found = connection.execute(_SCOPES.format(scope=scope, bound=bound)).fetchall()
        scopes = itertools.groupby(found, key=lambda row: row[5])
        made = (groups([Row(*row[:5]) for row in rows], question.tolerance, bound=binding) for _, rows in scopes)
        _keep(connection, [member for one in itertools.chain.from_iterable(made) for member in _members(next(numbers), one)])


def groups(rows: Sequence[Row], tolerance: Tolerance, *, bound: bool) -> Iterator[Group]:
    """The groups among rows of one scope; `bound`: something beside their dates says that they belong together."""
    free = list(rows)
    for one, other in (("left", "right"), ("right", "left")):
        for made in _answers(free, one, other, tolerance, bound=bound):
            yield made
            free = [row for row in free if row not in made.rows]
    left, right = (tuple(row for row in free if row.side == side) for side in ("left", "right"))
    if bound and left and right and _agree(left, right, tolerance):
        yield Group(left, right, settled=True)


def _answers(free: Sequence[Row], one: str, other: str, tolerance: Tolerance, *, bound: bool) -> Iterator[Group]:
    parts = [row for row in free if row.side == other]
    found = {row: _subsets(row, parts, tolerance, bound=bound) for row in free if row.side == one}
    wanted: dict[Row, int] = {}
    for solutions, _ in found.values():
        for part in frozenset().union(*solutions) if solutions else ():
            wanted[part] = wanted.get(part, 0) + 1
    taken: set[Row] = set()
    for row, (solutions, sure) in found.items():
        offered = [solution for solution in solutions if not taken & set(solution)]
        if not offered:
            continue
        alone = sure and len(solutions) == 1 and all(wanted[part] == 1 for part in offered[0])
        chosen = offered[0] if alone else tuple(sorted(frozenset().union(*offered[:SHOWN])))
        taken.update(chosen)
        sides = {one: (row,), other: chosen}
        yield Group(sides["left"], sides["right"], settled=alone)


def _subsets(row: Row, parts: Sequence[Row], tolerance: Tolerance, *, bound: bool) -> tuple[list[tuple[Row, ...]], bool]:
    """The subsets of two and more `parts` that add up to the row, all of them first; and whether one alone would be proof."""
    near = [part for part in parts if abs(part.day - row.day) <= tolerance.days and part.amount * row.amount > 0]
    allowed = _allowed(tolerance, row.amount)
    if len(near) > 1 and abs(sum(part.amount for part in near) - row.amount) <= allowed:
        return [tuple(near)], bound or len(near) <= NEAREST
    near = sorted(
        (part for part in near if abs(part.amount) <= abs(row.amount) + allowed),
        key=lambda part: (abs(part.day - row.day), part),
    )[:NEAREST]
    if len(near) < 2:
        return [], False
    amounts = np.array([part.amount for part in near], dtype=np.int64)
    sums = np.zeros(1, dtype=np.int64)
    for amount in amounts:
        sums = np.concatenate([sums, sums + amount])
    hits = np.flatnonzero(np.abs(sums - row.amount) <= allowed)
    several = [int(hit) for hit in hits if int(hit).bit_count() > 1]
    solutions = [tuple(part for place, part in enumerate(near) if hit >> place & 1) for hit in several]
    grain = gcd(*(abs(part.amount) for part in near), abs(row.amount))
    chance = len(sums) * (2 * allowed // grain + 1) * grain / sum(abs(part.amount) for part in near)
    return sorted(solutions, key=lambda solution: (len(solution), solution)), bound or chance < BY_CHANCE or len(near) == 2


def _agree(left: Sequence[Row], right: Sequence[Row], tolerance: Tolerance) -> bool:
    days = [row.day for row in (*left, *right)]
    total = sum(row.amount for row in left)
    return max(days) - min(days) <= tolerance.days and abs(total - sum(row.amount for row in right)) <= _allowed(tolerance, total)


def _allowed(tolerance: Tolerance, amount: int) -> int:
    fixed = int(tolerance.amount.scaleb(MONEY_DIGITS))
    share = int(tolerance.share.scaleb(MONEY_DIGITS))
    of_amount: int = abs(amount) * share // 10**MONEY_DIGITS
    return max(fixed, of_amount)


def _members(number: int, made: Group) -> Iterator[tuple[object, ...]]:
    for side in ("left", "right"):
        for place, row in enumerate(getattr(made, side), 1):
            yield (number, made.settled, made.kind, side, row.row_no, place)


def _keep(connection: duckdb.DuckDBPyConnection, members: Sequence[tuple[object, ...]]) -> None:
    if not members:
        return
    names = ("group_no", "settled", "kind", "side", "row_no", "place")
    columns = zip(names, zip(*members, strict=True), strict=True)
    connection.register("kept_group", pa.table({name: pa.array(values) for name, values in columns}))
    connection.execute("insert into grouped select * from kept_group")
    connection.unregister("kept_group")
