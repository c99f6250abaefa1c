"""`bsshub identity preview`: what a change of settings would do. `bsshub identity history`: who a customer was, and why."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.output import as_json, console, errors_told, show
from hub.errors import NotFound
from hub.money import yuan

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def preview(
    settings: Annotated[Path, typer.Option("--settings", help="The settings file to try against the one in force.")],
    limit: Annotated[int, typer.Option(help="At most so many changes; JSON holds them all.", min=1)] = 50,
    json_output: Json = False,
) -> None:
    """Which customers would merge or split under other settings, with their bills, managers and grades. Publishes nothing."""
    from functools import partial

    from identity.linking import ModelLinker
    from identity.preview import preview as look_ahead
    from identity.settings import load_settings
    from identity.spark import scorer_of
    from pipeline import open_hub

    with errors_told(), open_hub() as hub:
        linker = partial(ModelLinker, scorer=scorer_of(hub.settings.spark))
        seen = look_ahead(hub.engine, load_settings(settings), linker=linker)
    if json_output:
        print(as_json(asdict(seen)))
        return
    console.print(
        f"Model {seen.model_now} → {seen.model_new}: customers {seen.customers_now:,} → {seen.customers_new:,}, "
        f"pairs to review {seen.review_now:,} → {seen.review_new:,}, changes {len(seen.changes):,}. Nothing was published."
    )
    rows = [{**asdict(change), "billed_fen": yuan(change.billed_fen)} for change in seen.changes[:limit]]
    told = [{name: " + ".join(value) if isinstance(value, tuple) else value for name, value in row.items()} for row in rows]
    show(told, json_output=False, title="Customers that would merge or split 将合并或拆分的客户", empty="none")


def history(
    customer: Annotated[str, typer.Argument(help="Any id the customer ever had, or a source key system/province/key.")],
    on: Annotated[str | None, typer.Option(help="As portals were shown it for this night, YYYY-MM-DD; default: now.")] = None,
    json_output: Json = False,
) -> None:
    """Who a customer was on a night, and why it became what it is: events with their cause, its records, its golden values."""
    from identity.history import history as look_back
    from pipeline import open_hub

    with errors_told(), open_hub() as hub:
        past = look_back(hub.engine, customer, on=_date(on))
    if json_output:
        print(as_json(asdict(past)))
        return
    events = [
        {
            "night": event.cycle, "customer_id": event.customer_id, "event": event.happened.en, "事件": event.happened.zh,
            "because": event.because.en,
        }
        for event in past.events
    ]  # fmt: skip
    records = [{**asdict(member), "why": "; ".join(label.en for label in member.why)} for member in past.members]
    goes_by = past.customer_id or "nobody's: none of its records was there"
    console.print(
        f"{past.asked} on {past.on or 'the night shown now'}: {goes_by}; ids that ever touched it: {', '.join(past.ids)}"
    )
    show(events, json_output=False, title="What happened 经过")
    show(records, json_output=False, title="Its source records then 当时的源记录")
    show([asdict(cell) for cell in past.cells], json_output=False, title="Its golden record then 当时的黄金记录")


def _date(text: str | None) -> date | None:
    """Raises NotFound where the text is no date."""
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y%m%d" if text.isdigit() else "%Y-%m-%d").date()  # noqa: DTZ007 (a night has no zone)
    except ValueError:
        raise NotFound(f"{text!r} is no date; write YYYY-MM-DD or YYYYMMDD", asked=text) from None
