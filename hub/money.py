"""Money is an integer of fen (分). Never a float."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from hub.errors import HubError


def fen_from_yuan(text: str) -> int:
    """`"5,000.00"` → 500000. Raises HubError where the text is no amount of whole fen."""
    try:
        fen = Decimal(text.replace(",", "")) * 100
    except InvalidOperation as error:
        raise HubError("not an amount of yuan") from error
    if not fen.is_finite() or fen != fen.to_integral_value():
        raise HubError("not a whole number of fen")
    return int(fen)


def yuan(fen: int | Decimal | None) -> str:
    """500000 → `¥5,000.00`; a missing amount is a dash."""
    return "–" if fen is None else f"¥{Decimal(fen) / 100:,.2f}"
