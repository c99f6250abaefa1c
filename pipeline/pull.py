"""Pull: what the sender has for a period, landed unchanged and entered in the ledger."""

from __future__ import annotations

from contextlib import closing

from adapters.feeds import open_source
from adapters.protocol import PullRequest
from hub.errors import FixContract, HubError, RefuseDelivery
from hub.periods import check_kind
from hub.settings import connection_id
from pipeline.hub import Hub
from schemas.batch import Delivery
from schemas.contract import Contract
from schemas.contracts import contract_of
from store import ledger, order
from store.attempts import Attempt, attempt


def pull(hub: Hub, feed_id: str, province: str, period: str, *, run_id: str | None = None) -> list[int]:
    """The batches of this feed, province and period, newest base delivery first, then its corrections.

    Bytes that landed before an error stay in the ledger: what was delivered well as its batch, what was wrong as a refused
    one. Raises what `adapters.protocol.Source.fetch` raises, and RefuseDelivery where the newest delivery may not come now.
    """
    contract = contract_of(feed_id)
    check_kind(period, contract.period)
    where = {"system": contract.system, "feed": contract.feed, "province": province}
    with attempt(hub.engine, "pull", period=period, run_id=run_id, **where) as trying:
        try:
            deliveries = _fetch(hub, contract, province, period)
        except (RefuseDelivery, FixContract) as error:
            _keep_what_landed(hub, contract, province, period, error, trying)
            raise
        for delivery in deliveries:
            _receive(hub, contract, province, period, delivery, trying)
        _raise_if_all_refused(hub, trying.batch_ids)
    return trying.batch_ids


def _fetch(hub: Hub, contract: Contract, province: str, period: str) -> tuple[Delivery, ...]:
    connection = hub.connections(connection_id(contract.system, province))
    with hub.engine.connect() as ledger_connection:
        window = order.window_for(ledger_connection, contract, province, period)
    request = PullRequest(contract, province, period, window)
    with closing(open_source(contract.feed_id, province, connection)) as source:
        return tuple(source.fetch(request, hub.landing))


def _receive(hub: Hub, contract: Contract, province: str, period: str, delivery: Delivery, trying: Attempt) -> None:
    with hub.engine.begin() as connection:
        batch = ledger.receive(connection, contract, province, period, delivery)
    trying.batch_ids.append(batch.batch_id)


def _keep_what_landed(
    hub: Hub, contract: Contract, province: str, period: str, error: RefuseDelivery | FixContract, trying: Attempt
) -> None:
    """The good deliveries that came before the wrong one, and the wrong one itself, refused."""
    delivered = error.facts.get("delivered", ())
    if isinstance(delivered, tuple):
        for delivery in delivered:
            _receive(hub, contract, province, period, delivery, trying)
    wrong = error.facts.get("delivery")
    if isinstance(wrong, Delivery):
        with hub.engine.begin() as connection:
            batch = ledger.record_landed(connection, contract, province, period, wrong)
            if batch.state in {"landed", "refused"}:
                ledger.record_refusal(connection, batch.batch_id, _code(error), error.message)
        trying.batch_ids.append(batch.batch_id)


def _code(error: HubError) -> str:
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
