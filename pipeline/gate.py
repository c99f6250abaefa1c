"""Gate: stage the batch, judge it by its contract, quarantine what is wrong, decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.staging import Staged, stage
from hub.errors import RefuseDelivery
from pipeline.hub import Hub
from quality import Verdict, judge, write_quarantine
from schemas.batch import Account
from store import ledger
from store.attempts import attempt


@dataclass(frozen=True)
class GateSummary:
    """What the gate said of one batch."""

    batch_id: int
    accepted: bool
    account: Account
    refusal_code: str | None
    refusal_reason: str | None


def gate(hub: Hub, batch_ids: Sequence[int], *, run_id: str | None = None) -> list[GateSummary]:
    """Judges each batch. All are judged and recorded before RefuseDelivery is raised for the first refused one, so that a bad
    correction does not keep a good base delivery from the ledger."""
    summaries = [_gate_one(hub, batch_id, run_id) for batch_id in batch_ids]
    refused = [summary for summary in summaries if not summary.accepted]
    if refused and len(refused) == len(summaries):
        raise RefuseDelivery(
            f"batch {refused[0].batch_id}: {refused[0].refusal_reason}",
            code=refused[0].refusal_code or "refused",
            batch_id=refused[0].batch_id,
        )
    return summaries
