"""Cut-off: which feeds of a night did not come by their due time, named in the ledger; the night goes on without them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from adapters.feeds import PROVINCES
from hub.periods import period_for_cycle
from pipeline.hub import Hub
from schemas.contract import Contract
from schemas.contracts import CONTRACTS
from store import order, tables
from store.attempts import attempt


@dataclass(frozen=True)
class Instance:
    """One feed of one province, and the period a night asks of it."""

    contract: Contract
    province: str
    period: str

    def __str__(self) -> str:
        return f"{self.contract.feed_id} {self.province} {self.period}"


def instances_of(cycle: str) -> list[Instance]:
    """Every feed instance a night waits for."""
    return [
        Instance(contract, province, period_for_cycle(cycle, contract.period))
        for contract in CONTRACTS.values()
        for province in PROVINCES
    ]


def has_passed(connection: Connection, instance: Instance) -> bool:
    """Whether a base delivery of the instance's period is loaded."""
    table = tables.batch
    statement = (
        select(table.c.batch_id)
        .where(table.c.system == instance.contract.system, table.c.feed == instance.contract.feed)
        .where(table.c.province == instance.province, table.c.period == instance.period)
        .where(table.c.state.in_(order.LOADED), table.c.kind.not_like("correction%"))
        .limit(1)
    )
    return connection.execute(statement).first() is not None


def outstanding(connection: Connection, cycle: str) -> list[Instance]:
    """The instances of the night that have not passed."""
    return [instance for instance in instances_of(cycle) if not has_passed(connection, instance)]


def is_expected(instance: Instance, cycle: str) -> bool:
    """Whether the instance is due by the night's cut-off. A month whose due day is still ahead is late for nobody."""
    return instance.contract.due_at(instance.period) <= cutoff_at(cycle)


def cutoff_at(cycle: str) -> datetime:
    """When the last daily feed of the night is due."""
    return max(contract.due_at(cycle) for contract in CONTRACTS.values() if contract.period == "daily")


def unnamed(connection: Connection, cycle: str) -> list[Instance]:
    """What the night still waits for: expected, not passed, and not named by a cut-off."""
    table = tables.missing_feed
    named = {tuple(row) for row in connection.execute(select(table.c.system, table.c.feed, table.c.province, table.c.period))}
    waiting = [instance for instance in outstanding(connection, cycle) if is_expected(instance, cycle)]
    return [i for i in waiting if (i.contract.system, i.contract.feed, i.province, i.period) not in named]


def cutoff(hub: Hub, cycle: str, *, run_id: str | None = None) -> list[Instance]:
    """Names the feeds that the night expected and that have not passed. Run when they are due (`cutoff_at`); again, it changes
    nothing."""
    with attempt(hub.engine, "cutoff", period=cycle, run_id=run_id), hub.engine.begin() as connection:
        late = [instance for instance in outstanding(connection, cycle) if is_expected(instance, cycle)]
        for instance in late:
            order.note_missing(connection, instance.contract, instance.province, instance.period, cycle=cycle)
    return late
