"""Identity's events, the review band, signals, hierarchy, stewards' decisions.

Revision ID: 0002
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0002"
down_revision: str | None = "0001"

SQL = Path(__file__).parents[1] / "sql" / "0002_identity.sql"
VIEWS = (
    "portal_v1.former_customer",
    "portal_v1.customer_hierarchy",
    "portal_v1.customer_event",
    "audit.identity_event",
    "audit.identity_run",
    "audit.identity_signal",
    "audit.review_pair",
    "audit.steward_decision",
)
TABLES = (
    "core.identity_event",
    "core.review_pair",
    "core.identity_signal",
    "core.customer_hierarchy",
    "hub.identity_run",
    "hub.steward_value",
    "hub.steward_decision",
)


def upgrade() -> None:
    # The driver's own cursor, without parameters: one round for a script of many statements.
    cursor = op.get_bind().connection.cursor()
    cursor.execute(SQL.read_text(encoding="utf-8"))
    cursor.close()


def downgrade() -> None:
    for view in VIEWS:
        op.execute(f"drop view {view}")
    for table in TABLES:
        op.execute(f"drop table {table}")
    op.execute("alter table core.golden_customer drop column lineage_hash")
    op.execute("alter table core.golden_provenance drop column candidates")
