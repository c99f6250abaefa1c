"""What identity keeps beside the crosswalk: events, the review band, signals, hierarchy; what stewards decided; each run."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Double, ForeignKey, Identity, Index, Table
from sqlalchemy.dialects.postgresql import JSONB

from store.table_parts import metadata, moment, number, recorded, text_column


def _pair_columns(*, key: bool = False, nullable: bool = False) -> list[Column[str]]:
    names = ("a_system", "a_province", "a_key", "b_system", "b_province", "b_key")
    return [text_column(name, key=key, nullable=nullable) for name in names]


identity_event = Table(
    "identity_event",
    metadata,
    number("recorded_from", key=True),
    text_column("customer_id", key=True),
    text_column("kind", key=True),
    text_column("other_id", key=True),
    number("records"),
    Column("cause", JSONB, nullable=False),
    Index(None, "customer_id"),
    Index(None, "other_id"),
    CheckConstraint("kind in ('minted', 'merged', 'split', 'moved', 'retired', 'revived')", name="kind"),
    schema="core",
)

review_pair = Table(
    "review_pair",
    metadata,
    *_pair_columns(key=True),
    Column("weight", Double, nullable=False),
    Column("probability", Double, nullable=False),
    text_column("why"),
    *recorded(),
    schema="core",
)

identity_signal = Table(
    "identity_signal",
    metadata,
    text_column("kind", key=True),
    text_column("system", key=True),
    text_column("province", key=True),
    text_column("customer_key", key=True),
    text_column("detail", key=True),
    number("times"),
    *recorded(),
    schema="core",
)

customer_hierarchy = Table(
    "customer_hierarchy",
    metadata,
    text_column("child_id", key=True),
    text_column("parent_id", key=True),
    text_column("kind"),
    Column("is_parent", Boolean, nullable=False),
    Column("evidence", JSONB, nullable=False),
    *recorded(),
    Index(None, "parent_id"),
    schema="core",
)

identity_run = Table(
    "identity_run",
    metadata,
    number("seq", key=True),
    number("data_seq"),
    text_column("extract"),
    text_column("model"),
    number("customers"),
    number("source_customers"),
    Column("events", JSONB, nullable=False),
    moment("ran_at"),
    schema="hub",
)

steward_decision = Table(
    "steward_decision",
    metadata,
    Column("decision_id", BigInteger, Identity(always=True), primary_key=True),
    text_column("kind"),
    *_pair_columns(nullable=True),
    text_column("verdict", nullable=True),
    text_column("customer_id", nullable=True),
    text_column("attribute", nullable=True),
    text_column("value_digest", nullable=True),
    text_column("shown", nullable=True),
    text_column("reason"),
    text_column("decided_by"),
    moment("decided_at"),
    Column("needs_second", Boolean, nullable=False),
    text_column("confirmed_by", nullable=True),
    moment("confirmed_at", nullable=True),
    text_column("withdrawn_by", nullable=True),
    text_column("withdrawn_reason", nullable=True),
    moment("withdrawn_at", nullable=True),
    number("effective_from", nullable=True),
    number("effective_to", nullable=True),
    CheckConstraint("kind in ('pair', 'value')", name="kind"),
    CheckConstraint("verdict in ('same', 'different', 'unsure')", name="verdict"),
    CheckConstraint(
        "(kind = 'pair' and num_nulls(a_system, a_province, a_key, b_system, b_province, b_key, verdict) = 0)"
        " or (kind = 'value' and num_nulls(customer_id, attribute, value_digest) = 0)",
        name="whole",
    ),
    CheckConstraint("confirmed_by is null or confirmed_by <> decided_by", name="second_person"),
    schema="hub",
)

steward_value = Table(
    "steward_value",
    metadata,
    Column("decision_id", BigInteger, ForeignKey("hub.steward_decision.decision_id"), primary_key=True, autoincrement=False),
    text_column("salt"),
    text_column("value"),
    schema="hub",
)
