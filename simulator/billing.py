"""The billing system's file drop: units with check files and control totals, written as `.tmp` and renamed (DOMAIN §3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from simulator import billing_units
from simulator.billing_units import Changes, Sent
from simulator.charges import billed_month
from simulator.layouts import (
    BY_UNIT,
    CRLF,
    DAILY,
    DAILY_CONTROL,
    MONTHLY,
    MONTHLY_CONTROL,
    BillingRow,
    Layout,
    verf_record,
)
from simulator.nights import BILLING_DUE_DAY, day_of, month_bounds
from simulator.world import World

SPLIT_ROWS = 40_000
_WRITE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class UnitTotals:
    """What was sent of one unit: number of files, records (broken ones and repeats included), sum of readable money."""

    unit: str
    files: int
    rows: int
    amount_fen: int


def drop(
    world: World,
    night: str,
    province: str,
    directory: Path,
    *,
    resend: int = 0,
    units: Iterable[str] | None = None,
    amend: Mapping[str, Changes] | None = None,
    split_rows: int = SPLIT_ROWS,
) -> list[str]:
    """Writes a night's daily units, and on day 3 the monthly units of the month before. Returns the names in writing order.

    A directory that a month's bills, due earlier, never reached gets them too: a story may begin after day 3.

    `units` keeps to some units (`00000` and `99999` are the control totals, which always cover all units of their period).
    `amend` is unit → key → column → new value, for a resend with changed content; the money of an amended row counts.
    """
    sender = _Sender(world, province, directory, resend, frozenset(units) if units is not None else None, amend or {}, split_rows)
    names = sender.send(night, night, DAILY, DAILY_CONTROL)
    month = billed_month(night)
    never_sent = not resend and not any(directory.glob(f"?_{province}_{month}_*.verf"))
    if never_sent or day_of(night).day == BILLING_DUE_DAY:
        names += sender.send(month, night, MONTHLY, MONTHLY_CONTROL)
    return names


def deliver_month(
    world: World,
    month: str,
    province: str,
    directory: Path,
    *,
    resend: int = 0,
    units: Iterable[str] | None = None,
    amend: Mapping[str, Changes] | None = None,
    split_rows: int = SPLIT_ROWS,
) -> list[str]:
    """Writes the monthly units of a month, whatever the night. As `drop` otherwise."""
    sender = _Sender(world, province, directory, resend, frozenset(units) if units is not None else None, amend or {}, split_rows)
    return sender.send(month, due_night(month), MONTHLY, MONTHLY_CONTROL)


def due_night(month: str) -> str:
    """The night on which a month's bills are sent."""
    return f"{month_bounds(month)[1] + timedelta(days=BILLING_DUE_DAY):%Y%m%d}"


def drop_correction(
    world: World,
    month: str,
    province: str,
    directory: Path,
    *,
    inserts: Iterable[BillingRow] = (),
    deletes: Iterable[BillingRow] = (),
    unit: str = "01003",
    resend: int = 0,
) -> list[str]:
    """Writes a correction of a month: a `p_` file of rows to insert, a `d_` file of rows to delete, each with its check file."""
    layout = BY_UNIT[unit]
    sender = _Sender(world, province, directory, resend, None, {}, SPLIT_ROWS)
    names: list[str] = []
    for prefix, rows in (("p", inserts), ("d", deletes)):
        lines = [Sent(layout.encode(row), 0, None) for row in rows]
        if lines:
            names += sender.write_unit(f"{prefix}_{layout.prefix}", unit, month, due_night(month), lines)[0]
    return names


def correction_rows(world: World, month: str, province: str, count: int) -> tuple[list[BillingRow], list[BillingRow]]:
    """(inserts, deletes) for `drop_correction`: items re-entered under new numbers as `更正`, so that every bill's sum stays."""
    deletes = [bill.items[0] for bill, _ in zip(billing_units.month_bills(world, province, month), range(count), strict=False)]
    inserts = [(f"{month}8{number:09d}", *row[1:5], f"更正{row[5]}", *row[6:]) for number, row in enumerate(deletes, start=1)]
    return inserts, deletes


@dataclass(slots=True)
class _Sender:
    world: World
    province: str
    directory: Path
    resend: int
    units: frozenset[str] | None
    amend: Mapping[str, Changes]
    split_rows: int

    def _wanted(self, unit: str) -> bool:
        return self.units is None or unit in self.units

    def send(self, period: str, night: str, layouts: Iterable[Layout], control: str) -> list[str]:
        """The data units of a period, then their control totals."""
        names: list[str] = []
        totals: list[UnitTotals] = []
        for layout in layouts:
            records = billing_units.RECORDS[layout.unit](self.world, self.province, period, self.amend.get(layout.unit))
            if self._wanted(layout.unit):
                written, unit_totals = self.write_unit(layout.prefix, layout.unit, period, night, records)
                names += written
                totals.append(unit_totals)
            elif self._wanted(control):
                totals.append(self._count(layout.unit, records))
        if self._wanted(control):
            lines = [Sent(f"{t.unit}|{t.files}|{t.rows}|{t.amount_fen}".encode(), 0, None) for t in totals]
            names += self.write_unit("i", control, period, night, lines)[0]
        return names

    def _count(self, unit: str, records: Iterable[Sent]) -> UnitTotals:
        rows = amount = 0
        for record in records:
            rows += 1
            amount += record.amount_fen
        return UnitTotals(unit, max(1, -(-rows // self.split_rows)), rows, amount)

    def write_unit(
        self, prefix: str, unit: str, period: str, night: str, records: Iterable[Sent]
    ) -> tuple[list[str], UnitTotals]:
        """All splits of a unit, then its check file. An empty unit is one empty file."""
        self.directory.mkdir(parents=True, exist_ok=True)
        stem = f"{prefix}_{self.province}_{period}_{unit}_{self.resend:02d}"
        created = f"{night}2330{self.resend:02d}"
        names: list[str] = []
        verf = b""
        rows = amount = 0
        for number, split in enumerate(_splits(records, self.split_rows), start=1):
            name = f"{stem}_{number:03d}.dat"
            count, size, money = self._write(name, split)
            verf += verf_record(name, size, count, period, created)
            names.append(name)
            rows += count
            amount += money
        check = f"{stem}_001.verf"
        _place(self.directory / check, [verf])
        return [*names, check], UnitTotals(unit, len(names), rows, amount)

    def _write(self, name: str, records: Iterable[Sent]) -> tuple[int, int, int]:
        counts = [0, 0, 0]

        def chunks() -> Iterator[bytes]:
            for record in records:
                line = record.line + CRLF
                counts[0] += 1
                counts[1] += len(line)
                counts[2] += record.amount_fen
                yield line

        _place(self.directory / name, chunks())
        return counts[0], counts[1], counts[2]


def _splits(records: Iterable[Sent], size: int) -> Iterator[Iterator[Sent]]:
    """Runs of at most `size` records; one empty run if there are none. Each run must be read before the next."""
    iterator = iter(records)
    ahead = next(iterator, None)

    def run() -> Iterator[Sent]:
        nonlocal ahead
        for _ in range(size):
            if ahead is None:
                return
            current, ahead = ahead, next(iterator, None)
            yield current

    yield run()
    while ahead is not None:
        yield run()


def _place(path: Path, chunks: Iterable[bytes]) -> None:
    draft = path.with_name(path.name + ".tmp")
    with draft.open("wb", buffering=_WRITE_BYTES) as file:
        file.writelines(chunks)
    draft.replace(path)
