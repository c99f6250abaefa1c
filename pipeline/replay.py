"""Replay: a batch judged again from its landed bytes, after a contract was corrected or a code was added."""

from __future__ import annotations

from hub.errors import NotFound
from pipeline.gate import gate
from pipeline.hub import Hub
from pipeline.load import load
from store import ledger, retention


def replay(hub: Hub, batch_id: int) -> list[dict[str, object]]:
    """Puts the delivery of a batch through gate and load once more, as a batch of its own that names the first.

    The first stays as it was judged then. Rows that were accepted before are found unchanged; what is accepted now is loaded; of
    facts the new partition replaces the old. Raises NotFound where landing no longer holds the bytes.
    """
    with hub.engine.begin() as connection:
        first = ledger.get(connection, batch_id)
        gone = [item.name for item in first.delivery.objects if not hub.landing.holds(item.sha256)]
        if gone:
            raise NotFound(f"batch {batch_id}: landing no longer holds {', '.join(gone)}", batch_id=batch_id)
        again = first.delivery.model_copy(update={"replay_of": batch_id})
        retention.hold(connection, hub.landing, again.model_copy(update={"companions": ()}))
        made = ledger.receive(connection, first.contract, first.province, first.period, again)
    [judged] = gate(hub, [made.batch_id])
    [counts] = load(hub, [made.batch_id])
    before, after = first.account, judged.account
    return [
        {
            "batch_id": made.batch_id,
            "replay_of": batch_id,
            "feed": first.feed_id,
            "quarantined_before": before.quarantined if before else None,
            "quarantined_now": after.quarantined if after else None,
            "inserted": counts.inserted,
            "updated": counts.updated,
            "unchanged": counts.unchanged,
        }
    ]
