"""What auditors ask for: the invariants over the whole store, and the pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from adapters.staging import STAGED_GLOB
from hub.periods import SHANGHAI
from pipeline.hub import Hub
from pipeline.staging import stage_batch
from report import queries
from report.build import build
from store.ledger import Batch
from store.verify import Finding, verify


def verify_store(hub: Hub) -> list[Finding]:
    """Every invariant over the whole store, published rows compared with what their landed bytes still say."""

    def restage(batch: Batch, out: Path) -> str:
        stage_batch(hub, batch, out)
        return str(out / STAGED_GLOB)

    return verify(hub.engine, hub.landing, restage)


def write_report(hub: Hub, out: Path, findings: Sequence[Finding] | None = None) -> Path:
    """The auditors' pages under `out`; `findings` of `verify`, where it was run."""
    told = None if findings is None else [f"{finding.subject}: {finding.detail}" for finding in findings]
    return build(hub.engine, hub.settings, out, findings=told)


def refresh_report(hub: Hub) -> None:
    """Writes the pages where they are older than what portals see: a run killed after publishing left them so."""
    page = hub.settings.report_dir / "index.html"
    shown = queries.publication(hub.engine)
    since = shown["published_at"] if shown else None
    if page.exists() and isinstance(since, datetime) and datetime.fromtimestamp(page.stat().st_mtime, SHANGHAI) > since:
        return
    write_report(hub, hub.settings.report_dir)
