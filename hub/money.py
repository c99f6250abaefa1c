"""Money is an integer of fen (分). Never a float."""

from __future__ import annotations

import re
from decimal import Decimal

from hub.errors import HubError

# Up to the digits that fit a BIGINT of fen; commas are how a billing clerk's system writes thousands.
_YUAN = re.compile(r"[+-]?[0-9][0-9,]{0,20}(\.[0-9]{1,2})?", re.ASCII)
_BIGINT = 2**63 - 1


def fen_from_yuan(text: str) -> int:
    """`"5,000.00"` → 500000. Raises HubError where the text is no amount of whole fen, or more than a BIGINT holds."""
    if not _YUAN.fullmatch(text):
        raise HubError("not an amount of yuan with at most two decimals")
    fen = int(Decimal(text.replace(",", "")).scaleb(2))
    if abs(fen) > _BIGINT:
        raise HubError("more fen than a BIGINT holds")
    return fen


def yuan(fen: int | Decimal | None) -> str:
    """500000 → `¥5,000.00`; a missing amount is a dash."""
    return "–" if fen is None else f"¥{Decimal(fen) / 100:,.2f}"
