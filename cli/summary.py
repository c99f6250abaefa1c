"""What a night came to, told to a person: pulled, refused, quarantined, unified, reconciled, and where to look."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

from sqlalchemy import Engine

from cli.night import NightRuns
from cli.output import Row, console, show
from hub.money import yuan
from report import queries

PARTS = ("received", "accepted", "quarantined", "duplicate", "refused")
REASONS_SHOWN = 8


def tell_night(engine: Engine, cycle: str, runs: NightRuns) -> None:
    """The night's figures from the ledger and the publication, and what Airflow ran for them."""
    periods = {(run.dag_id, run.partition_key) for run in runs.feeds}
    show(_feeds(queries.batches(engine, limit=None), periods), json_output=False, title="Pulled and gated, in rows")
    show(_reasons(engine), json_output=False, title="Quarantined, by reason", empty="no rows")
    show(_rules(engine), json_output=False, title="Reconciled: open breaks by rule")
    night = queries.night_summary(engine, cycle)
    if missing := cast("list[str]", night["missing"]):
        console.print(f"Did not come: {', '.join(missing)}")
    console.print(
        f"Unified: {night['customers']:,} big customers from {night['source_customers']:,} source customers; "
        f"night {cycle} is publication {night['publication_id']}, with {night['breaks']} open breaks "
        f"({yuan(cast('int', night['breaks_fen']))} at stake)"
    )
    tried = queries.attempts(engine, limit=None)
    ours = {run.run_id for run in (*runs.feeds, runs.cutoff, *runs.unify)}
    console.print(
        f"Airflow ran {len(runs.feeds)} feed DAGs, the cut-off, and unify ×{len(runs.unify)}: {len(runs.tasks)} tasks; "
        f"the ledger holds {sum(row['run_id'] in ours for row in tried)} attempts of theirs"
    )


def tell_where_to_look(home: Path) -> None:
    """The commands and files that show more."""
    console.print(
        f"""
Where to look
  the auditors' page        {home / "report" / "index.html"}
  the published customers   .venv/bin/bsshub customers
  one of them, explained    .venv/bin/bsshub explain CUSTOMER
  what came, what was wrong .venv/bin/bsshub batches | quarantine | breaks
  the store                 .venv/bin/bsshub url
  all of it, running        make up""",
        soft_wrap=True,
    )


def _feeds(batches: Iterable[Row], periods: set[tuple[str, str | None]]) -> list[Row]:
    """A line a feed, province and period of the night, its batches (corrections too) added up."""
    sums: dict[tuple[object, ...], dict[str, int]] = defaultdict(lambda: dict.fromkeys(("batches", *PARTS), 0))
    for batch in batches:
        dag_id = f"{str(batch['feed']).replace('.', '_')}_{batch['province']}"
        if (dag_id, batch["period"]) in periods:
            line = sums[batch["feed"], batch["province"], batch["period"]]
            line["batches"] += 1
            for part in PARTS:
                line[part] += cast("int | None", batch[part]) or 0
    ordered = sorted(sums.items(), key=lambda item: tuple(map(str, item[0])))
    return [dict(zip(("feed", "in", "period"), where, strict=True)) | _short(line) for where, line in ordered]


def _short(line: Mapping[str, int]) -> dict[str, int]:
    """Headings that leave the table within eighty columns."""
    short = {
        "batches": "n",
        "received": "received",
        "accepted": "accepted",
        "quarantined": "quar.",
        "duplicate": "dup.",
        "refused": "ref.",
    }
    return {short[name]: value for name, value in line.items()}


def _reasons(engine: Engine) -> list[Row]:
    found: dict[tuple[str, str, str], int] = defaultdict(int)
    for row in queries.quarantine_by_reason(engine):
        found[str(row["feed"]), str(row["reason"]), str(row["rule_id"])] += cast("int", row["rows"])
    most = sorted(found.items(), key=lambda item: -item[1])[:REASONS_SHOWN]
    return [{"feed": feed, "reason": reason, "rule": rule, "rows": count} for (feed, reason, rule), count in most]


def _rules(engine: Engine) -> list[Row]:
    return [
        {
            "rule": row["rule"],
            "open": row["open"],
            "at stake": yuan(cast("int", row["open_fen"])),
            "of": row["subjects"],
            "within bound": "yes" if row["passed"] else "no",
        }
        for row in queries.breaks_by_rule(engine)
    ]
