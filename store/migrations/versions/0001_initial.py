"""The first store: ledger, canonical tables, identity and break tables, portal and audit views.

Revision ID: 0001
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision: str | None = None

SQL = Path(__file__).parents[1] / "sql"
HUB_TABLES = (
    "publication_batch",
    "current_publication",
    "publication",
    "quarantine",
    "gate_result",
    "tombstone",
    "missing_feed",
    "feed_state",
    "journal",
    "attempt",
    "batch",
    "clock",
)
HUB_FUNCTIONS = ("row_json", "journal_hash", "append_journal", "gate_digest", "masked", "visible")


def upgrade() -> None:
    for name in ("0001_tables.sql", "0001_functions.sql", "0001_views.sql"):
        # The driver's own cursor, without parameters: one round for a script of many statements.
        cursor = op.get_bind().connection.cursor()
        cursor.execute((SQL / name).read_text(encoding="utf-8"))
        cursor.close()


def downgrade() -> None:
    for schema in ("audit", "portal_v1", "recon", "core", "work"):
        op.execute(f"drop schema {schema} cascade")
    for table in HUB_TABLES:
        op.execute(f"drop table hub.{table}")
    for function in HUB_FUNCTIONS:
        op.execute(f"drop function hub.{function}")
