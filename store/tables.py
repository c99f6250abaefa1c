"""Every table of the store, as SQLAlchemy Core tables. `docs/internals.md` says what each is for.

`core.<entity>` follows `schemas.entities`; a migration freezes what this file says (`tests/store/test_migrations.py`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Date, Index, Table, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.types import TypeEngine

from schemas.contract import Type
from schemas.entities import ENTITIES, Entity
from store.table_parts import metadata, moment, number, recorded, text_column
from store.tables_hub import (
    attempt,
    batch,
    clock,
    current_publication,
    feed_state,
    gate_result,
    journal,
    missing_feed,
    publication,
    publication_batch,
    quarantine,
    tombstone,
)
from store.tables_identity import (
    customer_hierarchy,
    identity_event,
    identity_run,
    identity_signal,
    review_pair,
    steward_decision,
    steward_value,
)
from store.tables_reconcile import break_act, breaks, outbox, period_signature, rule_run, signed_figure, waiver

__all__ = [
    "ENTITY_TABLES",
    "GOLDEN_ATTRIBUTES",
    "SCHEMAS",
    "attempt",
    "batch",
    "break_act",
    "breaks",
    "clock",
    "crosswalk",
    "current_publication",
    "customer_hierarchy",
    "feed_state",
    "gate_result",
    "golden_customer",
    "golden_provenance",
    "identity_event",
    "identity_run",
    "identity_signal",
    "journal",
    "metadata",
    "missing_feed",
    "outbox",
    "period_signature",
    "publication",
    "publication_batch",
    "quarantine",
    "review_pair",
    "rule_run",
    "signed_figure",
    "steward_decision",
    "steward_value",
    "tombstone",
    "waiver",
]

SCHEMAS = ("hub", "core", "recon", "portal_v1", "audit", "work")
"""`work` holds tables that exist only while a load runs; whatever is found there at rest is an orphan."""

_SQL_TYPES: dict[Type, TypeEngine[Any]] = {
    Type.TEXT: Text(),
    Type.CODE: Text(),
    Type.INTEGER: BigInteger(),
    Type.FEN: BigInteger(),
    Type.YUAN: BigInteger(),
    Type.DATE: Date(),
    Type.TIMESTAMP: TIMESTAMP(timezone=True),
    Type.BOOLEAN: Boolean(),
}

crosswalk = Table(
    "crosswalk",
    metadata,
    text_column("system", key=True),
    text_column("province", key=True),
    text_column("customer_key", key=True),
    text_column("customer_id"),
    text_column("rule"),
    Column("evidence", JSONB, nullable=False),
    *recorded(),
    Index(None, "customer_id"),
    schema="core",
)

GOLDEN_ATTRIBUTES = (
    "customer_name",
    "short_name",
    "uscc",
    "org_code",
    "licence_no",
    "customer_category",
    "list_status",
    "industry",
    "address",
    "phone",
    "manager_id",
    "manager_name",
    "customer_status",
    "province",
    "parent_customer_id",
)

golden_customer = Table(
    "golden_customer",
    metadata,
    text_column("customer_id", key=True),
    *(text_column(name, nullable=True) for name in GOLDEN_ATTRIBUTES),
    text_column("row_hash"),
    text_column("lineage_hash", nullable=True),
    *recorded(),
    schema="core",
)

golden_provenance = Table(
    "golden_provenance",
    metadata,
    text_column("customer_id", key=True),
    text_column("attribute", key=True),
    text_column("value", nullable=True),
    text_column("system"),
    text_column("province"),
    text_column("source_key"),
    text_column("entity"),
    number("batch_id"),
    number("row_no"),
    text_column("rule"),
    number("candidates", nullable=True),
    *recorded(),
    schema="core",
)


CLOSED = "recorded_to is not null"
LOOKED_UP_BY: dict[str, tuple[tuple[str, ...], ...]] = {"product": (("province", "service_no"),), "work_order": (("order_no",),)}
"""By what else than its key a night asks for an entity's rows: those with a number, or of an order, that loads brought."""
SOUGHT: dict[str, tuple[str, str]] = {"product": ("suspended", "product_status = 'suspended'")}
"""Of which versions, a few of all, a night wants to know every one: a name, and the condition."""


def _entity_columns(entity: Entity) -> list[Column[object]]:
    return [Column(column.name, _SQL_TYPES[column.type], nullable=True) for column in entity.columns]


def _source_key(*, key: bool) -> list[Column[str]]:
    return [text_column("system", key=key), text_column("province", key=key), text_column("source_key", key=key)]


def _state_table(entity: Entity) -> Table:
    return Table(
        entity.name,
        metadata,
        *_source_key(key=True),
        *_entity_columns(entity),
        moment("source_version"),
        Column("is_deleted", Boolean, nullable=False),
        moment("valid_from"),
        moment("valid_to", nullable=True),
        *recorded(),
        text_column("row_hash"),
        number("batch_id"),
        number("row_no"),
        Index(
            f"uq_{entity.name}_current",
            "system",
            "province",
            "source_key",
            unique=True,
            postgresql_where=text("recorded_to is null"),
        ),
        Index(None, "batch_id", "row_no"),
        *(Index(None, *columns) for columns in LOOKED_UP_BY.get(entity.name, ())),
        *_index_of_sought(entity),
        schema="core",
    )


def _index_of_sought(entity: Entity) -> list[Index]:
    if entity.name not in SOUGHT:
        return []
    name, condition = SOUGHT[entity.name]
    return [Index(f"ix_{entity.name}_{name}", "system", "province", "source_key", postgresql_where=text(condition))]


def _fact_table(entity: Entity) -> Table:
    """No primary key: the partition key leads the unique one, and history is the batch's, not the row's."""
    return Table(
        entity.name,
        metadata,
        *_source_key(key=False),
        *_entity_columns(entity),
        number("recorded_to", nullable=True),
        number("batch_id"),
        number("row_no"),
        # The key first: equal leading columns made building this index four times slower (measured, PostgreSQL 18).
        UniqueConstraint("source_key", "system", "province", "batch_id"),
        # A night asks which rows of a kept month corrections closed since.
        Index(f"ix_{entity.name}_closed", "recorded_to", postgresql_where=text(CLOSED)),
        schema="core",
        postgresql_partition_by="LIST (batch_id)",
    )


ENTITY_TABLES: dict[str, Table] = {
    entity.name: _fact_table(entity) if entity.is_fact else _state_table(entity) for entity in ENTITIES.values()
}
