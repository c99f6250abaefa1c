"""Pull: what the sender has for a period, landed unchanged and entered in the ledger."""

from __future__ import annotations

from contextlib import closing

from adapters.feeds import PROVINCES, open_source
from adapters.protocol import LandingSink, PullRequest
from hub.errors import FixContract, NotFound, RefuseDelivery
from hub.periods import check_kind
from hub.settings import connection_id
from pipeline.cutoff import Instance
from pipeline.hub import Hub
from pipeline.staging import staging_ahead
from schemas.batch import Delivery
from schemas.contracts import contract_of
from store import ledger, order, retention
from store.attempts import Attempt, attempt


def pull(hub: Hub, feed_id: str, province: str, period: str, *, run_id: str | None = None) -> list[int]:
    """The batches of this feed, province and period, newest base delivery first, then its corrections.

    Bytes that landed before an error stay in the ledger: what was delivered well as its batch, what was wrong as a refused
    one. A wrong correction does not hold up the base delivery before it. Raises NotFound for an unknown feed or province, what
    `adapters.protocol.Source.fetch` raises otherwise, and RefuseDelivery where the newest delivery may not come now.
    """
    contract = contract_of(feed_id)
    if province not in PROVINCES:
        raise NotFound(f"no province {province!r}; known: {', '.join(PROVINCES)}", province=province)
    asked = Instance(contract, province, check_kind(period, contract.period))
    where = {"system": contract.system, "feed": contract.feed, "province": province}
    with (
        attempt(hub.engine, "pull", period=period, run_id=run_id, **where) as trying,
        staging_ahead(hub, contract, province, asked.period) as sink,
    ):
        try:
            deliveries = _fetch(hub, asked, sink)
        except (RefuseDelivery, FixContract) as error:
            _keep_what_landed(hub, asked, error, trying)
            if not error.facts.get("delivered"):
                raise
        else:
            for delivery in deliveries:
                _receive(hub, asked, delivery, trying)
        _raise_if_all_refused(hub, trying.batch_ids)
    return trying.batch_ids


def _fetch(hub: Hub, asked: Instance, sink: LandingSink) -> tuple[Delivery, ...]:
    connection = hub.connections(connection_id(asked.contract.system, asked.province))
    with hub.engine.connect() as ledger_connection:
        window = order.window_for(ledger_connection, asked.contract, asked.province, asked.period)
    request = PullRequest(asked.contract, asked.province, asked.period, window)
    with closing(open_source(asked.contract.feed_id, asked.province, connection)) as source:
        return tuple(source.fetch(request, sink))


def _receive(hub: Hub, asked: Instance, delivery: Delivery, trying: Attempt) -> None:
    with hub.engine.begin() as connection:
        retention.hold(connection, hub.landing, delivery)
        batch = ledger.receive(connection, asked.contract, asked.province, asked.period, delivery)
    trying.batch_ids.append(batch.batch_id)


def _keep_what_landed(hub: Hub, asked: Instance, error: RefuseDelivery | FixContract, trying: Attempt) -> None:
    """The good deliveries that came before the wrong one, and the wrong one itself, refused."""
    delivered = error.facts.get("delivered", ())
    if isinstance(delivered, tuple):
        for delivery in delivered:
            _receive(hub, asked, delivery, trying)
    wrong = error.facts.get("delivery")
    if isinstance(wrong, Delivery):
        with hub.engine.begin() as connection:
            retention.hold(connection, hub.landing, wrong)
            batch = ledger.record_landed(connection, asked.contract, asked.province, asked.period, wrong)
            if batch.state in {"landed", "refused"}:
                ledger.record_refusal(connection, batch.batch_id, code_of(error), error.message)
        trying.batch_ids.append(batch.batch_id)


def code_of(error: RefuseDelivery | FixContract) -> str:
    """What the ledger records a delivery as refused for."""
    return error.code if isinstance(error, RefuseDelivery) else "contract"


def _raise_if_all_refused(hub: Hub, batch_ids: list[int]) -> None:
    with hub.engine.connect() as connection:
        batches = [ledger.get(connection, batch_id) for batch_id in batch_ids]
    if batches and all(batch.state == "refused" and batch.account is None for batch in batches):
        first = batches[0]
        raise RefuseDelivery(
            f"{first.feed_id} {first.province} {first.period}: {first.refusal_reason}",
            code=first.refusal_code or "refused",
            batch_id=first.batch_id,
        )
