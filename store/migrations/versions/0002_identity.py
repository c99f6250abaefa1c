"""Identity's events, the review band, stewards' decisions.

Revision ID: 0002
"""

from __future__ import annotations

revision = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
