"""Compares what a source shows with what its contract says. Every column is known, ignored by name, or a signal."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from hub.errors import FixContract
from schemas.batch import Delivery
from schemas.contract import Contract

SHOWN = 20


def check_columns(
    contract: Contract, seen: Iterable[str], *, where: str, sparse: bool = False, delivery: Delivery | None = None
) -> None:
    """Raises FixContract naming every new and every missing column.

    `sparse` sources (REST, SOAP) may leave a missing value out, so there only a required column is missed.
    """
    seen = dict.fromkeys(seen)
    agreed = {column.source: column for column in contract.columns}
    new = [name for name in seen if name not in agreed and name not in contract.ignored]
    missing = [name for name, column in agreed.items() if name not in seen and (column.required or not sparse)]
    if not new and not missing:
        return
    parts = [f"{what} {_listed(names)}" for what, names in (("new", new), ("missing", missing)) if names]
    raise FixContract(
        f"{where}: columns differ from the contract {contract.feed_id}: {'; '.join(parts)}",
        feed=contract.feed_id,
        where=where,
        new=tuple(new),
        missing=tuple(missing),
        delivery=delivery,
    )


def _listed(names: Collection[str]) -> str:
    shown = [name[:60] for name in names][:SHOWN]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
