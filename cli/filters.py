"""Options that narrow a listing. A word that can match nothing is a wrong word, told with those allowed, not an empty list."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Annotated

import typer

from hub.errors import HubError

# What is allowed is looked up when an option is used: `bsshub --help` should not import the contracts.


def _one_of(value: str | None, allowed: Collection[str]) -> str | None:
    """Raises BadParameter (exit 2), which lists what is allowed."""
    if value is not None and value not in allowed:
        raise typer.BadParameter(f"{value!r}; allowed: {', '.join(allowed)}")
    return value


def _feed(value: str | None) -> str | None:
    from schemas.contracts import CONTRACTS

    return _one_of(value, CONTRACTS)


def _province(value: str | None) -> str | None:
    from pipeline import PROVINCES

    return _one_of(value, PROVINCES)


def _batch_state(value: str | None) -> str | None:
    from store.tables_hub import BATCH_STATES

    return _one_of(value, BATCH_STATES)


def _record_error(value: str | None) -> str | None:
    from schemas.contracts import CONTRACTS

    codes = {contract.unit: len(contract.columns) for contract in CONTRACTS.values()}
    if value is not None and not (
        re.fullmatch(r"[0-9]{7}[1-6]", value) and value[:5] in codes and int(value[5:7]) <= codes[value[:5]]
    ):
        said = "unit of the feed, two digits of the column (00: the record), class 1 to 6"
        raise typer.BadParameter(f"{value!r}; allowed: {said}; units: {', '.join(sorted(codes))}")
    return value


def _period(value: str | None) -> str | None:
    from hub.periods import first_day

    try:
        if value is not None:
            first_day(value)
    except HubError as error:
        raise typer.BadParameter(error.message) from None
    return value


FeedFilter = Annotated[str | None, typer.Option("--feed", callback=_feed, help="Only this feed, for example billing.account.")]
ProvinceFilter = Annotated[str | None, typer.Option("--province", callback=_province, help="Only this province, for example gd.")]
ReasonFilter = Annotated[
    str | None, typer.Option("--reason", callback=_record_error, help="Only this record error code, eight digits.")
]
PeriodFilter = Annotated[str | None, typer.Option("--period", callback=_period, help="Only this period.")]
StateFilter = Annotated[
    str | None, typer.Option("--state", callback=_batch_state, help="landed, gated, loaded, refused or superseded.")
]
