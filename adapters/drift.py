"""Compares what a source shows with what its contract says. Every column is known, ignored by name, or a signal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from enum import Enum, auto

from hub.errors import FixContract
from schemas.batch import Delivery
from schemas.contract import Contract

SHOWN = 20


class Carries(Enum):
    """Which of the contract's columns must be among those seen. One that nobody declared is drift in any case."""

    ALL = auto()  # a table, an extract's header: every column, once
    REQUIRED = auto()  # a whole REST or SOAP read: a missing value is left out, so only a required column is missed
    ANY = auto()  # one page of such a read: what it lacks, another may hold


def check_columns(
    contract: Contract, seen: Iterable[str], *, where: str, carries: Carries, delivery: Delivery | None = None
) -> None:
    """Raises FixContract naming every column that is new, missing or repeated; facts `new`, `missing`, `repeated`, `delivery`."""
    counted = Counter(seen)
    agreed = {column.source: column for column in contract.columns}
    new = [name for name in counted if name not in agreed and name not in contract.ignored]
    missing = [
        name
        for name, column in agreed.items()
        if name not in counted and (carries is Carries.ALL or (carries is Carries.REQUIRED and column.required))
    ]
    repeated = [name for name, times in counted.items() if times > 1] if carries is Carries.ALL else []
    found = {"new": new, "missing": missing, "repeated": repeated}
    if not any(found.values()):
        return
    said = "; ".join(f"{what} {_listed(names)}" for what, names in found.items() if names)
    raise FixContract(
        f"{where}: columns differ from the contract {contract.feed_id}: {said}",
        feed=contract.feed_id,
        where=where,
        delivery=delivery,
        **{what: tuple(names) for what, names in found.items()},
    )


def _listed(names: Collection[str]) -> str:
    shown = [name[:60] for name in names][:SHOWN]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
