"""Billing's file layouts, byte by byte: GB18030, CRLF; fixed width counts bytes, not characters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

ENCODING = "gb18030"
CRLF = b"\r\n"
NULL_DATE, NULL_TIME, OPEN_ENDED = "00010101", "00010101000000", "29991231"

Value = str | int | date | datetime | None
BillingRow = tuple[Value, ...]


def fit(text: str, width: int) -> bytes:
    """Text as GB18030, cut at a character's boundary, padded right with spaces to a width in bytes."""
    encoded = text.encode(ENCODING)
    while len(encoded) > width:
        text = text[:-1]
        encoded = text.encode(ENCODING)
    return encoded.ljust(width)


def _text(value: Value, width: int) -> bytes:
    return fit("" if value is None else str(value), width)


def _number(value: Value, width: int) -> bytes:
    return f"{int(str(value or 0)):0{width}d}".encode()


def _date(value: Value, _width: int = 8) -> bytes:
    return f"{value:%Y%m%d}".encode() if isinstance(value, date) else NULL_DATE.encode()


def _open_date(value: Value, _width: int = 8) -> bytes:
    return f"{value:%Y%m%d}".encode() if isinstance(value, date) else OPEN_ENDED.encode()


def _timestamp(value: Value, _width: int = 14) -> bytes:
    return f"{value:%Y%m%d%H%M%S}".encode() if isinstance(value, datetime) else NULL_TIME.encode()


@dataclass(frozen=True, slots=True)
class Field:
    """One column: its width in bytes (0 in a delimited unit) and how it is written."""

    name: str
    width: int
    write: Callable[[Value, int], bytes]


@dataclass(frozen=True, slots=True)
class Layout:
    """One unit of billing: its number, feed, file prefix and columns; the key comes first."""

    unit: str
    feed: str
    prefix: str
    money: str
    fields: tuple[Field, ...]
    fixed: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(field.name for field in self.fields)

    def position(self, column: str) -> int:
        """Index of a column."""
        return self.columns.index(column)

    def offset(self, column: str) -> int:
        """First byte of a column in a fixed-width record."""
        return sum(field.width for field in self.fields[: self.position(column)])

    def encode(self, row: BillingRow) -> bytes:
        """One record without its line end."""
        if self.fixed:
            return b"".join([f.write(v, f.width) for f, v in zip(self.fields, row, strict=True)])
        return "|".join([_delimited(v) for v in row]).encode(ENCODING)


def _delimited(value: Value) -> str:
    if isinstance(value, date):
        return f"{value:%Y%m%d}"
    return "" if value is None else str(value)


ACCOUNT = Layout(
    "01001", "billing.account", "i", "arrears_fen",
    (
        Field("account_no", 12, _text), Field("customer_no", 12, _text), Field("customer_name", 80, _text),
        Field("uscc", 18, _text), Field("org_code", 10, _text), Field("crm_customer_id", 12, _text),
        Field("status", 1, _text), Field("opened_on", 8, _date), Field("closed_on", 8, _open_date),
        Field("arrears_fen", 15, _number), Field("address", 120, _text), Field("contact_phone", 20, _text),
        Field("updated_at", 14, _timestamp),
    ),
    fixed=True,
)  # fmt: skip
PAYMENT = Layout(
    "01004", "billing.payment", "s", "amount_fen",
    (
        Field("payment_no", 16, _text), Field("account_no", 12, _text), Field("bill_no", 16, _text),
        Field("amount_fen", 15, _number), Field("kind", 1, _text), Field("channel", 2, _text),
        Field("paid_at", 14, _timestamp), Field("payer_name", 60, _text),
    ),
    fixed=True,
)  # fmt: skip


def _columns(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, 0, _text) for name in names)


BILL = Layout(
    "01002", "billing.bill", "i", "total_fen",
    _columns("bill_no", "account_no", "bill_month", "item_count", "total_fen", "tax_fen", "issued_on", "due_on", "status"),
    fixed=False,
)  # fmt: skip
BILL_ITEM = Layout(
    "01003", "billing.bill_item", "i", "amount_fen",
    _columns(
        "item_no", "bill_no", "account_no", "product_id", "item_code", "item_name", "service_no", "quantity", "price_fen",
        "amount_fen", "tax_fen", "charged_from", "charged_to",
    ),
    fixed=False,
)  # fmt: skip
DAILY, MONTHLY = (ACCOUNT, PAYMENT), (BILL, BILL_ITEM)
BY_UNIT = {layout.unit: layout for layout in (*DAILY, *MONTHLY)}
DAILY_CONTROL, MONTHLY_CONTROL = "00000", "99999"


def verf_record(name: str, size: int, rows: int, period: str, created: str) -> bytes:
    """One record of a check file, 104 bytes with its line end."""
    day = period if len(period) == 8 else period + "01"
    return f"{name:<40}{size:020d}{rows:020d}{day}{created}".encode() + CRLF
