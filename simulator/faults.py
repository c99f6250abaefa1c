"""Ways to spoil a dropped file on purpose, for tests of bad input. Each names what it did to which bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from simulator.layouts import CRLF, ENCODING, Layout

_NAME_WIDTH, _SIZE_WIDTH, _ROWS_WIDTH = 40, 20, 20


def _rewrite(path: Path, content: bytes) -> None:
    draft = path.with_name(path.name + ".tmp")
    draft.write_bytes(content)
    draft.replace(path)


def truncate(data: Path, keep: float = 0.5) -> None:
    """Cuts a data file off, usually inside a record; its check file stays."""
    content = data.read_bytes()
    _rewrite(data, content[: int(len(content) * keep)])


def wrong_rows(verf: Path, by: int = 1) -> None:
    """Makes the first record of a check file claim another number of rows."""
    _claim(verf, _NAME_WIDTH + _SIZE_WIDTH, _ROWS_WIDTH, by)


def wrong_size(verf: Path, by: int = 1) -> None:
    """Makes the first record of a check file claim another size."""
    _claim(verf, _NAME_WIDTH, _SIZE_WIDTH, by)


def wrong_date(verf: Path, day: str) -> None:
    """Makes the first record of a check file bear another data date `YYYYMMDD`."""
    start = _NAME_WIDTH + _SIZE_WIDTH + _ROWS_WIDTH
    content = verf.read_bytes()
    _rewrite(verf, content[:start] + day.encode() + content[start + 8 :])


def _claim(verf: Path, start: int, width: int, by: int) -> None:
    content = verf.read_bytes()
    claimed = int(content[start : start + width]) + by
    _rewrite(verf, content[:start] + f"{claimed:0{width}d}".encode() + content[start + width :])


def missing_verf(verf: Path) -> None:
    """Takes the check file away."""
    verf.unlink()


def _change_record(data: Path, row_no: int, change: Callable[[bytes], bytes], verf: Path | None) -> None:
    lines = data.read_bytes().split(CRLF)
    lines[row_no - 1] = change(lines[row_no - 1])
    _rewrite(data, CRLF.join(lines))
    if verf:
        restate_size(data, verf)


def restate_size(data: Path, verf: Path) -> None:
    """Makes a check file agree with a changed data file's size, so that only the record is at fault."""
    content = verf.read_bytes()
    records = [content[i : i + 104] for i in range(0, len(content), 104)]
    size = f"{data.stat().st_size:0{_SIZE_WIDTH}d}".encode()
    for number, record in enumerate(records):
        if record[:_NAME_WIDTH].rstrip() == data.name.encode():
            records[number] = record[:_NAME_WIDTH] + size + record[_NAME_WIDTH + _SIZE_WIDTH :]
    _rewrite(verf, b"".join(records))


def not_gb18030(data: Path, row_no: int, verf: Path | None = None) -> None:
    """Puts two bytes that are no GB18030 in the middle of a record, without changing its length."""

    def change(line: bytes) -> bytes:
        middle = len(line) // 2
        return line[:middle] + b"\xff\xff" + line[middle + 2 :]

    _change_record(data, row_no, change, verf)


def shifted_column(data: Path, row_no: int, layout: Layout, verf: Path | None = None) -> None:
    """Moves the columns of a record one place: a byte lost in a fixed-width one, a column lost in a delimited one."""

    def change(line: bytes) -> bytes:
        if layout.fixed:
            return line[1:] + b" "
        return "|".join(line.decode(ENCODING).split("|")[1:]).encode(ENCODING)

    _change_record(data, row_no, change, verf)


def unknown_code(data: Path, row_no: int, layout: Layout, column: str, *, code: str, verf: Path | None = None) -> None:
    """Writes a code nobody knows into a column of a record."""

    def change(line: bytes) -> bytes:
        if layout.fixed:
            start, width = layout.offset(column), layout.fields[layout.position(column)].width
            return line[:start] + code.encode(ENCODING).ljust(width)[:width] + line[start + width :]
        values = line.decode(ENCODING).split("|")
        values[layout.position(column)] = code
        return "|".join(values).encode(ENCODING)

    _change_record(data, row_no, change, verf)


def extra_column(data: Path, value: str = "新增字段", verf: Path | None = None) -> None:
    """Adds a column at the end of every record: the sender's layout has changed."""
    lines = data.read_bytes().split(CRLF)
    added = ("|" + value).encode(ENCODING)
    _rewrite(data, CRLF.join([line + added if line else line for line in lines]))
    if verf:
        restate_size(data, verf)
