"""A column renamed, new or gone is signalled, never passed over (STYLE, rule 3)."""

from __future__ import annotations

from collections.abc import Iterable

from hub.errors import FixContract
from schemas.contract import Contract


def check_names(contract: Contract, names: Iterable[str], *, where: str, all_present: bool = True) -> None:
    """Raises FixContract naming the columns the contract does not know, and, where the layout always carries all, those gone."""
    seen = list(names)
    sources = {column.source for column in contract.columns}
    unknown = sorted(set(seen) - sources - set(contract.ignored))
    missing = sorted(sources - set(seen)) if all_present else []
    twice = sorted({name for name in seen if seen.count(name) > 1}) if all_present else []
    if unknown or missing or twice:
        raise FixContract(
            f"{contract.feed_id}: {where} has unknown columns {unknown}, lacks {missing}, repeats {twice}",
            feed=contract.feed_id,
            object=where,
            unknown=unknown,
            missing=missing,
        )
