"""`bsshub steward`: the desk of whoever looks after master data. Every act is by a named person, with a reason."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cli.output import as_json, errors_told, show

steward_app = typer.Typer(help="The steward's desk: pairs to judge, decisions, values, signals.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Limit = Annotated[int, typer.Option(help="At most so many rows.", min=1)]
By = Annotated[str, typer.Option("--by", help="Who decides: a person's name or staff number.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, in a sentence.")]
Subject = Annotated[list[str], typer.Argument(help="A pair of the queue (P…), or two records system/province/key.")]
DecisionId = Annotated[int, typer.Argument(help="A decision's number, as `steward decisions` lists it.")]
Customer = Annotated[str, typer.Argument(help="A customer id, for example BC00000001.")]
Attribute = Annotated[str, typer.Argument(help="A golden attribute, for example customer_name.")]

QUEUE_COLUMNS = ("pair", "state", "weight", "a", "a_name", "b", "b_name", "why", "why_zh")


@steward_app.command()
def queue(
    state: Annotated[str | None, typer.Option(help="Only open, unsure, proposed or decided pairs.")] = None,
    limit: Limit = 50,
    json_output: Json = False,
) -> None:
    """Pairs of records the model would not decide alone, likeliest first, with what speaks for and against."""
    from identity import desk
    from pipeline import open_hub

    with errors_told(), open_hub() as hub:
        rows = desk.queue(hub.engine, state=state, limit=limit)
    show(rows, json_output=json_output, title="Review queue 待审队列", columns=QUEUE_COLUMNS)


@steward_app.command("show")
def show_pair(subject: Subject, json_output: Json = False) -> None:
    """One pair in full: both records, every comparison with its weight in bits, what was decided of it."""
    from identity import desk
    from pipeline import open_hub

    with errors_told(), open_hub() as hub:
        pair = desk.pair(hub.engine, *subject)
    if json_output:
        print(as_json(pair))
        return
    show(pair["records"], json_output=False, title=f"Pair {pair['pair'] or ''} ({pair['state']}), weight {pair['weight']}")
    show(pair["compared"], json_output=False, title="What was compared 比较", empty="the model did not compare them")
    show(pair["decisions"], json_output=False, title="Decisions 裁定")


@steward_app.command()
def decide(
    verdict: Annotated[str, typer.Argument(help="same, different or unsure.")],
    subject: Subject,
    by: By,
    reason: Reason,
    json_output: Json = False,
) -> None:
    """Say that two records are the same customer, different ones, or cannot be told. Takes effect at the next unify."""
    from identity import desk
    from identity.decisions import decide_pair, verdict_of
    from pipeline import open_hub

    with errors_told(), open_hub() as hub:
        one, other = desk.subject_records(hub.engine, *subject)
        four_eyes = hub.settings.four_eyes
        decision = decide_pair(hub.engine, one, other, verdict_of(verdict), by=by, reason=reason, four_eyes=four_eyes)
    show([asdict(decision)], json_output=json_output, title="Decided 已裁定")


@steward_app.command()
def confirm(decision: DecisionId, by: By, json_output: Json = False) -> None:
    """The second person's yes to a proposed decision (four eyes); until then it has no effect."""
    from identity import decisions
    from pipeline import open_hub

    with errors_told(), open_hub() as hub:
        show([asdict(decisions.confirm(hub.engine, decision, by=by))], json_output=json_output, title="Confirmed 已复核")


@steward_app.command()
def undo(decision: DecisionId, by: By, reason: Reason, json_output: Json = False) -> None:
    """Withdraw a decision; from the next unify on it is as if it had not been made. One person may, also with four eyes: codes
    and the model decide again."""
    from identity import decisions
    from pipeline import open_hub

    with errors_told(), open_hub() as hub:
        undone = decisions.undo(hub.engine, decision, by=by, reason=reason)
    show([asdict(undone)], json_output=json_output, title="Withdrawn 已撤回")


@steward_app.command("decisions")
def list_decisions(
    kind: Annotated[str | None, typer.Option(help="Only pair or value decisions.")] = None,
    customer: Annotated[str | None, typer.Option(help="Only what concerns this customer or its records.")] = None,
    limit: Limit = 50,
    json_output: Json = False,
) -> None:
    """What stewards decided, newest first, withdrawn or not. Values are not shown: they may be personal."""
    from identity import desk
    from pipeline import open_hub

    with errors_told(), open_hub() as hub:
        rows = desk.decisions(hub.engine, kind=kind, customer=customer, limit=limit)
    show(rows, json_output=json_output, title="Decisions 裁定")


@steward_app.command("set-value")
def set_value(  # noqa: PLR0917 (typer reads arguments off the signature)
    customer: Customer,
    attribute: Attribute,
    value: Annotated[str, typer.Argument(help="The value it is to have.")],
    by: By,
    reason: Reason,
    json_output: Json = False,
) -> None:
    """Give an attribute of a customer a value that wins over every source until it is withdrawn."""
    from identity import decisions
    from pipeline import open_hub

    with errors_told(), open_hub() as hub:
        four_eyes = hub.settings.four_eyes
        decision = decisions.set_value(hub.engine, customer, attribute, value, by=by, reason=reason, four_eyes=four_eyes)
    show([asdict(decision)], json_output=json_output, title="Value set 已设定")


@steward_app.command()
def withdraw(customer: Customer, attribute: Attribute, by: By, reason: Reason, json_output: Json = False) -> None:
    """Withdraw a steward's value: the sources decide again."""
    from identity import decisions
    from pipeline import open_hub

    with errors_told(), open_hub() as hub:
        withdrawn = decisions.withdraw_value(hub.engine, customer, attribute, by=by, reason=reason)
    show([asdict(withdrawn)], json_output=json_output, title="Withdrawn 已撤回")


@steward_app.command()
def signals(
    kind: Annotated[str | None, typer.Option(help="Only this kind, for example junk_code.")] = None,
    limit: Limit = 50,
    json_output: Json = False,
) -> None:
    """What identity saw and did not act upon: junk codes, several codes for one customer, references that facts deny."""
    from identity import desk
    from pipeline import open_hub

    with errors_told(), open_hub() as hub:
        show(desk.signals(hub.engine, kind=kind, limit=limit), json_output=json_output, title="Signals 异常信号")
