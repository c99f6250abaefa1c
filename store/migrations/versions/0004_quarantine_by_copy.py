"""The quarantine's batch is no longer looked up for every row written: `verify` looks for rows without a batch instead.

Revision ID: 0004
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision: str | None = "0003"


def upgrade() -> None:
    op.execute("alter table hub.quarantine drop constraint fk_quarantine_batch_id")


def downgrade() -> None:
    op.execute(
        "alter table hub.quarantine add constraint fk_quarantine_batch_id foreign key (batch_id) references hub.batch (batch_id)"
    )
