"""Schema `hub`: the ledger, what the gate found, publications (docs/internals.md, "Store")."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from schemas.batch import Account, LoadCounts
from store.table_parts import feed_columns, metadata, moment, number, text_column

clock = Table(
    "clock",
    metadata,
    Column("one_row", Boolean, primary_key=True, server_default=text("true")),
    Column("seq", BigInteger, nullable=False, server_default=text("0")),
    CheckConstraint("one_row", name="one_row"),
    schema="hub",
)

BATCH_STATES = ("landed", "gated", "refused", "loaded", "superseded")

batch = Table(
    "batch",
    metadata,
    Column("batch_id", BigInteger, Identity(always=True), primary_key=True),
    *feed_columns(),
    text_column("period"),
    text_column("kind"),
    Column("resend", Integer, nullable=False),
    text_column("content_digest"),
    Column("delivery", JSONB, nullable=False),
    text_column("state"),
    text_column("refusal_code", nullable=True),
    text_column("refusal_reason", nullable=True),
    *(number(name, nullable=True) for name in Account.model_fields),
    *(number(name, nullable=True) for name in LoadCounts.model_fields),
    text_column("gate_digest", nullable=True),
    Column("object_ends", ARRAY(BigInteger), nullable=True),
    number("loaded_seq", nullable=True),
    number("superseded_seq", nullable=True),
    number("superseded_by", nullable=True),
    moment("landed_at"),
    moment("gated_at", nullable=True),
    moment("loaded_at", nullable=True),
    UniqueConstraint("system", "feed", "province", "period", "kind", "content_digest"),
    CheckConstraint(f"state in ({', '.join(map(repr, BATCH_STATES))})", name="state"),
    schema="hub",
)

attempt = Table(
    "attempt",
    metadata,
    Column("attempt_id", BigInteger, Identity(always=True), primary_key=True),
    text_column("step"),
    text_column("system", nullable=True),
    text_column("feed", nullable=True),
    text_column("province", nullable=True),
    text_column("period"),
    text_column("run_id", nullable=True),
    moment("started_at"),
    moment("finished_at", nullable=True),
    text_column("outcome", nullable=True),
    text_column("error_kind", nullable=True),
    text_column("message", nullable=True),
    Column("batch_ids", ARRAY(BigInteger), nullable=False, server_default=text("'{}'")),
    Index(None, "period", "step"),
    schema="hub",
)

journal = Table(
    "journal",
    metadata,
    number("seq", key=True),
    moment("at"),
    text_column("event"),
    text_column("subject"),
    text_column("body"),
    text_column("previous"),
    text_column("hash"),
    Index(None, "subject", "seq"),
    schema="hub",
)

feed_state = Table(
    "feed_state",
    metadata,
    *feed_columns(key=True),
    text_column("last_period"),
    text_column("expected_period"),
    moment("watermark", nullable=True),
    number("last_batch_id"),
    schema="hub",
)

missing_feed = Table(
    "missing_feed",
    metadata,
    *feed_columns(key=True),
    text_column("period", key=True),
    text_column("reason"),
    text_column("cycle", nullable=True),
    moment("noted_at"),
    number("came_batch_id", nullable=True),
    CheckConstraint("reason in ('not_come', 'skipped')", name="reason"),
    schema="hub",
)

gate_result = Table(
    "gate_result",
    metadata,
    Column("batch_id", BigInteger, ForeignKey("hub.batch.batch_id"), primary_key=True, autoincrement=False),
    text_column("rule_id", key=True),
    text_column("severity"),
    text_column("error_class"),
    number("failed_sql"),
    number("failed_gx", nullable=True),
    schema="hub",
)

quarantine = Table(
    "quarantine",
    metadata,
    # No foreign key: checking it costs as much as the row, and a million rows may come at once. `verify` looks instead.
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False),
    number("row_no", key=True),
    text_column("outcome"),
    text_column("reason"),
    text_column("rule_id"),
    text_column("detail", nullable=True),
    Column("object_no", SmallInteger, nullable=False),
    number("byte_offset"),
    Column("byte_length", Integer, nullable=True),
    Column("raw", LargeBinary, nullable=True),
    schema="hub",
)

tombstone = Table(
    "tombstone",
    metadata,
    text_column("sha256", key=True),
    text_column("reason"),
    moment("removed_at"),
    schema="hub",
)

publication = Table(
    "publication",
    metadata,
    Column("publication_id", BigInteger, Identity(always=True), primary_key=True),
    text_column("cycle"),
    number("seq"),
    number("derived_seq"),
    text_column("inputs_digest"),
    Column("digests", JSONB, nullable=False),
    Column("missing", JSONB, nullable=False),
    moment("published_at"),
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
