"""A reader of what the systems send that shares nothing with the writers: it finds the rows a hub must refuse."""

from __future__ import annotations

import itertools
import re
from datetime import datetime
from pathlib import Path

ACCOUNT = [12, 12, 80, 18, 10, 12, 1, 8, 8, 15, 120, 20, 14]
PAYMENT = [16, 12, 16, 15, 1, 2, 14, 60]
CODES = {
    "category": "1 2 3 4", "list_status": "1 2", "industry": "GOV FIN EDU MED MFG TRD TRN ENE ICT OTH", "status": "1 2 9",
    "role": "LEGAL BIZ TECH FIN", "offering_code": "IPL MPLS IDC SIP MGRP IOT SMS CLOUD", "service_kind": "F M C",
    "action": "A M T", "channel": "10010 YYT CM DL WT ES", "groupLevel": "1 2 3", "kind": "CIRCUIT NUMBER PORT",
    "state": "NEW PROC HOLD DONE CANC FAIL", "governing_deadline": "R P C", "abortReason": "01 02 03 99",
}  # fmt: skip
STATUS = {
    "crm.contract": "draft active expired terminated", "crm.product_instance": "00 10 20 30", "crm.resource": "0 1 2 3",
    "orders.work_order": "0 1 2 3 4", "group.production_job": "00 10 20 90",
}  # fmt: skip
KEY = {
    "crm.customer": "customer_id", "crm.contact": "contact_id", "crm.contract": "contract_no",
    "crm.product_instance": "product_id", "crm.resource": "resource_id", "group.group_customer": "groupId",
    "group.production_job": "jobNo", "orders.product_order": "order_no", "orders.work_order": "work_order_no",
}  # fmt: skip
MISSING = (None, "", "N/A")


def lines(directory: Path, unit: str, period: str) -> list[bytes]:
    """Records of a unit in delivery order, without line ends."""
    found: list[bytes] = []
    for path in sorted(directory.glob(f"[is]_*_{period}_{unit}_*.dat")):
        content = path.read_bytes()
        assert content.endswith(b"\r\n") or not content
        found += content.split(b"\r\n")[:-1]
    return found


def fields(line: bytes, unit: str) -> list[str] | None:
    """The record's columns, or None where the bytes, the length or the number of columns are wrong."""
    try:
        if unit in ("01001", "01004"):
            widths = ACCOUNT if unit == "01001" else PAYMENT
            if len(line) != sum(widths):
                return None
            cuts = [sum(widths[:i]) for i in range(len(widths) + 1)]
            return [line[a:b].decode("gb18030").rstrip() for a, b in itertools.pairwise(cuts)]
        values = line.decode("gb18030").split("|")
    except UnicodeDecodeError:
        return None
    return values if len(values) == (9 if unit == "01002" else 13) else None


def _date(text: str, length: int = 8) -> bool:
    try:
        datetime.fromisoformat(text if length == 8 else f"{text[:8]}T{text[8:]}")
    except ValueError:
        return False
    return len(text) == length and text.isdigit()


def _money(text: str) -> bool:
    return re.fullmatch(r"-?\d+", text) is not None


def sound(line: bytes, unit: str, period: str) -> bool:
    """True if a hub may take the record."""
    v = fields(line, unit)
    if v is None or not v[0]:
        return False
    if unit == "01001":
        return v[6] in "123" and _date(v[7]) and _date(v[8]) and _money(v[9]) and _date(v[12], 14)
    if unit == "01004":
        return v[4] in "12" and v[5] in ("10", "20", "30", "40", "50") and _money(v[3]) and _date(v[6], 14)
    if unit == "01002":
        return all(map(_money, v[3:6])) and _date(v[6]) and _date(v[7]) and v[8] in "012"
    in_month = all(_date(day) and day[:6] == period for day in v[11:])
    return v[4] in ("1001", "1002", "1003", "1004", "1005", "1006") and all(map(_money, v[7:11])) and in_month and int(v[7]) >= 0


def sound_row(feed: str, row: dict[str, object]) -> bool:
    """True if a hub may take a row of crm, group or orders."""
    if row.get(KEY[feed]) in MISSING:
        return False
    for column, value in row.items():
        if value in MISSING:
            continue
        allowed = STATUS.get(feed, CODES.get(column, "")) if column in ("status", "state") else CODES.get(column, "")
        if allowed and value not in allowed.split():
            return False
        if column.endswith(("_on", "On")) and not _date(str(value).replace("-", "")):
            return False
        if column in ("amount", "monthly_price", "bandwidth_mbps") and not re.fullmatch(r"[\d,]+(\.\d\d)?", str(value)):
            return False
    if feed.startswith("orders."):
        first, last = ("ordered_at", "completed_at") if feed == "orders.product_order" else ("started_at", "finished_at")
        start, end = row[first], row[last]
        return not (isinstance(start, datetime) and isinstance(end, datetime) and end < start)
    return True
