"""`.verf` check files and control totals: what the sender says of its own files, and where the files say otherwise."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from adapters.file_codes import FileCode
from adapters.transports.filenames import parse_name
from hub import periods
from schemas.batch import ControlTotals

RECORD_BYTES = 104
# Of several faults the first of these is the delivery's code: the one that tells most about what the sender should mend.
TELLING = (
    FileCode.BAD_RESEND,
    FileCode.MISSING,
    FileCode.DUPLICATE,
    FileCode.CORRECTION_ACROSS_MONTH,
    FileCode.DATE,
    FileCode.SIZE,
    FileCode.ROWS,
)
_RECORD = re.compile(rb"(?P<name>[\x21-\x7e]+ *)(?P<size>\d{20})(?P<rows>\d{20})(?P<day>\d{8})(?P<created>\d{14})\r\n")


@dataclass(frozen=True)
class CheckRecord:
    name: str
    size: int
    rows: int
    day: str


@dataclass(frozen=True)
class SeenFile:
    """A data file as it was read: bytes, and records (CRLF ends; a rest without an end is a record too)."""

    name: str
    split: int
    size: int
    rows: int
    sha256: str


@dataclass(frozen=True)
class FileFault:
    code: FileCode
    name: str
    detail: str

    def __str__(self) -> str:
        return f"{self.name}: {self.detail}"


def parse_check_file(content: bytes, name: str) -> tuple[list[CheckRecord], list[FileFault]]:
    """The records of a check file, and a fault where it is not made of 104-byte records."""
    records: list[CheckRecord] = []
    for start in range(0, len(content), RECORD_BYTES):
        match = _RECORD.fullmatch(content[start : start + RECORD_BYTES])
        if match is None:
            detail = f"record {start // RECORD_BYTES + 1} is not name(40) size(20) rows(20) date(8) created(14) CRLF"
            return records, [FileFault(FileCode.CHECK_FILE, name, detail)]
        records.append(
            CheckRecord(match["name"].decode("ascii").rstrip(), int(match["size"]), int(match["rows"]), match["day"].decode())
        )
    if not records:
        return records, [FileFault(FileCode.CHECK_FILE, name, "holds no record")]
    return records, []


def compare(
    records: Sequence[CheckRecord], files: Sequence[SeenFile], period: str, *, resend: int, correction: bool
) -> list[FileFault]:
    """Every way in which a sending is not what its check file says (DOMAIN §3, file codes)."""
    declared = {record.name: record for record in records}
    seen = {file.name: file for file in files}
    faults = [_absent(name, resend) for name in declared if name not in seen]
    faults += [
        FileFault(FileCode.MISSING, name, "in the drop, not named by the check file") for name in seen if name not in declared
    ]
    faults += _repeated(records, files)
    splits = sorted(file.split for file in files)
    if splits != list(range(1, len(splits) + 1)) and not faults:
        numbers = ", ".join(f"{split:03d}" for split in splits)
        faults.append(FileFault(FileCode.MISSING, files[0].name, f"split numbers are not 001 onward without a gap: {numbers}"))
    for name in declared.keys() & seen.keys():
        faults += _differences(declared[name], seen[name])
    for record in records:
        faults += _date_faults(record, period, correction=correction)
    return sorted(faults, key=lambda fault: (TELLING.index(fault.code), fault.name))


def _absent(name: str, resend: int) -> FileFault:
    parsed = parse_name(name)
    if parsed is not None and parsed.resend != resend:
        return FileFault(FileCode.BAD_RESEND, name, f"named by the check file of resend {resend:02d}")
    return FileFault(FileCode.MISSING, name, "named by the check file, not in the drop")


def _repeated(records: Sequence[CheckRecord], files: Sequence[SeenFile]) -> list[FileFault]:
    names = [record.name for record in records]
    faults = [
        FileFault(FileCode.DUPLICATE, name, "named twice by the check file")
        for name in sorted(set(names))
        if names.count(name) > 1
    ]
    first: dict[str, str] = {}
    for file in files:
        original = first.setdefault(file.sha256, file.name)
        if original != file.name and file.size:
            faults.append(FileFault(FileCode.DUPLICATE, file.name, f"has the content of {original}"))
    return faults


def _differences(record: CheckRecord, file: SeenFile) -> list[FileFault]:
    faults = []
    if record.size != file.size:
        faults.append(FileFault(FileCode.SIZE, file.name, f"{file.size} bytes where the check file says {record.size}"))
    if record.rows != file.rows:
        faults.append(FileFault(FileCode.ROWS, file.name, f"{file.rows} rows where the check file says {record.rows}"))
    return faults


def _date_faults(record: CheckRecord, period: str, *, correction: bool) -> list[FileFault]:
    expected = f"{periods.first_day(period):%Y%m%d}"
    if record.day == expected:
        return []
    across = correction and record.day[:6] != expected[:6]
    code = FileCode.CORRECTION_ACROSS_MONTH if across else FileCode.DATE
    return [FileFault(code, record.name, f"data date {record.day} where the period {period} needs {expected}")]


def parse_control(content: bytes, unit: str) -> ControlTotals | None:
    """The unit's line `unit|files|rows|amount_fen`; None where there is none. Raises ValueError where it is malformed."""
    for line in content.decode("ascii").splitlines():
        name, _files, rows, amount = line.split("|")
        if name.strip() == unit:
            return ControlTotals(rows=int(rows), amount_fen=int(amount) if amount.strip() else None)
    return None
