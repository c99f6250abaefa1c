"""`bsshub reconcile`: comparing extracts by hand, without the store; and payments with bills, in it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli.folders import writable
from cli.output import as_json, console, errors_told, show

reconcile_app = typer.Typer(no_args_is_help=True)

Extract = Annotated[Path, typer.Option(help="CSV (UTF-8 or GB18030), workbook (.xlsx …) or Parquet, its first line the heading.")]
Ids = Annotated[list[str], typer.Option("--id", help="The id column; LEFT=RIGHT where the two extracts name it differently.")]
Keys = Annotated[
    list[str] | None,
    typer.Option("--key", help="Columns that must be equal, separated by commas; each NAME or LEFT=RIGHT. May be repeated."),
]
AmountColumn = Annotated[list[str] | None, typer.Option("--amount", help="The column of money; NAME or LEFT=RIGHT.")]
DateColumn = Annotated[list[str] | None, typer.Option("--date", help="The column of the date; NAME or LEFT=RIGHT.")]
TextColumn = Annotated[
    list[str] | None,
    typer.Option("--text", help="Free text (payer, memo) that may help, and need never be equal; NAME or LEFT=RIGHT."),
]
Tolerances = Annotated[
    list[str] | None,
    typer.Option("--tolerance", help="0.05 (amount), 0.5% (of the larger amount), 3d (days); commas between, may be repeated."),
]
Days = Annotated[int | None, typer.Option("--days", help="The same as --tolerance Nd.", min=0)]
ModeName = Annotated[
    str | None,
    typer.Option("--mode", help="exact, one-to-one or grouped; by default exact where --key is given, else one-to-one."),
]


@reconcile_app.callback()
def reconcile() -> None:
    """Compare extracts by hand, without the store; or the published payments with the bills."""


@reconcile_app.command("try")
def try_(  # noqa: PLR0917 (typer reads options off the signature)
    left: Extract,
    right: Extract,
    ids: Ids,
    out: Annotated[Path, typer.Option(callback=writable, help="The folder the lists are written to.")],
    key: Keys = None,
    amount: AmountColumn = None,
    date: DateColumn = None,
    tolerance: Tolerances = None,
    days: Days = None,
    text: TextColumn = None,
    mode: ModeName = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Match two extracts: matched, left_only, right_only, differing and suggested rows as CSV lists, each row counted once."""
    from reconcile.matching import question as asked
    from reconcile.matching.trial import answer_question

    with errors_told():
        keys = asked.key_columns(key or [])
        named = asked.one_column("--id", ids)
        question = asked.Question(
            left,
            right,
            named or asked.Columns("id", "id"),
            keys,
            asked.one_column("--amount", amount or []),
            asked.one_column("--date", date or []),
            asked.one_column("--text", text or []),
            asked.tolerance_of(tolerance or [], days),
            asked.mode_of(mode, keyed=bool(keys)),
        )
        summary = answer_question(question, out)
    if json_output:
        sys.stdout.write(as_json({**asdict(summary), "out": str(out)}) + "\n")
        return
    show(summary.rows(), json_output=False, title=f"{left.name} against {right.name}, {question.mode}, {summary.seconds} s")
    console.print(f"Matched: {', '.join(f'{count:,} {kind}' for kind, count in summary.kinds.items())}")
    for note in summary.notes:
        console.print(note)
    console.print(f"Lists: {out}", soft_wrap=True)


@reconcile_app.command("payments")
def payments(
    limit: Annotated[int, typer.Option(help="At most so many suggestions.", min=1)] = 50,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """What the published payments were for: named, told by amounts, or left for a person with the bills each may be of."""
    from pipeline import open_hub
    from reconcile.settlement import published

    with errors_told(), open_hub() as hub:
        found = published(hub.engine)
    suggested = found.suggested[:limit]
    if json_output:
        sys.stdout.write(as_json({"ways": found.ways, "suggested": suggested}) + "\n")
        return
    show(found.ways, json_output=False, title="Payments by how they settle")
    show(suggested, json_output=False, title="For a person to decide", empty="none")


@reconcile_app.command("assign")
def assign_(  # noqa: PLR0917 (typer reads options off the signature)
    payment: Annotated[str, typer.Argument(help="A payment that waits for a person.")],
    bill: Annotated[str, typer.Argument(help="The bill it is of.")],
    province: Annotated[str, typer.Option(help="The payment's province, for example gd.")],
    by: Annotated[str, typer.Option("--by", help="Who decides, by name.")],
    why: Annotated[str, typer.Option("--why", help="How they know.")],
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Say which bill a suggested payment is of: a request for billing, which is to name the bill."""
    from pipeline import open_hub
    from reconcile.settlement import assign

    with errors_told(), open_hub() as hub:
        outbox_id = assign(hub.engine, province, payment, bill, by=by, why=why)
    show([{"outbox_id": outbox_id, "payment": payment, "bill": bill}], json_output=json_output, title="Asked of billing")


@reconcile_app.command("unassign")
def unassign_(
    payment: Annotated[str, typer.Argument(help="A payment that somebody assigned to a bill.")],
    province: Annotated[str, typer.Option(help="The payment's province, for example gd.")],
    by: Annotated[str, typer.Option("--by", help="Who takes it back, by name.")],
    why: Annotated[str, typer.Option("--why", help="What was wrong with it.")],
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Take back what was said of a payment, while billing has not been sent it: it waits for a person again."""
    from pipeline import open_hub
    from reconcile.settlement import unassign

    with errors_told(), open_hub() as hub:
        outbox_id = unassign(hub.engine, province, payment, by=by, why=why)
    show([{"outbox_id": outbox_id, "payment": payment}], json_output=json_output, title="Withdrawn")
