"""The names of a file drop (DOMAIN §3; docs/interfaces.md, "Files"), and which of them make one delivery."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.batch import Kind

_NAME = re.compile(
    r"(?:(?P<correction>[pd])_)?(?P<prefix>[aisz])_(?P<province>[a-z]+)_(?P<period>\d{8}|\d{6})"
    r"_(?P<unit>\d{5})_(?P<resend>\d{2})_(?P<split>\d{3})\.(?P<ending>dat|verf)"
)
_KINDS = {
    "a": Kind.INCREMENTAL,
    "i": Kind.FULL,
    "s": Kind.EVENT,
    "z": Kind.INITIAL,
    "p": Kind.CORRECTION_INSERT,
    "d": Kind.CORRECTION_DELETE,
}


@dataclass(frozen=True)
class DropName:
    text: str
    correction: str
    prefix: str
    province: str
    period: str
    unit: str
    resend: int
    split: int
    is_check_file: bool


def parse_name(text: str) -> DropName | None:
    """None for whatever is not a finished file of the drop (`.tmp`, other people's files)."""
    match = _NAME.fullmatch(text)
    if match is None:
        return None
    return DropName(
        text=text,
        correction=match["correction"] or "",
        prefix=match["prefix"],
        province=match["province"],
        period=match["period"],
        unit=match["unit"],
        resend=int(match["resend"]),
        split=int(match["split"]),
        is_check_file=match["ending"] == "verf",
    )


@dataclass
class Sending:
    """The files of one sending: one prefix and resend number of a unit and period."""

    correction: str
    prefix: str
    resend: int
    data: list[DropName] = field(default_factory=list)
    check_files: list[DropName] = field(default_factory=list)

    @property
    def kind(self) -> Kind:
        return _KINDS[self.correction or self.prefix]

    @property
    def check_file(self) -> DropName | None:
        """A unit's check file bears the number of the first split."""
        return next((name for name in self.check_files if name.split == 1), None)

    def __str__(self) -> str:
        names = [name.text for name in (self.data or self.check_files)]
        return names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}"


@dataclass(frozen=True)
class Choice:
    """What a drop holds of one unit and period: the newest base sending (several where two bear the same number), every
    correction in the order in which they are applied (by number, deletions before insertions), and the base sendings that
    the newest supersedes. A correction supersedes none (docs/decisions/0006)."""

    bases: tuple[Sending, ...]
    corrections: tuple[Sending, ...]
    superseded: tuple[Sending, ...]


def choose(names: Iterable[str], province: str, period: str, unit: str) -> Choice:
    sendings: dict[tuple[str, str, int], Sending] = {}
    for name in filter(None, map(parse_name, sorted(names))):
        if (name.province, name.period, name.unit) != (province, period, unit):
            continue
        key = (name.correction, name.prefix, name.resend)
        sending = sendings.setdefault(key, Sending(*key))
        (sending.check_files if name.is_check_file else sending.data).append(name)
    bases = [sending for sending in sendings.values() if not sending.correction]
    newest = max((sending.resend for sending in bases), default=0)
    return Choice(
        bases=tuple(sending for sending in bases if sending.resend == newest),
        corrections=tuple(sorted((s for s in sendings.values() if s.correction), key=lambda s: (s.resend, s.correction))),
        superseded=tuple(sending for sending in bases if sending.resend != newest),
    )
