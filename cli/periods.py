"""`bsshub periods`: months, their breaks, and who signed them over which figures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated

import typer

from cli.output import as_json, console, errors_told, show
from hub.money import yuan

periods_app = typer.Typer(help="Months: their breaks, their figures, their signatures.", invoke_without_command=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Month = Annotated[str, typer.Argument(help="The month, YYYYMM.")]
# `critical` breaks are those that stand in the way of signing; `changed` counts figures that no longer are what was signed.
MONTH_COLUMNS = {
    "period": "month", "unsettled": "not settled", "critical": "critical", "at stake": "at stake", "signed_by": "signed by",
    "signed_at": "signed at", "changed": "changed",
}  # fmt: skip


@periods_app.callback()
def periods(context: typer.Context, json_output: Json = False) -> None:
    """Every month that the publication holds, newest first: breaks that are not settled, who signed it, figures changed since."""
    if context.invoked_subcommand:
        return
    from pipeline import open_hub
    from report.breaks import periods as months

    with errors_told(), open_hub() as hub:
        rows = months(hub.engine)
    shown = rows if json_output else [{**row, "at stake": yuan(int(str(row["counted_fen"])))} for row in rows]
    show(shown, json_output=json_output, title="Months", columns=MONTH_COLUMNS)


@periods_app.command("propose")
def propose(period: Month, json_output: Json = False) -> None:
    """The figures of a month as published, and the critical breaks that stand in the way of signing them."""
    from pipeline import open_hub
    from pipeline.close import propose_period

    with errors_told(), open_hub() as hub:
        proposal = propose_period(hub, period)
    if json_output:
        print(as_json(asdict(proposal)))
        return
    figures_told = [(one.province, one.figure, one.value) for one in proposal.figures]
    _tell_figures(figures_told, f"{period} as publication {proposal.publication_id} holds it")
    if proposal.unsettled:
        console.print("\nCritical breaks not settled · 未了结的严重差异:")
        for rule, count in proposal.unsettled.items():
            console.print(f"  {rule}: {count:,}")
    console.print(f"\nDigest: {proposal.digest}", soft_wrap=True)


def _tell_figures(figures: Iterable[tuple[str, str, int]], title: str) -> None:
    from pipeline.close import figure_shown
    from reconcile.figures import FIGURES

    rows = [
        {"in": province, "figure": FIGURES[name].en, "数字": FIGURES[name].zh, "value": figure_shown(name, value)}
        for province, name, value in figures
    ]
    show(rows, json_output=False, title=title, empty="not signed")


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
    if json_output:
        show(rows, json_output=True, title="")
        return
    told = [(str(row["province"]), str(row["figure"]), int(str(row["value"]))) for row in rows]
    _tell_figures(told, f"Signed figures of {period}")
