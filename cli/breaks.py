"""`bsshub breaks`: what stands between systems, why, and what people do about it; each act by a named person."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import Annotated

import typer

from cli.output import Row, as_json, console, errors_told, show
from hub.errors import NotAllowed
from hub.money import yuan

breaks_app = typer.Typer(help="Breaks between systems: list, explain, answer, settle; waivers.", invoke_without_command=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Limit = Annotated[int, typer.Option(help="At most so many rows.", min=1)]
BreakId = Annotated[str, typer.Argument(help="A break, for example B0123456789abcdef.")]
By = Annotated[str, typer.Option("--by", help="Who does it, by name.")]
Why = Annotated[str, typer.Option("--why", help="What is said of it: a cause, a reason.")]

COLUMNS = ("break_id", "rule", "subject", "at stake", "state")
CAUSE_COLUMNS = ("cause", "breaks", "at stake", "rules", "example")


@breaks_app.callback()
def breaks(  # noqa: PLR0917 (typer reads options off the signature)
    context: typer.Context,
    rule: Annotated[str | None, typer.Option(help="Only this rule.")] = None,
    state: Annotated[str | None, typer.Option(help="open, explained, accepted, corrected or closed.")] = None,
    severity: Annotated[str | None, typer.Option(help="critical, major or minor.")] = None,
    owner: Annotated[str | None, typer.Option(help="Only this owner's.")] = None,
    province: Annotated[str | None, typer.Option(help="Only this province, for example gd.")] = None,
    customer: Annotated[str | None, typer.Option(help="Only this customer's, for example BC00000001.")] = None,
    system: Annotated[str | None, typer.Option(help="Only those of this system, for example billing.")] = None,
    older_than: Annotated[int | None, typer.Option(help="Only those open for more than so many days.", min=0)] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those not explained by their deadline.")] = False,
    waived: Annotated[bool, typer.Option("--waived", help="Only those a waiver covers.")] = False,
    limit: Limit = 50,
    json_output: Json = False,
) -> None:
    """Breaks between systems as they stand, most money at stake first."""
    if context.invoked_subcommand:
        return
    from pipeline import open_hub
    from report.breaks import listing

    with errors_told(), open_hub() as hub:
        rows = listing(
            hub.engine, rule=rule, state=state, severity=severity, owner=owner, province=province, customer=customer,
            system=system, older_than=older_than, overdue=overdue, waived=waived, limit=limit,
        )  # fmt: skip
    show(rows if json_output else [_short(row) for row in rows], json_output=json_output, title="Breaks", columns=COLUMNS)


def _short(row: Row) -> Row:
    """What a table shows of a break: its province before its subject, since provinces number alike, as words that may stand below
    each other; money in yuan."""
    subject = str(row["subject"]).replace("=", " ")
    return {**_in_yuan(row), "subject": f"{row['province'] or ''} {subject}".strip()}


def _in_yuan(row: Row) -> Row:
    return {**row, "at stake": yuan(Decimal(str(row["counted_fen"])))}


@breaks_app.command("sums")
def sums(
    by: Annotated[str, typer.Option(help="rule, customer, system, age, owner, severity, province or state.")] = "rule",
    json_output: Json = False,
) -> None:
    """Breaks and money at stake by one dimension; money that several rules look at is counted once."""
    from pipeline import open_hub
    from report.breaks import sums as summed

    with errors_told(), open_hub() as hub:
        rows = summed(hub.engine, by)
    show(rows, json_output=json_output, title=f"Breaks by {by}")


@breaks_app.command("causes")
def causes(limit: Limit = 20, json_output: Json = False) -> None:
    """What breaks have in common, most money first: one unmapped account behind thousands of items is one line."""
    from pipeline import open_hub
    from report.breaks import causes as grouped

    with errors_told(), open_hub() as hub:
        rows = grouped(hub.engine, limit)
    shown = rows if json_output else [_in_yuan(row) for row in rows]
    show(shown, json_output=json_output, title="Root causes", columns=CAUSE_COLUMNS)


@breaks_app.command("explain")
def explain(break_id: BreakId, json_output: Json = False) -> None:
    """Both sides' rows with their files and batches, its history, what was done, what shares its cause."""
    from pipeline import open_hub
    from reconcile.explain import explain as explain_break

    with errors_told(), open_hub() as hub:
        told = explain_break(hub.engine, break_id)
    if json_output:
        print(as_json(asdict(told)))
        return
    now = told.now
    console.print(f"{told.title.en} · {told.title.zh}\n{told.meaning.en}\n{told.meaning.zh}", soft_wrap=True)
    console.print(f"{told.left.en} · {told.left.zh}: {now['left_value']}", soft_wrap=True)
    console.print(f"{told.right.en} · {told.right.zh}: {now['right_value']}", soft_wrap=True)
    money = yuan(Decimal(str(now["money_fen"] or 0)))
    console.print(f"{now['state']}, {money} at stake, owner {now['owner']}, due {now['due_at']}", soft_wrap=True)
    rows = [{**asdict(row), "values": as_line(row.values)} for row in told.rows]
    show(rows, json_output=False, title="The rows of both sides")
    if told.rows_left_out:
        console.print(f"and {told.rows_left_out} rows more")
    for title, listed in (("History", told.history), ("Acts", told.acts), ("Breaks of the same cause", told.alike),
                          ("Requests to systems", told.requests)):  # fmt: skip
        if listed:
            show(list(listed), json_output=False, title=title)


