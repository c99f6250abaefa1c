"""`verify`: the six invariants (ARCHITECTURE) over the whole store, down to the landed bytes.

It trusts nothing that can be derived again: rows are staged once more from landing, hashes computed, digests compared with what
the chain says was published.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy import Connection, Engine, select, text

from hub.errors import HubError
from store import duck, ledger, retention, tables
from store.checks_core import check_history, check_rows
from store.checks_landing import check_landing
from store.checks_ledger import check_accounts, check_chain, check_clock, check_order
from store.checks_publication import check_publications
from store.checks_reconcile import check_reconciliation
from store.finding import Finding
from store.landing import Landing
from store.ledger import Batch

Restage = Callable[[Batch, Path], str]
"""Stages a batch again from landing into a folder, and says the glob of its Parquet files (`adapters.staging`, from above)."""

__all__ = ["Finding", "Restage", "verify"]


def verify(engine: Engine, landing: Landing, restage: Restage) -> list[Finding]:
    """Everything found wrong, by name; an empty list is a passed check. Reads only. Nothing may be loading meanwhile."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        connection.execute(text("set local timezone = 'UTC'"))
        findings = [
            *check_accounts(connection),
            *check_chain(connection),
            *check_order(connection),
            *check_clock(connection),
            *check_history(connection),
            *check_publications(connection),
            *check_reconciliation(connection),
        ]
        batches = _batches(connection)
        expired = retention.expired(connection)
    unreadable, landed = check_landing(landing, batches, expired)
    findings += landed
    findings += _check_against_landing(engine, [batch for batch in batches if batch.batch_id not in unreadable], restage)
    return findings


def _batches(connection: Connection) -> list[Batch]:
    rows = connection.execute(select(tables.batch).order_by(tables.batch.c.batch_id)).mappings()
    return [ledger.batch_of(row) for row in rows]


def _check_against_landing(engine: Engine, batches: Sequence[Batch], restage: Restage) -> list[Finding]:
    findings: list[Finding] = []
    with duck.session(engine.url, read_only=True) as connection, tempfile.TemporaryDirectory(prefix="bsshub-verify-") as folder:
        for batch in batches:
            if batch.counts is None:
                continue
            place = Path(folder) / str(batch.batch_id)
            try:
                rows = restage(batch, place)
            except HubError as error:
                findings.append(Finding(5, f"batch {batch.batch_id}", f"cannot be staged again from landing: {error.message}"))
                continue
            findings += check_rows(connection, batch, rows)
    return findings
