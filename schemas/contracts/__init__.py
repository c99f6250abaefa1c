"""The contracts, one file a system, after docs/interfaces.md. Adding a feed begins here."""

from hub.errors import NotFound
from schemas.contract import Contract
from schemas.contracts import billing, crm, group, orders

CONTRACTS: dict[str, Contract] = {
    contract.feed_id: contract for room in (billing, orders, crm, group) for contract in room.CONTRACTS
}


def contract_of(feed_id: str) -> Contract:
    if feed_id not in CONTRACTS:
        raise NotFound(f"no feed {feed_id!r}; known: {', '.join(CONTRACTS)}", feed_id=feed_id)
    return CONTRACTS[feed_id]
