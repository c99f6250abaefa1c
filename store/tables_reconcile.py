"""Breaks and their life: what rules found, what people did about it, waivers, signed periods, requests to the systems."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, ForeignKey, Identity, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from store.table_parts import metadata, moment, number, recorded, text_column

breaks = Table(
    "breaks",
    metadata,
    text_column("break_id", key=True),
    text_column("rule_id"),
    text_column("severity"),
    text_column("province", nullable=True),
    Column("subject", JSONB, nullable=False),
    text_column("left_value", nullable=True),
    text_column("right_value", nullable=True),
    number("money_fen", nullable=True),
    Column("state", Text, nullable=False, server_default=text("'open'")),
    text_column("owner", nullable=True),
    moment("due_at", nullable=True),
    text_column("first_seen_cycle"),
    text_column("last_seen_cycle"),
    Column("reopened", Integer, nullable=False, server_default=text("0")),
    Column("details", JSONB, nullable=False, server_default=text("'{}'")),
    *recorded(),
    Column("cause", Text, nullable=False, server_default=text("''")),
    text_column("customer_id", nullable=True),
    Column("refs", JSONB, nullable=False, server_default=text("'[]'")),
    Column("opened_cycle", Text, nullable=False, server_default=text("''")),
    text_column("closed_cycle", nullable=True),
    Column("returned", Integer, nullable=False, server_default=text("0")),
    number("waiver_id", nullable=True),
    Index(None, "rule_id"),
    Index("ix_breaks_open", "state", "rule_id", postgresql_where=text("recorded_to is null")),
    schema="recon",
)

rule_run = Table(
    "rule_run",
    metadata,
    number("seq", key=True),
    text_column("rule_id", key=True),
    text_column("cycle"),
    number("subjects"),
    number("breaks"),
    number("money_fen"),
    text_column("tolerance"),
    Column("passed", Boolean, nullable=False),
    moment("ran_at"),
    Column("warned", Boolean, nullable=False, server_default=text("false")),
    Column("waived", BigInteger, nullable=False, server_default=text("0")),
    Column("undetermined", BigInteger, nullable=False, server_default=text("0")),
    schema="recon",
)

break_act = Table(
    "break_act",
    metadata,
    Column("act_id", BigInteger, Identity(always=True), primary_key=True),
    text_column("break_id"),
    text_column("act"),
    text_column("acted_by"),
    moment("acted_at"),
    text_column("said"),
    text_column("owner", nullable=True),
    text_column("state_before"),
    text_column("state_after"),
    number("seq"),
    Index(None, "break_id"),
    CheckConstraint("act in ('take', 'answer', 'return', 'accept', 'correct')", name="act"),
    schema="hub",
)

waiver = Table(
    "waiver",
    metadata,
    Column("waiver_id", BigInteger, Identity(always=True), primary_key=True),
    text_column("rule_id"),
    text_column("province", nullable=True),
    text_column("customer_id", nullable=True),
    Column("subject", JSONB, nullable=False),
    text_column("reason"),
    text_column("announced_by"),
    moment("announced_at"),
    text_column("starts_cycle"),
    text_column("expires_cycle"),
    text_column("withdrawn_by", nullable=True),
    text_column("withdrawn_reason", nullable=True),
    moment("withdrawn_at", nullable=True),
    CheckConstraint("starts_cycle <= expires_cycle", name="expires"),
    schema="hub",
)

period_signature = Table(
    "period_signature",
    metadata,
    Column("signature_id", BigInteger, Identity(always=True), primary_key=True),
    text_column("period"),
    Column("publication_id", BigInteger, ForeignKey("hub.publication.publication_id"), nullable=False),
    text_column("figures_digest"),
    text_column("signed_by"),
    moment("signed_at"),
    text_column("note"),
    number("replaces", nullable=True),
    Index(None, "period"),
    schema="hub",
)

signed_figure = Table(
    "signed_figure",
    metadata,
    Column("signature_id", BigInteger, ForeignKey("hub.period_signature.signature_id"), primary_key=True, autoincrement=False),
    text_column("province", key=True),
    text_column("figure", key=True),
    number("value"),
    schema="hub",
)

outbox = Table(
    "outbox",
    metadata,
    Column("outbox_id", BigInteger, Identity(always=True), primary_key=True),
    text_column("idempotency_key"),
    text_column("target_system"),
    text_column("province", nullable=True),
    text_column("kind"),
    Column("payload", JSONB, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'pending'")),
    text_column("requested_by"),
    moment("requested_at"),
    text_column("break_id", nullable=True),
    Index("uq_outbox_idempotency_key", "idempotency_key", unique=True),
    Index(None, "state"),
    schema="hub",
)
