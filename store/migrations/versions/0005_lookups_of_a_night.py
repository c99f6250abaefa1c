"""A night finds what loads brought without reading whole tables: rows of a month that corrections closed, products by number,
work orders by order.

Revision ID: 0005
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision: str | None = "0004"

INDEXES = {
    "ix_bill_item_closed": "core.bill_item (recorded_to) where recorded_to is not null",
    "ix_product_province_service_no": "core.product (province, service_no)",
    "ix_work_order_order_no": "core.work_order (order_no)",
}


def upgrade() -> None:
    for name, of in INDEXES.items():
        op.execute(f"create index {name} on {of}")


def downgrade() -> None:
    for name in INDEXES:
        op.execute(f"drop index core.{name}")
