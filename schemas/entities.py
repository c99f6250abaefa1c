"""The canonical shapes of `core.*`: one entity a table, its columns the union of what its feeds carry.

A column's type and label are said in the contracts, once; two feeds of one entity must say the same (TM Forum SID
vocabulary: customer, contact, agreement, product, resource, account, bill, bill item, payment, product order, work order).
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.contract import Column, Contract
from schemas.contracts import CONTRACTS

# A fact is partitioned by batch: a period's rows are filled aside and attached. Every other entity keeps row history.
FACTS = frozenset({"bill_item"})


@dataclass(frozen=True)
class Entity:
    name: str
    columns: tuple[Column, ...]
    is_fact: bool

    @property
    def personal(self) -> frozenset[str]:
        return frozenset(column.name for column in self.columns if column.personal)


def _entity(name: str, contracts: list[Contract]) -> Entity:
    columns: dict[str, Column] = {}
    for contract in contracts:
        for column in contract.columns:
            if column.name == contract.deleted_flag:
                continue
            known = columns.setdefault(column.name, column)
            if (known.type.is_money, known.codes, known.personal) != (column.type.is_money, column.codes, column.personal):
                raise ValueError(f"{name}.{column.name}: {contract.feed_id} disagrees with another feed of the entity")
    return Entity(name, tuple(columns.values()), name in FACTS)


def _entities() -> dict[str, Entity]:
    by_name: dict[str, list[Contract]] = {}
    for contract in CONTRACTS.values():
        by_name.setdefault(contract.entity, []).append(contract)
    return {name: _entity(name, contracts) for name, contracts in by_name.items()}


ENTITIES: dict[str, Entity] = _entities()
