"""Every record billing sends in one unit and period, in file order, dirt included."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from simulator import charges
from simulator.billing_dirt import broken, kinds
from simulator.book import ACCEPT, DUPLICATE, QUARANTINE, STALE, Book, Injected
from simulator.charges import AWKWARD_REGIONS, Bill
from simulator.layouts import ACCOUNT, BILL, BILL_ITEM, PAYMENT, BillingRow, Layout, Value
from simulator.nights import BEFORE_FIRST, month_bounds, share
from simulator.spoil import FEWEST_ROWS
from simulator.world import World

_KEPT_CUSTOMERS = 5_000

Changes = Mapping[str, Mapping[str, Value]]


@dataclass(frozen=True, slots=True)
class Sent:
    """One record as sent, without its line end, the money it bears, and what is wrong with it."""

    line: bytes
    amount_fen: int
    dirt: Injected | None


class _Unit:
    """Numbers the records of one unit and adds repeats and broken records."""

    def __init__(self, book: Book, layout: Layout, amend: Changes | None) -> None:
        self.book = book
        self.layout = layout
        self._amend = amend or {}
        self._money = layout.position(layout.money)
        self._row_no = 0
        self._broken = 0
        self._repeats: list[tuple[BillingRow, str, str]] = []

    def _amended(self, row: BillingRow) -> BillingRow:
        changes = self._amend.get(str(row[0]))
        if not changes:
            return row
        return tuple(changes.get(name, value) for name, value in zip(self.layout.columns, row, strict=True))

    def _injected(self, kind: str, key: str, expected: str, detail: str) -> Injected:
        return Injected(kind, "billing", self.layout.feed, self.book.province, key, expected, detail, row_no=self._row_no)

    def send(self, row: BillingRow) -> Sent:
        """A sound record; it may be chosen to come once more at the end."""
        self._row_no += 1
        row = self._amended(row)
        key = str(row[0])
        dirt = self.book.dirt
        drawn = share(self.book.seed, "repeat", self.layout.feed, self.book.province, key)
        if drawn < dirt.duplicates:
            conflicting = self.layout is ACCOUNT and drawn < dirt.duplicates * dirt.conflicting_share
            if not conflicting:
                self._repeats.append((row, "duplicate_exact", DUPLICATE))
            elif self.book.accounts.rows[key].born == 0:
                self._repeats.append((_older_account(self.book, key), "duplicate_conflicting", STALE))
        noted = None
        if self.layout is BILL_ITEM and str(row[5])[:2] in AWKWARD_REGIONS:
            noted = self._injected("awkward_character", key, ACCEPT, str(row[5]))
        return Sent(self.layout.encode(row), int(str(row[self._money])), noted)

    def send_broken(self, template: BillingRow, key: str) -> Sent:
        """A broken record made after a sound one, under a key nothing refers to."""
        self._row_no += 1
        ways = kinds(self.layout)
        kind = ways[self._broken % len(ways)]
        self._broken += 1
        row = tuple(_without_money(n, v) for n, v in zip(self.layout.columns, template, strict=True))
        line, detail = broken(self.layout, (key, *row[1:]), kind)
        shown = "" if kind == "missing_key" else key
        return Sent(line, 0, self._injected(kind, shown, QUARANTINE, detail))

    def repeats(self) -> Iterator[Sent]:
        """The records that come once more."""
        for row, kind, expected in self._repeats:
            self._row_no += 1
            amount = int(str(row[self._money]))
            yield Sent(self.layout.encode(row), amount, self._injected(kind, str(row[0]), expected, ""))


def _without_money(column: str, value: Value) -> Value:
    return 0 if column.endswith("_fen") else value


def _older_account(book: Book, key: str) -> BillingRow:
    account = book.accounts.rows[key]
    row = list(charges.account_row(account))
    row[ACCOUNT.position("updated_at")] = account.updated - timedelta(days=1)
    row[ACCOUNT.position("contact_phone")] = f"{account.phone[:3]}00000000"
    return tuple(row)


def accounts(world: World, province: str, night: str, amend: Changes | None = None) -> Iterator[Sent]:
    """Unit 01001 of a night."""
    index = world.reach(night)
    book = world.books[province]
    unit = _Unit(book, ACCOUNT, amend)
    for account in book.accounts.at(index):
        yield unit.send(charges.account_row(account))
    templates = [a for a in book.accounts.rows.values() if a.born == 0]
    for number, key in enumerate(book.broken_accounts):
        template = templates[number * len(templates) // len(book.broken_accounts)]
        yield unit.send_broken(charges.account_row(template), key)
    yield from unit.repeats()


def payments(world: World, province: str, night: str, amend: Changes | None = None) -> Iterator[Sent]:
    """Unit 01004 of a night; now and then, when there are enough, with a broken record."""
    world.reach(night)
    book = world.books[province]
    unit = _Unit(book, PAYMENT, amend)
    rows = list(charges.payments(book, night, bill_totals(world, province, charges.billed_month(night))))
    for row in rows:
        yield unit.send(row)
    wanted = book.dirt.broken_rows * len(rows)
    if len(rows) >= FEWEST_ROWS and share(book.seed, "broken payment", province, night) < wanted:
        yield unit.send_broken(rows[0], f"Y{night}{9_000_001}")
    yield from unit.repeats()


def bills(world: World, province: str, month: str, amend: Changes | None = None) -> Iterator[Sent]:
    """Unit 01002 of a month."""
    unit = _Unit(world.books[province], BILL, amend)
    return _with_broken(unit, (bill.row for bill in month_bills(world, province, month)), f"{month}9%07d")


def bill_items(world: World, province: str, month: str, amend: Changes | None = None) -> Iterator[Sent]:
    """Unit 01003 of a month."""
    unit = _Unit(world.books[province], BILL_ITEM, amend)
    return _with_broken(unit, (item for bill in month_bills(world, province, month) for item in bill.items), f"{month}9%09d")


def _with_broken(unit: _Unit, rows: Iterable[BillingRow], key_format: str) -> Iterator[Sent]:
    rate = unit.book.dirt.broken_rows
    every = max(1, round(1 / rate)) if rate else 0
    for number, row in enumerate(rows, start=1):
        yield unit.send(row)
        if every and number % every == every // 2:
            yield unit.send_broken(row, key_format % (number // every + 1))
    yield from unit.repeats()


def _ready(world: World, province: str, month: str) -> Book:
    last = f"{month_bounds(month)[1]:%Y%m%d}"
    if last > f"{BEFORE_FIRST:%Y%m%d}":
        world.reach(last)
    return world.books[province]


def month_bills(world: World, province: str, month: str) -> Iterator[Bill]:
    """Bills of a month as billing knows them, without broken records and repeats. A small world keeps them."""
    book = _ready(world, province, month)
    if world.customers > _KEPT_CUSTOMERS:
        return charges.bills(book, month)
    kept = world.kept_bills.get((province, month))
    if kept is None:
        kept = world.kept_bills[province, month] = list(charges.bills(book, month))
    return iter(kept)


def bill_totals(world: World, province: str, month: str) -> dict[str, tuple[str, int]]:
    """account → (bill_no, printed total in fen) of a month. Worked out once a world."""
    found = world.bill_totals.get((province, month))
    if found is None:
        found = {str(b.row[1]): (str(b.row[0]), int(str(b.row[4]))) for b in month_bills(world, province, month)}
        world.bill_totals[province, month] = found
    return found


Records = Callable[[World, str, str, Changes | None], Iterator[Sent]]
RECORDS: dict[str, Records] = {"01001": accounts, "01002": bills, "01003": bill_items, "01004": payments}
