"""Writes a billing drop by hand, after docs/interfaces.md and nothing of ours."""

from __future__ import annotations

from pathlib import Path

ACCOUNT_WIDTHS = (12, 12, 80, 18, 10, 12, 1, 8, 8, 15, 120, 20, 14)


def account_record(number: str, arrears: int = 0, name: str = "广东实业有限公司") -> bytes:
    values = (number, "C1", name, "", "", "CU1", "1", "20200101", "29991231", f"{arrears:015d}", "", "", "20260201080000")
    cells = zip(values, ACCOUNT_WIDTHS, strict=True)
    return b"".join(value.encode("gb18030").ljust(width) for value, width in cells) + b"\r\n"


def bill_record(number: str, total: int = 100, month: str = "202601") -> bytes:
    return f"{number}|A1|{month}|1|{total}|6|20260201|20260220|0\r\n".encode("gb18030")


def item_record(number: str, name: str = "月租费", amount: int = 100) -> bytes:
    return f"{number}|B1|A1|P1|1001|{name}|13012345678|1|{amount}|{amount}|6|20260101|20260131\r\n".encode("gb18030")


def check_record(name: str, content: bytes, day: str, *, rows: int | None = None, size: int | None = None) -> bytes:
    size = len(content) if size is None else size
    rows = content.count(b"\r\n") if rows is None else rows
    return f"{name:<40}{size:020d}{rows:020d}{day}20260201093000\r\n".encode()


def drop(root: Path, stem: str, *splits: bytes, day: str = "20260201", check: bytes | None = None, verf: bool = True) -> str:
    """`stem` is the name up to the split number (`i_gd_20260201_01001_00`). Returns the first data file's name."""
    root.mkdir(parents=True, exist_ok=True)
    names = [f"{stem}_{number:03d}.dat" for number in range(1, len(splits) + 1)]
    for name, content in zip(names, splits, strict=True):
        (root / name).write_bytes(content)
    if verf:
        records = b"".join(check_record(name, content, day) for name, content in zip(names, splits, strict=True))
        (root / f"{stem}_001.verf").write_bytes(records if check is None else check)
    return names[0]
