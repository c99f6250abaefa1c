"""Gate: stage the batch, judge it by its contract, quarantine what is wrong, decide."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from hub.errors import FixContract, RefuseDelivery
from pipeline.hub import Hub
from pipeline.pull import code_of
from pipeline.staging import judge_batch, object_ends, workspace
from quality import Verdict, write_quarantine
from schemas.batch import Account
from store import ledger
from store.attempts import attempt
from store.ledger import Batch


@dataclass(frozen=True)
class GateSummary:
    """What the gate said of one batch; `account` is None for a batch refused before the gate."""

    batch_id: int
    accepted: bool
    account: Account | None
    refusal_code: str | None
    refusal_reason: str | None

    def refusal(self) -> RefuseDelivery:
        return RefuseDelivery(
            f"batch {self.batch_id}: {self.refusal_reason}", code=self.refusal_code or "", batch_id=self.batch_id
        )


def gate(hub: Hub, batch_ids: Sequence[int], *, run_id: str | None = None) -> list[GateSummary]:
    """Judges each batch and records what was found.

    Every batch is judged before RefuseDelivery is raised for the base delivery (the first), so that its corrections are told
    too; a refused correction alone does not keep its base delivery out.
    """
    summaries = [_gate_one(hub, batch_id, run_id) for batch_id in batch_ids]
    if summaries and not summaries[0].accepted:
        raise summaries[0].refusal()
    return summaries


def _gate_one(hub: Hub, batch_id: int, run_id: str | None) -> GateSummary:
    with hub.engine.connect() as connection:
        batch = ledger.get(connection, batch_id)
    if batch.state == "refused" and batch.account is None:
        return _summary(batch)
    where = {"system": batch.system, "feed": batch.feed, "province": batch.province, "period": batch.period}
    try:
        with attempt(hub.engine, "gate", run_id=run_id, **where) as trying:
            trying.batch_ids.append(batch_id)
            summary = _summary(_judge(hub, batch))
            if not summary.accepted:
                raise summary.refusal()  # so that the ledger says how the attempt ended
    except RefuseDelivery:
        with hub.engine.connect() as connection:
            summary = _summary(ledger.get(connection, batch_id))
        if summary.accepted:
            raise
    return summary


def _judge(hub: Hub, batch: Batch) -> Batch:
    out = workspace(hub, batch.batch_id)
    shutil.rmtree(out, ignore_errors=True)
    try:
        staged, verdict = judge_batch(hub, batch, out)
    except (RefuseDelivery, FixContract) as error:  # the sender's fault; ours is no reason to refuse what it sent
        with hub.engine.begin() as connection:
            if batch.state in {"landed", "gated"}:
                ledger.record_refusal(connection, batch.batch_id, code_of(error), error.message)
        raise
    (out / "judged").touch()
    objects = [hub.landing.get(item) for item in batch.delivery.objects]
    write_quarantine(hub.engine, batch.batch_id, batch.contract, staged, verdict, objects)
    _keep_documents(hub, batch, verdict)
    refusal = None if verdict.code is None else (verdict.code.value, verdict.reason or "")
    with hub.engine.begin() as connection:
        judged = ledger.record_gate(
            connection,
            batch.batch_id,
            verdict.account,
            verdict.rules,
            refusal=refusal,
            object_ends=object_ends(staged, len(batch.delivery.objects)),
        )
    if refusal is not None:
        shutil.rmtree(out)  # no load will do it, and the workspace holds people's values
    return judged


def _keep_documents(hub: Hub, batch: Batch, verdict: Verdict) -> None:
    """The referee's result and page outlive the workspace: auditors read them."""
    kept = hub.settings.docs_dir / str(batch.batch_id)
    kept.mkdir(parents=True, exist_ok=True)
    for document in (verdict.validation_json, verdict.docs_page):
        shutil.copyfile(document, kept / document.name)


def _summary(batch: Batch) -> GateSummary:
    return GateSummary(batch.batch_id, batch.state != "refused", batch.account, batch.refusal_code, batch.refusal_reason)
