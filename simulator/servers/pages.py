"""What scripted faults do to a page, the same for REST and SOAP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simulator.servers.faults import Fault, FaultKind
from simulator.servers.snapshots import Row
from simulator.servers.web import Manner

Struck = Mapping[FaultKind, Fault]


def manner_under(struck: Struck) -> Manner:
    if FaultKind.HANG in struck:
        return Manner.SILENT
    return Manner.CUT if FaultKind.DROP_CONNECTION in struck else Manner.WHOLE


def total_under(struck: Struck, total: int) -> int:
    lie = struck.get(FaultKind.WRONG_TOTAL)
    return total if lie is None else max(0, total + int(lie.value or 1))


def offset_under(struck: Struck, offset: int, limit: int) -> int:
    return max(0, offset - limit) if FaultKind.REPEAT_PAGE in struck else offset


def rows_under(struck: Struck, rows: Sequence[Row]) -> list[Row]:
    page = list(rows)
    if renamed := struck.get(FaultKind.RENAME_FIELD):
        page = [{renamed.value if name == renamed.field else name: row[name] for name in row} for row in page]
    if new := struck.get(FaultKind.NEW_FIELD):
        page = [{**row, new.field: new.value} for row in page]
    if (changed := struck.get(FaultKind.SET_FIELD)) and page:
        page[0] = {**page[0], changed.field: changed.value}
    return page
