"""One feed, or one whole night, through the road without Airflow: the functions that the DAGs call, called in order."""

from __future__ import annotations

from dataclasses import dataclass

from hub.errors import HubError
from pipeline.cutoff import cutoff, instances_of
from pipeline.gate import gate
from pipeline.hub import Hub
from pipeline.load import load
from pipeline.pull import pull
from pipeline.unify import UnifySummary, unify
from store import ledger

Row = dict[str, object]


@dataclass(frozen=True)
class CycleResult:
    """`feeds` has a row a batch, or a row with the error of an instance that gave none."""

    feeds: list[Row]
    unify: UnifySummary

    @property
    def failed(self) -> bool:
        """Whether a feed ended in an error, or a delivery of it was refused."""
        return any(row["error"] for row in self.feeds)


def run_feed(hub: Hub, feed_id: str, province: str, period: str) -> list[Row]:
    """Pull, gate and load of one feed in one province; a row a batch. Raises what the steps raise."""
    batch_ids = pull(hub, feed_id, province, period)
    gate(hub, batch_ids)
    load(hub, batch_ids)
    return [_row(hub, batch_id) for batch_id in batch_ids]


def run_cycle(hub: Hub, cycle: str) -> CycleResult:
    """Every feed of the night, the cut-off, and the unify chain. A feed that fails is told and does not hold the others."""
    rows: list[Row] = []
    for instance in instances_of(cycle):
        try:
            rows += run_feed(hub, instance.contract.feed_id, instance.province, instance.period)
        except HubError as error:
            where: Row = {"feed": instance.contract.feed_id, "province": instance.province, "period": instance.period}
            rows.append({**where, **dict.fromkeys(_COUNTED), "error": f"{error.kind}: {error.message}"})
    cutoff(hub, cycle)
    return CycleResult(rows, unify(hub, cycle))


_COUNTED = ("batch_id", "state", "received", "accepted", "quarantined", "duplicate", "refused")


def _row(hub: Hub, batch_id: int) -> Row:
    with hub.engine.connect() as connection:
        batch = ledger.get(connection, batch_id)
    account = batch.account.model_dump() if batch.account else {}
    counts: Row = {name: account.get(name) for name in _COUNTED[2:]}
    refusal = f"{batch.refusal_code}: {batch.refusal_reason}" if batch.refusal_code else ""
    where: Row = {"feed": batch.feed_id, "province": batch.province, "period": batch.period}
    return {**where, "batch_id": batch_id, "state": batch.state, **counts, "error": refusal}
