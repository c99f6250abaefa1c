"""Every table of the store, as SQLAlchemy Core tables. `docs/internals.md` says what each is for.

`core.<entity>` follows `schemas.entities`; a migration freezes what this file says (`tests/store/test_migrations.py`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.types import TypeEngine

from schemas.batch import Account, LoadCounts
from schemas.contract import Type
from schemas.entities import ENTITIES, Entity

SCHEMAS = ("hub", "core", "recon", "portal_v1", "audit", "work")
"""`work` holds tables that exist only while a load runs; whatever is found there at rest is an orphan."""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

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


def _text(name: str, **options: bool) -> Column[str]:
    return Column(name, Text, nullable=options.get("nullable", False), primary_key=options.get("key", False))


def _number(name: str, **options: bool) -> Column[int]:
    nullable, key = options.get("nullable", False), options.get("key", False)
    return Column(name, BigInteger, nullable=nullable, primary_key=key, autoincrement=False)


def _moment(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, TIMESTAMP(timezone=True), nullable=nullable)


def _feed_columns(*, key: bool = False) -> list[Column[str]]:
    return [_text("system", key=key), _text("feed", key=key), _text("province", key=key)]


def _recorded() -> list[Column[int]]:
    """When we knew: load sequences, half open; `recorded_to` is NULL while current."""
    return [_number("recorded_from", key=True), _number("recorded_to", nullable=True)]


clock = Table(
    "clock",
    metadata,
    Column("one_row", Boolean, primary_key=True, server_default=text("true")),
    Column("seq", BigInteger, nullable=False, server_default=text("0")),
    CheckConstraint("one_row", name="one_row"),
    schema="hub",
)

batch = Table(
    "batch",
    metadata,
    Column("batch_id", BigInteger, Identity(always=True), primary_key=True),
    *_feed_columns(),
    _text("period"),
    _text("kind"),
    Column("resend", Integer, nullable=False),
    _text("content_digest"),
    Column("delivery", JSONB, nullable=False),
    _text("state"),
    _text("refusal_code", nullable=True),
    _text("refusal_reason", nullable=True),
    *(_number(name, nullable=True) for name in Account.model_fields),
    *(_number(name, nullable=True) for name in LoadCounts.model_fields),
    _text("gate_digest", nullable=True),
    Column("object_ends", ARRAY(BigInteger), nullable=True),
    _number("loaded_seq", nullable=True),
    _number("superseded_seq", nullable=True),
    _number("superseded_by", nullable=True),
    _moment("landed_at"),
    _moment("gated_at", nullable=True),
    _moment("loaded_at", nullable=True),
    UniqueConstraint("system", "feed", "province", "period", "kind", "content_digest"),
    CheckConstraint("state in ('landed', 'gated', 'refused', 'loaded', 'superseded')", name="state"),
    schema="hub",
)

attempt = Table(
    "attempt",
    metadata,
    Column("attempt_id", BigInteger, Identity(always=True), primary_key=True),
    _text("step"),
    _text("system", nullable=True),
    _text("feed", nullable=True),
    _text("province", nullable=True),
    _text("period"),
    _text("run_id", nullable=True),
    _moment("started_at"),
    _moment("finished_at", nullable=True),
    _text("outcome", nullable=True),
    _text("error_kind", nullable=True),
    _text("message", nullable=True),
    Column("batch_ids", ARRAY(BigInteger), nullable=False, server_default=text("'{}'")),
    Index(None, "period", "step"),
    schema="hub",
)

journal = Table(
    "journal",
    metadata,
    _number("seq", key=True),
    _moment("at"),
    _text("event"),
    _text("subject"),
    _text("body"),
    _text("previous"),
    _text("hash"),
    Index(None, "subject", "seq"),
    schema="hub",
)

feed_state = Table(
    "feed_state",
    metadata,
    *_feed_columns(key=True),
    _text("last_period"),
    _text("expected_period"),
    _moment("watermark", nullable=True),
    _number("last_batch_id"),
    schema="hub",
)

missing_feed = Table(
    "missing_feed",
    metadata,
    *_feed_columns(key=True),
    _text("period", key=True),
    _text("reason"),
    _text("cycle", nullable=True),
    _moment("noted_at"),
    _number("came_batch_id", nullable=True),
    CheckConstraint("reason in ('not_come', 'skipped')", name="reason"),
    schema="hub",
)

gate_result = Table(
    "gate_result",
    metadata,
    Column("batch_id", BigInteger, ForeignKey("hub.batch.batch_id"), primary_key=True, autoincrement=False),
    _text("rule_id", key=True),
    _text("severity"),
    _text("error_class"),
    _number("failed_sql"),
    _number("failed_gx", nullable=True),
    schema="hub",
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("batch_id", BigInteger, ForeignKey("hub.batch.batch_id"), primary_key=True, autoincrement=False),
    _number("row_no", key=True),
    _text("outcome"),
    _text("reason"),
    _text("rule_id"),
    _text("detail", nullable=True),
    Column("object_no", SmallInteger, nullable=False),
    _number("byte_offset"),
    Column("byte_length", Integer, nullable=True),
    Column("raw", LargeBinary, nullable=True),
    schema="hub",
)

tombstone = Table(
    "tombstone",
    metadata,
    _text("sha256", key=True),
    _text("reason"),
    _moment("removed_at"),
    schema="hub",
)

publication = Table(
    "publication",
    metadata,
    Column("publication_id", BigInteger, Identity(always=True), primary_key=True),
    _text("cycle"),
    _number("seq"),
    _number("derived_seq"),
    _text("inputs_digest"),
    Column("digests", JSONB, nullable=False),
    Column("missing", JSONB, nullable=False),
    _moment("published_at"),
    schema="hub",
)

publication_batch = Table(
    "publication_batch",
    metadata,
    Column("publication_id", BigInteger, ForeignKey("hub.publication.publication_id"), primary_key=True, autoincrement=False),
    Column("batch_id", BigInteger, ForeignKey("hub.batch.batch_id"), primary_key=True, autoincrement=False),
    schema="hub",
)

current_publication = Table(
    "current_publication",
    metadata,
    Column("one_row", Boolean, primary_key=True, server_default=text("true")),
    Column("publication_id", BigInteger, ForeignKey("hub.publication.publication_id"), nullable=False),
    CheckConstraint("one_row", name="one_row"),
    schema="hub",
)

crosswalk = Table(
    "crosswalk",
    metadata,
    _text("system", key=True),
    _text("province", key=True),
    _text("customer_key", key=True),
    _text("customer_id"),
    _text("rule"),
    Column("evidence", JSONB, nullable=False),
    *_recorded(),
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
    _text("customer_id", key=True),
    *(_text(name, nullable=True) for name in GOLDEN_ATTRIBUTES),
    _text("row_hash"),
    *_recorded(),
    schema="core",
)

golden_provenance = Table(
    "golden_provenance",
    metadata,
    _text("customer_id", key=True),
    _text("attribute", key=True),
    _text("value", nullable=True),
    _text("system"),
    _text("province"),
    _text("source_key"),
    _text("entity"),
    _number("batch_id"),
    _number("row_no"),
    _text("rule"),
    *_recorded(),
    schema="core",
)

breaks = Table(
    "breaks",
    metadata,
    _text("break_id", key=True),
    _text("rule_id"),
    _text("severity"),
    _text("province", nullable=True),
    Column("subject", JSONB, nullable=False),
    _text("left_value", nullable=True),
    _text("right_value", nullable=True),
    _number("money_fen", nullable=True),
    Column("state", Text, nullable=False, server_default=text("'open'")),
    _text("owner", nullable=True),
    _moment("due_at", nullable=True),
    _text("first_seen_cycle"),
    _text("last_seen_cycle"),
    Column("reopened", Integer, nullable=False, server_default=text("0")),
    Column("details", JSONB, nullable=False, server_default=text("'{}'")),
    *_recorded(),
    Index(None, "rule_id"),
    schema="recon",
)

rule_run = Table(
    "rule_run",
    metadata,
    _number("seq", key=True),
    _text("rule_id", key=True),
    _text("cycle"),
    _number("subjects"),
    _number("breaks"),
    _number("money_fen"),
    _text("tolerance"),
    Column("passed", Boolean, nullable=False),
    _moment("ran_at"),
    schema="recon",
)


def _entity_columns(entity: Entity) -> list[Column[object]]:
    return [Column(column.name, _SQL_TYPES[column.type], nullable=True) for column in entity.columns]


def _source_key(*, key: bool) -> list[Column[str]]:
    return [_text("system", key=key), _text("province", key=key), _text("source_key", key=key)]


def _state_table(entity: Entity) -> Table:
    return Table(
        entity.name,
        metadata,
        *_source_key(key=True),
        *_entity_columns(entity),
        _moment("source_version"),
        Column("is_deleted", Boolean, nullable=False),
        _moment("valid_from"),
        _moment("valid_to", nullable=True),
        *_recorded(),
        _text("row_hash"),
        _number("batch_id"),
        _number("row_no"),
        Index(
            f"uq_{entity.name}_current",
            "system",
            "province",
            "source_key",
            unique=True,
            postgresql_where=text("recorded_to is null"),
        ),
        Index(None, "batch_id", "row_no"),
        schema="core",
    )


def _fact_table(entity: Entity) -> Table:
    """No primary key: the partition key leads the unique one, and history is the batch's, not the row's."""
    return Table(
        entity.name,
        metadata,
        *_source_key(key=False),
        *_entity_columns(entity),
        _number("recorded_to", nullable=True),
        _number("batch_id"),
        _number("row_no"),
        # The key first: equal leading columns made building this index four times slower (measured, PostgreSQL 18).
        UniqueConstraint("source_key", "system", "province", "batch_id"),
        schema="core",
        postgresql_partition_by="LIST (batch_id)",
    )


ENTITY_TABLES: dict[str, Table] = {
    entity.name: _fact_table(entity) if entity.is_fact else _state_table(entity) for entity in ENTITIES.values()
}
