"""`bsshub periods`: months, their breaks, and who signed them over which figures."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cli.output import as_json, console, errors_told, show

periods_app = typer.Typer(help="Months: their breaks, their figures, their signatures.", invoke_without_command=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Month = Annotated[str, typer.Argument(help="The month, YYYYMM.")]


@periods_app.callback()
def periods(context: typer.Context, json_output: Json = False) -> None:
    """Every signature of every month, newest first, and how many of its figures no longer hold."""
    if context.invoked_subcommand:
        return
    from pipeline import open_hub
    from report.breaks import signatures

    with errors_told(), open_hub() as hub:
        rows = signatures(hub.engine)
    show(rows, json_output=json_output, title="Signed periods")


@periods_app.command("propose")
def propose(period: Month, json_output: Json = False) -> None:
    """The figures of a month as published, and the critical breaks that stand in the way of signing them."""
    from pipeline import open_hub
    from pipeline.close import proposal_text, propose_period

    with errors_told(), open_hub() as hub:
        proposal = propose_period(hub, period)
    if json_output:
        print(as_json(asdict(proposal)))
        return
    console.print(proposal_text(proposal), soft_wrap=True)
    console.print(f"\nDigest: {proposal.digest}", soft_wrap=True)


@periods_app.command("close")
def close(
    period: Month,
    by: Annotated[str, typer.Option("--by", help="Who signs, by name.")],
    note: Annotated[str, typer.Option("--note", help="What is said with it.")] = "",
    expected: Annotated[
        str | None, typer.Option("--digest", help="Sign only these figures: the digest that `propose` showed.")
    ] = None,
    json_output: Json = False,
) -> None:
    """Sign a month over its figures as published; a later change of one is a severe break."""
    from pipeline import open_hub
    from pipeline.close import close_period

    with errors_told(), open_hub() as hub:
        signature_id = close_period(hub, period, by=by, note=note, expected=expected)
    show([{"period": period, "signature_id": signature_id, "signed_by": by}], json_output=json_output, title="Signed")


@periods_app.command("figures")
def figures(period: Month, json_output: Json = False) -> None:
    """The figures of a month that stand signed."""
    from hub.periods import check_kind
    from pipeline import open_hub
    from report.breaks import figures as signed

    with errors_told(), open_hub() as hub:
        rows = signed(hub.engine, check_kind(period, "monthly"))
    show(rows, json_output=json_output, title=f"Signed figures of {period}", empty="not signed")
