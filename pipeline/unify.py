"""Unify: resolve, reconcile, publish and report one night, once the ledger says that it is complete."""

from __future__ import annotations

from dataclasses import dataclass

from hub.errors import PublicationStopped
from hub.periods import check_kind
from identity.extract import IDENTITY_COLUMNS, RECONCILE_COLUMNS, merged, open_extract
from identity.resolve import ResolveSummary, resolve
from identity.spark import scorer_of
from pipeline.audit import refresh_report
from pipeline.cutoff import Instance, outstanding, unnamed
from pipeline.hub import Hub
from reconcile.run import ReconcileSummary, reconcile
from store.attempts import attempt
from store.publication import Candidate, candidate, is_published, publish


@dataclass(frozen=True)
class UnifySummary:
    """What a run did. `publication_id` is None where it published nothing, for the `reason` given."""

    cycle: str
    publication_id: int | None
    reason: str
    missing: tuple[str, ...] = ()
    resolved: ResolveSummary | None = None
    reconciled: ReconcileSummary | None = None

    def sentence(self) -> str:
        if self.resolved is None or self.reconciled is None:
            return f"night {self.cycle}: {self.reason}"
        without = f", without {', '.join(self.missing)}" if self.missing else ""
        return (
            f"night {self.cycle} published as {self.publication_id}: {self.resolved.customers} customers from "
            f"{self.resolved.source_customers} source customers, {self.reconciled.breaks} breaks{without}"
        )


def unify(hub: Hub, cycle: str, *, run_id: str | None = None) -> UnifySummary:
    """Publishes the night, or says why not: feeds outstanding that no cut-off has named, or nothing new since the publication
    that portals see. Killed and run again, it ends the same.

    Raises PublicationStopped where a critical rule breaks its bound.
    """
    chosen, waiting = _candidate(hub, cycle)
    if waiting:
        return UnifySummary(cycle, None, f"waits for {len(waiting)} feeds, first {waiting[0]}", chosen.missing)
    if is_published(hub.engine, chosen):
        refresh_report(hub)
        return UnifySummary(cycle, None, "published already, and nothing has changed since", chosen.missing)
    with attempt(hub.engine, "unify", period=cycle, run_id=run_id):
        return _publish(hub, chosen)


def has_news(hub: Hub, cycle: str) -> bool:
    """Whether `unify` would publish the night now: it waits for no feed, and portals do not see this data yet."""
    chosen, waiting = _candidate(hub, cycle)
    return not waiting and not is_published(hub.engine, chosen)


def _candidate(hub: Hub, cycle: str) -> tuple[Candidate, list[Instance]]:
    """The night as the store stands, and the feeds it still waits for."""
    check_kind(cycle, "daily")
    with hub.engine.connect() as connection:
        waiting = unnamed(connection, cycle)
        missing = [str(instance) for instance in outstanding(connection, cycle)]
    return candidate(hub.engine, cycle, missing), waiting


def _publish(hub: Hub, chosen: Candidate) -> UnifySummary:
    columns, kept = merged(IDENTITY_COLUMNS, RECONCILE_COLUMNS), hub.settings.home / "extract"
    scorer, memory = scorer_of(hub.settings.spark), hub.settings.home / "identity"
    with open_extract(hub.engine, chosen.seq, columns, chosen.fact_batches, kept=kept) as extract:
        resolved = resolve(hub.engine, chosen.seq, scorer=scorer, extract=extract, memory=memory)
        reconciled = reconcile(hub.engine, chosen.seq, chosen.cycle, chosen.fact_batches, extract=extract)
    if reconciled.blocks_publication:
        raise PublicationStopped("; ".join(reconciled.reasons), cycle=chosen.cycle)
    publication = publish(hub.engine, chosen)
    refresh_report(hub)
    return UnifySummary(chosen.cycle, publication.publication_id, "published", chosen.missing, resolved, reconciled)
