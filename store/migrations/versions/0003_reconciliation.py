"""A break's life, waivers, sign-off, the outbox.

Revision ID: 0003
"""

from __future__ import annotations

revision = "0003"
down_revision: str | None = "0002"


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