def as_line(values: object) -> str:
    """`a=1 b=2`, of a row's values."""
    return " ".join(f"{name}={value}" for name, value in values.items()) if isinstance(values, dict) else "no longer current"


@breaks_app.command("take")
def take(
    break_id: BreakId,
    by: By,
    why: Why = "takes it",
    owner: Annotated[str | None, typer.Option(help="Who answers for it from now on; by default who takes it.")] = None,
    json_output: Json = False,
) -> None:
    """Make a person or a role answer for a break."""
    _act("take", break_id, by, why, owner=owner, json_output=json_output)


@breaks_app.command("answer")
def answer(break_id: BreakId, by: By, why: Why, json_output: Json = False) -> None:
    """Say what caused a break: open → explained."""
    _act("answer", break_id, by, why, json_output=json_output)


@breaks_app.command("return")
def return_(break_id: BreakId, by: By, why: Why, json_output: Json = False) -> None:
    """Send back what was poorly explained or not mended: → open, due the day after the last night judged, 16:00."""
    _act("return", break_id, by, why, json_output=json_output)


@breaks_app.command("accept")
def accept(break_id: BreakId, by: By, why: Why, json_output: Json = False) -> None:
    """Let a difference stand as explained: explained → accepted, until its values change."""
    _act("accept", break_id, by, why, json_output=json_output)


@breaks_app.command("correct")
def correct(  # noqa: PLR0917 (typer reads options off the signature)
    break_id: BreakId,
    by: By,
    why: Why,
    system: Annotated[str, typer.Option(help="The system that is asked to mend its rows, for example billing.")],
    change: Annotated[list[str], typer.Option("--set", help="COLUMN=VALUE it should have; may be repeated.")],
    json_output: Json = False,
) -> None:
    """Ask the owning system to mend its rows: explained → corrected, and a request in the outbox."""
    with errors_told():
        changed = dict(_pair("--set", word) for word in change)
    _act("correct", break_id, by, why, correction=(system, changed), json_output=json_output)


def _act(
    what: str,
    break_id: str,
    by: str,
    why: str,
    *,
    owner: str | None = None,
    correction: tuple[str, dict[str, str]] | None = None,
    json_output: bool,
) -> None:
    from pipeline import open_hub
    from reconcile.life import Act, Correction, act

    asked = Correction(*correction) if correction else None
    with errors_told(), open_hub() as hub:
        done = act(hub.engine, break_id, Act(what), by=by, said=why, owner=owner, correction=asked)
    show([asdict(done)], json_output=json_output, title=f"{break_id}: {what}")


@breaks_app.command("waive")
def waive(  # noqa: PLR0917 (typer reads options off the signature)
    rule: Annotated[str, typer.Option(help="The rule whose breaks are waived.")],
    starts: Annotated[str, typer.Option("--from", help="The first night, YYYYMMDD; one not judged yet.")],
    expires: Annotated[str, typer.Option("--until", help="The last night, YYYYMMDD; at most 366 nights in all.")],
    by: By,
    why: Why,
    province: Annotated[str | None, typer.Option(help="Only this province.")] = None,
    customer: Annotated[str | None, typer.Option(help="Only this customer's.")] = None,
    subject: Annotated[list[str] | None, typer.Option(help="PART=VALUE of the subject, for example month=202603.")] = None,
    json_output: Json = False,
) -> None:
    """Announce a planned swing before the first night it shows; it ends by itself."""
    from pipeline import open_hub
    from reconcile.waivers import Waiver, announce

    with errors_told(), open_hub() as hub:
        parts = dict(_pair("--subject", word) for word in subject or [])
        waiver_id = announce(hub.engine, Waiver(rule, starts, expires, why, province, customer, parts), by=by)
    show([{"waiver_id": waiver_id, "rule": rule, "from": starts, "until": expires}], json_output=json_output, title="Announced")


@breaks_app.command("unwaive")
def unwaive(
    waiver_id: Annotated[int, typer.Argument(help="A waiver's number.")], by: By, why: Why, json_output: Json = False
) -> None:
    """End a waiver now; what it covered is due from the next night on."""
    from pipeline import open_hub
    from reconcile.waivers import withdraw

    with errors_told(), open_hub() as hub:
        withdraw(hub.engine, waiver_id, by=by, reason=why)
    show([{"waiver_id": waiver_id, "withdrawn_by": by}], json_output=json_output, title="Withdrawn")


@breaks_app.command("waivers")
def waivers(json_output: Json = False) -> None:
    """Every waiver, and how many breaks it covers now."""
    from pipeline import open_hub
    from report.breaks import waivers as announced

    with errors_told(), open_hub() as hub:
        rows = announced(hub.engine)
    show(rows, json_output=json_output, title="Waivers")


@breaks_app.command("requests")
def requests(
    break_id: Annotated[str | None, typer.Option("--break", help="Only this break's.")] = None, json_output: Json = False
) -> None:
    """Corrections asked of the systems, and whether they were sent."""
    from pipeline import open_hub
    from report.breaks import requests as asked

    with errors_told(), open_hub() as hub:
        rows = asked(hub.engine, break_id)
    show(rows, json_output=json_output, title="Requests")


def _pair(option: str, word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not (name.strip() and equals):
        raise NotAllowed(f"{option} {word!r} is not NAME=VALUE")
    return name.strip(), value.strip()
