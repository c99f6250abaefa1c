"""What a person asks to be matched: two extracts, the columns that speak of the same things, and how far they may differ."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from hub.errors import HubError

MONEY_DIGITS = 6
"""Decimals of money kept exactly: amounts are integers of 10^-6 of the currency's unit."""

MOST_SHARE = Decimal("0.9")
BELOW_AMOUNT, MOST_DAYS = 10**12, 36_525
"""No amount that is read is larger, and no two dates that agree are a century apart."""
_TOLERANCES = "an amount (0.05), a share of the larger amount (0.5%), days (3d); several are separated by commas"
_SPLIT = re.compile(r"\s*[,;]\s*")


class Mode(StrEnum):
    """`exact`: rows of one key, or equal in everything named; `one-to-one`: within the tolerances, a row once; `grouped`:
    as one-to-one, and then one row for several, several for one, several for several whose sums agree."""

    EXACT = "exact"
    ONE_TO_ONE = "one-to-one"
    GROUPED = "grouped"


@dataclass(frozen=True)
class Tolerance:
    """How far two rows may differ and still agree. `amount` in the currency's unit, `share` of the larger of the two amounts
    (whichever of the two allows more), `days` either way."""

    amount: Decimal = Decimal(0)
    share: Decimal = Decimal(0)
    days: int = 0


@dataclass(frozen=True)
class Columns:
    """A column's name on each side."""

    left: str
    right: str


@dataclass(frozen=True)
class Question:
    """One matching, asked. Every column is named on both sides."""

    left: Path
    right: Path
    ids: Columns
    keys: tuple[Columns, ...]
    amount: Columns | None
    date: Columns | None
    text: Columns | None
    tolerance: Tolerance
    mode: Mode

    def __post_init__(self) -> None:
        if not self.keys and self.amount is None and self.mode is not Mode.EXACT:
            raise HubError(f"mode {self.mode} needs --amount or --key: there is nothing else to match by")
        if not self.keys and self.amount is None and self.date is None:
            raise HubError("name --key, or --amount with or without --date: there is nothing to match by")
        if self.mode is Mode.GROUPED and self.amount is None:
            raise HubError("mode grouped needs --amount: groups are found by their sums")
        if self.mode is Mode.EXACT and not self.keys and self.tolerance != Tolerance():
            raise HubError("mode exact without --key takes no tolerance; allowed with one: --mode one-to-one, --mode grouped")
        if self.tolerance.days and self.date is None:
            raise HubError("a tolerance in days needs --date")
        if (self.tolerance.amount or self.tolerance.share) and self.amount is None:
            raise HubError("a tolerance of an amount needs --amount")


def mode_of(word: str | None, *, keyed: bool) -> Mode:
    """The mode by its name; unnamed, exact where there is a key and one-to-one where there is none."""
    if word is None:
        return Mode.EXACT if keyed else Mode.ONE_TO_ONE
    try:
        return Mode(word)
    except ValueError:
        raise HubError(f"no mode {word!r}; allowed: {', '.join(Mode)}") from None


def tolerance_of(words: Sequence[str], days: int | None = None) -> Tolerance:
    """`["0.05", "0.5%,3d"]` → Tolerance. Raises HubError, which says what is allowed."""
    amount, share, in_days = Decimal(0), Decimal(0), days or 0
    for word in (part.lower() for given in words for part in _SPLIT.split(given.strip()) if part):
        bare = re.sub(r"^(amount|days?|date)\s*=\s*", "", word)
        if found := re.fullmatch(r"(\d+)\s*(?:d|days?|天)", bare):
            in_days = int(found[1])
        elif found := re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", bare):
            share = Decimal(found[1]) / 100
        elif word.startswith(("day", "date")) and bare.isdigit():
            in_days = int(bare)
        elif found := re.fullmatch(rf"\d+(?:\.\d{{1,{MONEY_DIGITS}}})?", bare):
            if amount:
                raise HubError(f"two amounts as a tolerance, {amount} and {found[0]}; allowed: {_TOLERANCES}")
            amount = Decimal(found[0])
        else:
            raise HubError(f"no tolerance {word!r}; allowed: {_TOLERANCES}")
    if share > MOST_SHARE:
        raise HubError(f"a tolerance of {share * 100:f}% allows nearly everything; allowed: at most {MOST_SHARE:.0%}")
    if amount >= BELOW_AMOUNT:
        raise HubError(f"a tolerance of {amount} is larger than any amount; allowed: less than {BELOW_AMOUNT:,}")
    if in_days > MOST_DAYS:
        raise HubError(f"a tolerance of {in_days} days allows any two dates; allowed: at most {MOST_DAYS:,} days")
    return Tolerance(amount, share, in_days)


def one_column(option: str, words: Sequence[str]) -> Columns | None:
    """`["no"]`, `["no_left=no_right"]`, `["no_left,no_right"]` or both given apart → the column's name on each side."""
    names = [name for word in words for name in _SPLIT.split(word.strip()) if name]
    if not names:
        return None
    if len(names) == 1:
        return _pair(option, names[0])
    if len(names) == 2 and not any("=" in name for name in names):
        return Columns(*names)
    raise HubError(f"{option} names one column: allowed are NAME, LEFT=RIGHT, or LEFT and RIGHT separated by a comma")


def key_columns(words: Sequence[str]) -> tuple[Columns, ...]:
    """`["account,month", "no=number"]` → the columns of a key, in their order."""
    return tuple(_pair("--key", name) for word in words for name in _SPLIT.split(word.strip()) if name)


def _pair(option: str, word: str) -> Columns:
    left, equals, right = (part.strip() for part in word.partition("="))
    if equals and not (left and right):
        raise HubError(f"{option} {word!r} names one side only; allowed: NAME or LEFT=RIGHT")
    return Columns(left, right or left)
