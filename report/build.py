"""`bsshub report`: one page for auditors, with the whole lists and the referee's pages beside it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine

from adapters.feeds import PROVINCES
from hub.settings import Settings
from report import exports, queries, sql
from report.docs import copy_docs
from report.page import Facts, compose, number
from report.reconciliation import read_ledger, render_ledger
from report.render import render
from report.steward import read_desk, render_desk
from schemas.contracts import CONTRACTS

NIGHTS = 7
BREAKS_SHOWN = 100
ATTEMPTS_SHOWN = 100
SCRATCH = ".report-"
SCRATCH_LIFETIME = timedelta(days=1)


def build(engine: Engine, settings: Settings, out: Path, *, findings: Sequence[str] | None = None, nights: int = NIGHTS) -> Path:
    """Writes `index.html`, `steward.html`, `reconciliation.html`, the CSV lists and `gx/` (Data Docs of the shown batches) into
    `out`; returns the path of the first.

    Everything comes from one snapshot of the store, and equal stores make equal files. Batches of about `nights` nights are
    shown in full, the rest is in the lists. `findings` is what `verify` found; None says that it was not run. A page that is
    already there is replaced only when the new one is whole. Raises OSError where `out` cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    _clear_left(out)
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=out) as scratch:
        made = Path(scratch)
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            lists = exports.write(connection, made)
            steward = render_desk(read_desk(connection))
            reconciliation = render_ledger(read_ledger(connection))
            facts = read(connection, shown=nights * len(CONTRACTS) * len(PROVINCES), findings=findings)
        links = copy_docs(settings.docs_dir, [number(row, "batch_id") for row in facts.batches], made)
        (made / "steward.html").write_text(steward, "utf-8")
        (made / "reconciliation.html").write_text(reconciliation, "utf-8")
        (made / "index.html").write_text(render(compose(facts, links, lists)), "utf-8")
        _replace(made, out)
    return out / "index.html"


def read(connection: Connection, *, shown: int, findings: Sequence[str] | None = None) -> Facts:
    """The page's facts, with the newest `shown` batches."""
    batches = queries.batches(connection, limit=shown)
    [counts] = queries.rows(connection, sql.COUNTS)
    return Facts(
        publication=queries.publication(connection),
        feeds=queries.feeds(connection),
        batches=batches,
        batches_total=number(counts, "batches"),
        gate_results=queries.gate_results(connection, [number(row, "batch_id") for row in batches]),
        quarantine=queries.quarantine_by_reason(connection),
        break_rules=queries.breaks_by_rule(connection),
        breaks=queries.breaks(connection, limit=BREAKS_SHOWN),
        breaks_total=number(counts, "breaks"),
        missing=queries.missing_feeds(connection),
        totals=queries.published_totals(connection),
        attempts=queries.attempts(connection, limit=ATTEMPTS_SHOWN),
        attempts_total=number(counts, "attempts"),
        findings=findings,
    )


def _clear_left(out: Path) -> None:
    """What a killed run left half-made; a younger one may be at work."""
    for scratch in out.glob(f"{SCRATCH}*"):
        if time.time() - scratch.stat().st_mtime > SCRATCH_LIFETIME.total_seconds():
            shutil.rmtree(scratch, ignore_errors=True)


def _replace(made: Path, out: Path) -> None:
    """Moves what was made into place, the page last, so that no page points at lists that are not there."""
    for item in sorted(made.iterdir(), key=lambda path: path.name == "index.html"):
        target = out / item.name
        if target.is_dir():
            shutil.rmtree(target)
        item.replace(target)
