"""A break's life, waivers, sign-off, the outbox.

Revision ID: 0003
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0003"
down_revision: str | None = "0002"

SQL = Path(__file__).parents[1] / "sql" / "0003_reconciliation.sql"
VIEWS = (
    "audit.break_now",
    "audit.break_act",
    "audit.waiver",
    "audit.signed_figure",
    "audit.period_signature",
    "audit.outbox",
)
TABLES = ("hub.break_act", "hub.waiver", "hub.signed_figure", "hub.period_signature", "hub.outbox")
NEW_COLUMNS = {
    "recon.breaks": ("cause", "customer_id", "refs", "opened_cycle", "closed_cycle", "returned", "waiver_id"),
    "recon.rule_run": ("warned", "waived", "undetermined"),
}
OLD_VIEWS = (
    """
    create view portal_v1.breaks as
    select b.break_id, b.rule_id, b.severity, b.province, b.subject, b.left_value, b.right_value, b.money_fen, b.state, b.owner,
        b.due_at, b.first_seen_cycle, b.last_seen_cycle, b.reopened, b.details
    from recon.breaks b
    join portal_v1.publication p on hub.visible(b.recorded_from, b.recorded_to, p.derived_seq)
    """,
    "create view audit.breaks as select * from recon.breaks",
    "create view audit.rule_run as select * from recon.rule_run",
)


def upgrade() -> None:
    # The driver's own cursor, without parameters: one round for a script of many statements.
    cursor = op.get_bind().connection.cursor()
    cursor.execute(SQL.read_text(encoding="utf-8"))
    cursor.close()


def downgrade() -> None:
    for view in (*VIEWS, "portal_v1.breaks", "audit.breaks", "audit.rule_run"):
        op.execute(f"drop view {view}")
    for table in TABLES:
        op.execute(f"drop table {table}")
    op.execute("drop index recon.ix_breaks_open")
    for table, columns in NEW_COLUMNS.items():
        op.execute(f"alter table {table} {', '.join(f'drop column {column}' for column in columns)}")
    for view in OLD_VIEWS:
        op.execute(view)
