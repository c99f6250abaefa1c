"""`bsshub`: every command. Each opens the hub, calls one function of `pipeline/` or `report/`, and shows what came back."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli.breaks import breaks_app
from cli.filters import FeedFilter, PeriodFilter, ProvinceFilter, ReasonFilter, StateFilter
from cli.folders import writable
from cli.identity import identity_app
from cli.output import as_json, console, errors_told, show
from cli.periods import periods_app
from cli.reconcile import reconcile_app
from cli.steward import steward_app
from hub.logging import configure
from hub.settings import settings

app = typer.Typer(
    name="bsshub",
    help="The big-customer integration hub: pull, gate, load, unify, reconcile, publish — and prove it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # locals hold credentials and people's data
)
quarantine_app = typer.Typer(help="Rows that were refused, with their reason; and their replay.", invoke_without_command=True)
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(identity_app, name="identity")
app.add_typer(breaks_app, name="breaks")
app.add_typer(periods_app, name="periods")
app.add_typer(reconcile_app, name="reconcile")
app.add_typer(steward_app, name="steward")

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Province = Annotated[str | None, typer.Option(help="Only this province, for example gd.")]
Limit = Annotated[int, typer.Option(help="At most so many rows.", min=1)]
FeedArgument = Annotated[str, typer.Argument(help="A feed, for example billing.account.")]
Period = Annotated[str, typer.Option(help="YYYYMMDD for a daily feed, YYYYMM for a monthly one.")]
Night = Annotated[str, typer.Option(help="The night to run, YYYYMMDD (Shanghai date).")]

# What a table of a hundred columns has room for; `--json` holds every key.
FEED_COLUMNS = {
    "feed": "feed", "province": "in", "state": "state", "last_period": "last", "expected_period": "expected", "due": "due",
    "transport": "by", "owner": "owner",
}  # fmt: skip
BATCH_COLUMNS = {
    "batch_id": "batch", "feed": "feed", "province": "in", "period": "period", "state": "state", "received": "received",
    "accepted": "accepted", "quarantined": "quar.", "duplicate": "dup.", "refused": "ref.",
}  # fmt: skip
QUARANTINE_COLUMNS = {
    "batch_id": "batch", "feed": "feed", "province": "in", "row_no": "row", "reason": "code", "rule_id": "rule",
    "meaning": "meaning",
}  # fmt: skip
CUSTOMER_COLUMNS = {
    "customer_id": "customer", "customer_name": "name", "uscc": "uscc", "customer_category": "category",
    "customer_status": "status", "province": "in", "manager_id": "manager",
}  # fmt: skip


@app.callback()
def _set_up(verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens, to stderr.")] = False) -> None:
    configure(20 if verbose else 30)


@app.command()
def feeds(json_output: Json = False) -> None:
    """Every feed: system, transport, contract, schedule, last period, state."""
    from pipeline import open_hub
    from report import queries

    with errors_told(), open_hub() as hub:
        show(queries.feeds(hub.engine), json_output=json_output, title="Feeds", columns=FEED_COLUMNS)


@app.command()
def check(
    system: Annotated[str | None, typer.Argument(help="Only this system, for example crm.")] = None,
    json_output: Json = False,
) -> None:
    """Connect to the sources, compare their columns with the contracts, touch nothing."""
    from pipeline import check_sources

    with errors_told():
        found = check_sources(system)
    show([result.row() for result in found], json_output=json_output, title="Sources")
    if any(not result.ok for result in found):
        raise typer.Exit(1)


@app.command()
def pull(feed: FeedArgument, period: Period, province: Province = None, json_output: Json = False) -> None:
    """One period of one feed through pull, gate and load, without Airflow."""
    from pipeline import PROVINCES, open_hub, run_feed

    with errors_told(), open_hub() as hub:
        done = [row for code in ([province] if province else PROVINCES) for row in run_feed(hub, feed, code, period)]
    show(done, json_output=json_output, title=f"{feed} {period}")


@app.command()
def cycle(night: Night, json_output: Json = False) -> None:
    """Every feed of a night and the unify chain once, without Airflow."""
    from pipeline import open_hub, run_cycle

    with errors_told(), open_hub() as hub:
        result = run_cycle(hub, night)
    show(result.feeds, json_output=json_output, title=f"Night {night}")
    if not json_output:
        console.print(result.unify.sentence())
    if result.failed:
        raise typer.Exit(1)


@app.command()
def batches(  # noqa: PLR0917 (typer reads options off the signature)
    feed: FeedFilter = None,
    province: ProvinceFilter = None,
    period: PeriodFilter = None,
    state: StateFilter = None,
    limit: Limit = 50,
    json_output: Json = False,
) -> None:
    """Batches with their row and money conservation, newest first."""
    from pipeline import open_hub
    from report import queries

    with errors_told(), open_hub() as hub:
        rows = queries.batches(hub.engine, feed=feed, province=province, period=period, state=state, limit=limit)
    show(rows, json_output=json_output, title="Batches", columns=BATCH_COLUMNS)
    if not json_output:
        for row in rows:
            if row["refusal"]:
                console.print(f"batch {row['batch_id']} was refused: {row['refusal']}", soft_wrap=True)


@quarantine_app.callback()
def quarantine(  # noqa: PLR0917 (typer reads options off the signature)
    context: typer.Context,
    feed: FeedFilter = None,
    batch: Annotated[int | None, typer.Option(help="Only this batch.")] = None,
    reason: ReasonFilter = None,
    limit: Limit = 50,
    json_output: Json = False,
) -> None:
    """List quarantined rows: batch and row, the record error, the rule; with --json file and byte too. Never their content."""
    if context.invoked_subcommand:
        return
    from pipeline import open_hub
    from report import queries
    from store import ledger

    with errors_told(), open_hub() as hub:
        if batch is not None:
            with hub.engine.connect() as connection:
                ledger.get(connection, batch)  # an unknown batch is told, not answered with nothing
        rows = queries.quarantine(hub.engine, feed=feed, batch=batch, reason=reason, limit=limit)
    show(rows, json_output=json_output, title="Quarantine", columns=QUARANTINE_COLUMNS)


@quarantine_app.command("show")
def quarantine_show(
    batch: Annotated[int, typer.Argument(help="The batch.")],
    row: Annotated[int, typer.Argument(help="The row's number in it.")],
    json_output: Json = False,
) -> None:
    """Say in words everything that is wrong with one quarantined row. Never its content."""
    from pipeline import explain_quarantined, open_hub

    with errors_told(), open_hub() as hub:
        found = explain_quarantined(hub, batch, row)
    if json_output:
        print(as_json(asdict(found)))
        return
    console.print(f"{found.feed} {found.object_name}, row {row}, byte {found.byte_offset}: {found.reason} {found.rule_id}")
    for fault in found.faults:
        console.print(f"  {fault}")


@quarantine_app.command("replay")
def quarantine_replay(
    batch: Annotated[int, typer.Option(help="The batch whose quarantined rows are to be judged again.")],
    json_output: Json = False,
) -> None:
    """Judge a batch again from its landed bytes, after a contract was corrected; accepted rows are loaded."""
    from pipeline import open_hub, replay

    with errors_told(), open_hub() as hub:
        show(replay(hub, batch), json_output=json_output, title=f"Replay of batch {batch}")


@app.command()
def customers(
    search: Annotated[str | None, typer.Argument(help="Part of a name, a code, or a customer id.")] = None,
    limit: Limit = 50,
    json_output: Json = False,
) -> None:
    """The published big customers."""
    from pipeline import open_hub
    from report import queries

    with errors_told(), open_hub() as hub:
        rows = queries.customers(hub.engine, search=search, limit=limit)
    show(rows, json_output=json_output, title="Customers", columns=CUSTOMER_COLUMNS)


@app.command()
def explain(
    customer: Annotated[str, typer.Argument(help="A customer id, for example BC00000001.")], json_output: Json = False
) -> None:
    """Each attribute of a customer: candidates, winner, rule, batch, row, file; why its records are one; who stands above it."""
    from cli.explained import show_explanation
    from identity.explain import explain as explain_customer
    from pipeline import open_hub

    with errors_told(), open_hub() as hub:
        explanation = explain_customer(hub.engine, customer)
    if json_output:
        print(as_json(asdict(explanation)))
        return
    show_explanation(explanation)


@app.command()
def verify(json_output: Json = False) -> None:
    """The invariants over the whole store; findings and exit 1 if any."""
    from pipeline import open_hub, verify_store

    with errors_told(), open_hub() as hub:
        findings = verify_store(hub)
    show([asdict(finding) for finding in findings], json_output=json_output, title="Findings", empty="none; the invariants hold")
    if findings:
        raise typer.Exit(1)


@app.command()
def expire(
    before: Annotated[str, typer.Option(help="What landed before this day, YYYYMMDD (Shanghai date).")],
    by: Annotated[str, typer.Option("--by", help="Who decides, by name.")],
    reason: Annotated[str, typer.Option(help="Why the bytes go; kept for the auditors.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    json_output: Json = False,
) -> None:
    """Remove landed bytes that nothing but proof needs any more: rows and digests stay, and `verify` does not miss the bytes."""
    from hub.periods import check_kind, starts_at
    from pipeline import open_hub
    from store import retention

    with errors_told(), open_hub() as hub:
        day = starts_at(check_kind(before, "daily"))
        if dry_run:
            objects = retention.due(hub.engine, hub.landing, day)
        else:
            objects = retention.expire(hub.engine, hub.landing, day, by=by, reason=reason)
    show(objects, json_output=json_output, title="Would go" if dry_run else "Expired")


@app.command()
def report(
    out: Annotated[Path | None, typer.Option(callback=writable, help="Where to write it; default .bsshub/report.")] = None,
) -> None:
    """The auditors' pages, with what `verify` finds."""
    from pipeline import open_hub, verify_store, write_report

    with errors_told(), open_hub() as hub:
        console.print(str(write_report(hub, out or settings().report_dir, verify_store(hub))), soft_wrap=True)


@app.command()
def url() -> None:
    """The store's SQLAlchemy URL. The embedded store's holds while a command, `make up` or `bsshub sim` keeps it running."""
    from store.server import store_server

    with errors_told(), store_server(settings()) as address:
        print(address)


@app.command()
def sim(
    customers: Annotated[int, typer.Option(help="Big customers of the simulated world.", min=10)] = 2000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same world, byte for byte.")] = 20260305,
    periods: Annotated[int, typer.Option(help="Nights to play, the last being 20260305.", min=1)] = 1,
) -> None:
    """The simulated systems alone, until Ctrl-C; writes the truth beside them."""
    from cli.simulated import run

    with errors_told():
        run(customers=customers, seed=seed, periods=periods)


def main() -> None:
    app()


if __name__ == "__main__":
    main()
