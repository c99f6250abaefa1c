"""A night looks up the past of the products that were suspended once, few of millions, by key.

Revision ID: 0006
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision: str | None = "0005"


def upgrade() -> None:
    op.execute(
        "create index ix_product_suspended on core.product (system, province, source_key) where product_status = 'suspended'"
    )


def downgrade() -> None:
    op.execute("drop index core.ix_product_suspended")
