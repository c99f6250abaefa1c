"""Broken records of billing's files. Each is an extra record with a key of its own and no money, to be quarantined."""

from __future__ import annotations

from datetime import timedelta

from simulator.layouts import ENCODING, BillingRow, Layout, Value

NOT_GB18030 = b"\xff\xff"
LEAD_BYTE = b"\xbb"  # alone it takes the separator behind it for its second byte
_CODE = {"01001": "status", "01002": "status", "01003": "item_code", "01004": "channel"}
_FOREIGN_CODE = {"01001": "9", "01002": "7", "01003": "9999", "01004": "99"}
_DATE = {"01001": "opened_on", "01002": "issued_on", "01003": "charged_from", "01004": "paid_at"}
_NAME = {"01001": "customer_name", "01004": "payer_name"}
_SHIFT = {"01001": "customer_name", "01004": "bill_no"}

FIXED_KINDS = ("unknown_code", "bad_date", "bad_number", "shifted", "missing_key", "bad_bytes", "short_record")
DELIMITED_KINDS = ("bad_number", "split_number", "unknown_code", "bad_date", "missing_key")
ITEM_KINDS = (*DELIMITED_KINDS, "extra_separator", "swallowed_separator", "bad_bytes", "out_of_month", "negative_quantity")


def kinds(layout: Layout) -> tuple[str, ...]:
    """The ways a record of this unit breaks."""
    if layout.fixed:
        return FIXED_KINDS
    return ITEM_KINDS if layout.unit == "01003" else DELIMITED_KINDS


def broken(layout: Layout, row: BillingRow, kind: str) -> tuple[bytes, str]:
    """(record without line end, what is wrong with it). `row` must bear no money."""
    return _broken_fixed(layout, row, kind) if layout.fixed else _broken_delimited(layout, row, kind)


def _broken_fixed(layout: Layout, row: BillingRow, kind: str) -> tuple[bytes, str]:
    line = layout.encode(row)
    unit = layout.unit
    if kind == "shifted":
        cut = layout.offset(_SHIFT[unit]) + 1
        return line[:cut] + line[cut + 1 :] + b" ", f"one byte of {_SHIFT[unit]} lost, the columns behind it moved left"
    if kind == "short_record":
        return line[:-1], "the record lacks its last byte"
    column, value = {
        "unknown_code": (_CODE[unit], _FOREIGN_CODE[unit].encode()),
        "bad_date": (_DATE[unit], b"20260230"),
        "bad_number": (layout.money, b"          5,000"),
        "missing_key": (layout.fields[0].name, b" " * layout.fields[0].width),
        "bad_bytes": (_NAME[unit], NOT_GB18030),
    }[kind]
    start = layout.offset(column)
    return line[:start] + value + line[start + len(value) :], f"{column}={value!r}"


def _broken_delimited(layout: Layout, row: BillingRow, kind: str) -> tuple[bytes, str]:
    fields = [layout.encode((value,)) for value in row]
    column, value = _delimited_damage(layout, row, kind)
    position = layout.position(column)
    fields[position] = value
    return b"|".join(fields), f"{column}={value.decode(ENCODING, errors='backslashreplace')}"


def _delimited_damage(layout: Layout, row: BillingRow, kind: str) -> tuple[str, bytes]:
    unit = layout.unit
    number = "price_fen" if unit == "01003" else "tax_fen"
    if kind == "out_of_month":
        return "charged_from", _before(row[layout.position("charged_from")])
    damages = {
        "bad_number": (number, b"5,000"),
        "split_number": (number, b"5|000"),
        "unknown_code": (_CODE[unit], _FOREIGN_CODE[unit].encode()),
        "bad_date": (_DATE[unit], b"20260230"),
        "missing_key": (layout.fields[0].name, b""),
        "extra_separator": ("item_name", "专线|月租费".encode(ENCODING)),
        "swallowed_separator": ("item_name", "月租费".encode(ENCODING) + LEAD_BYTE),
        "bad_bytes": ("item_name", NOT_GB18030),
        "negative_quantity": ("quantity", b"-1"),
    }
    return damages[kind]


def _before(day: Value) -> bytes:
    if isinstance(day, str | int | None):
        raise TypeError(f"{day!r} is not a date")
    return f"{day - timedelta(days=40):%Y%m%d}".encode()
