"""Broken rows and repeats of the row feeds (crm, group, orders). Broken rows are extra rows under keys of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from simulator.book import DUPLICATE, QUARANTINE, STALE, Book, BrokenRow, Injected
from simulator.nights import share
from simulator.views import KEYS, ROW_FEEDS, Row, render, rfc3339, table_of, version_column

LATE_BROKEN = 30
# A hub rightly refuses a batch of which a twentieth is broken; ordinary dirt must stay below that in a small batch too.
FEWEST_ROWS = 40
_CODE_COLUMNS = {
    "crm.customer": ("category", "status", "industry"), "crm.contact": ("role",), "crm.contract": ("status",),
    "crm.product_instance": ("offering_code", "status", "service_kind"), "crm.resource": ("kind", "status"),
    "group.group_customer": ("groupLevel", "status"), "group.production_job": ("state",),
    "orders.product_order": ("state", "offering_code", "action", "channel"), "orders.work_order": ("state",),
}  # fmt: skip
_DATE_COLUMNS = {"crm.customer": "created_on", "crm.contract": "signed_on", "group.production_job": "plannedOn"}
_NUMBER_COLUMNS = {"crm.contract": "amount", "crm.product_instance": "monthly_price", "crm.resource": "bandwidth_mbps"}
_TEXT_COLUMNS = {
    "crm.customer": "short_name", "crm.contact": "name", "crm.contract": "title", "crm.product_instance": "service_no",
    "crm.resource": "name", "group.group_customer": "address", "group.production_job": "team",
}  # fmt: skip
_TIME_PAIRS = {
    "orders.product_order": ("ordered_at", "completed_at"), "orders.work_order": ("started_at", "finished_at"),
}  # fmt: skip
_FOREIGN_CODE = "ZZ"


def _unknown_code(feed: str, row: Row, drawn: float) -> str:
    columns = _CODE_COLUMNS[feed]
    column = columns[int(drawn * len(columns))]
    row[column] = _FOREIGN_CODE
    return f"{column}={_FOREIGN_CODE}"


def _bad_date(feed: str, row: Row, _drawn: float) -> str:
    column = _DATE_COLUMNS[feed]
    row[column] = "2026-02-30"
    return f"{column}=2026-02-30"


def _bad_number(feed: str, row: Row, _drawn: float) -> str:
    column = _NUMBER_COLUMNS[feed]
    row[column] = "五千元"
    return f"{column}=五千元"


def _missing_key(feed: str, row: Row, _drawn: float) -> str:
    key = KEYS[feed]
    was = row[key]
    row[key] = "N/A" if feed.startswith("crm.") else ""
    return f"{key} missing, was {was}"


def _times_reversed(feed: str, row: Row, _drawn: float) -> str:
    earlier, later = _TIME_PAIRS[feed]
    moment = row[earlier] = row[earlier] or row["updated_at"]
    if not isinstance(moment, datetime):
        raise TypeError(f"{feed}.{earlier}: {moment!r} is not a time")
    row[later] = moment - timedelta(days=1)
    return f"{later} before {earlier}"


def _shifted(feed: str, row: Row, _drawn: float) -> str:
    fixed = {KEYS[feed], "deleted", version_column(feed)}
    columns = [c for c in row if c not in fixed]
    values = [row[c] for c in columns]
    row.update(zip(columns, values[-1:] + values[:-1], strict=True))
    return "values shifted by one column"


_Spoil = Callable[[str, Row, float], str]


def _ways(feed: str) -> list[tuple[str, _Spoil]]:
    ways: list[tuple[str, _Spoil]] = [("unknown_code", _unknown_code)]
    if feed.startswith("orders."):
        return [*ways, ("times_reversed", _times_reversed)]
    ways += [("shifted", _shifted), ("missing_key", _missing_key)]
    if feed in _DATE_COLUMNS:
        ways.append(("bad_date", _bad_date))
    if feed in _NUMBER_COLUMNS:
        ways.append(("bad_number", _bad_number))
    return ways


def break_rows(book: Book, night: int) -> None:
    """Adds the broken rows that begin on a night: 0.5 % of the base rows at night 0, now and then one later
    on a night with enough new rows."""
    if not book.dirt.broken_rows:
        return
    if night == 0:
        count = base_count(book, len(book.accounts.rows))
        book.broken_accounts = [book.accounts.new_key() for _ in range(count)]
    for feed in ROW_FEEDS:
        table = table_of(book, feed)
        templates = [r for r in table.rows.values() if r.born == night]
        if night == 0:
            count = base_count(book, _size(book, feed))
        else:
            late = share(book.seed, "late", feed, book.province, night) < book.dirt.broken_rows * LATE_BROKEN
            count = int(late and len(templates) >= FEWEST_ROWS)
        for number in range(count):
            template = templates[(number * len(templates)) // count]
            _break(book, feed, next(iter(render(book, feed, template))), night, number)


def base_count(book: Book, rows: int) -> int:
    """How many broken rows so many base rows get: at least one, none where one would be too large a part."""
    return max(1, round(book.dirt.broken_rows * rows)) if rows >= FEWEST_ROWS else 0


def _size(book: Book, feed: str) -> int:
    steps = 3 if feed == "orders.work_order" else 1
    return len(table_of(book, feed).rows) * steps


def _break(book: Book, feed: str, row: Row, night: int, number: int) -> None:
    key_column = KEYS[feed]
    order_digits = str(row[key_column])[2:-1]
    key = f"WO{order_digits}9" if feed == "orders.work_order" else table_of(book, feed).new_key()
    row[key_column] = key
    ways = _ways(feed)
    kind, way = ways[number % len(ways)] if night == 0 else ways[0]
    detail = way(feed, row, share(book.seed, "broken", feed, key))
    shown = "" if kind == "missing_key" else key
    book.broken.setdefault(feed, []).append(BrokenRow(kind, shown, night, detail, row))


def _older(feed: str, row: Row) -> Row:
    column, version = _TEXT_COLUMNS[feed], version_column(feed)
    moment = datetime.fromisoformat(str(row[version])) - timedelta(days=1)
    older = rfc3339(moment) if feed.startswith("crm.") else f"{moment:%Y-%m-%d %H:%M:%S}"
    return {**row, column: f"{row.get(column) or ''}(旧)", version: older}


def _repeated(book: Book, feed: str, key: str, *, born: int) -> str:
    """How a row is repeated: its expected outcome, or nothing. The same for a row on every night."""
    dirt = book.dirt
    if not dirt.duplicates or feed not in _TEXT_COLUMNS:
        return ""
    drawn = share(book.seed, "repeat", feed, book.province, key)
    if drawn >= dirt.duplicates:
        return ""
    if drawn >= dirt.duplicates * dirt.conflicting_share:
        return DUPLICATE
    return "" if born else STALE


def spoiled_rows(book: Book, feed: str, night: int) -> Iterator[Row]:
    """Every row a system shows on a night, repeats and broken rows included. Unsorted."""
    for record in table_of(book, feed).at(night):
        for row in render(book, feed, record):
            yield row
            repeated = _repeated(book, feed, record.key, born=record.born)
            if repeated == DUPLICATE:
                yield dict(row)
            elif repeated == STALE:
                yield _older(feed, next(iter(render(book, feed, table_of(book, feed).rows[record.key]))))
    for broken in book.broken.get(feed, []):
        if broken.since <= night:
            yield dict(broken.row)


def injected(book: Book, feed: str, night: int) -> Iterator[Injected]:
    """The repeats and broken rows among `spoiled_rows`."""
    system = feed.split(".", maxsplit=1)[0]
    kinds = {DUPLICATE: "duplicate_exact", STALE: "duplicate_conflicting"}
    for record in table_of(book, feed).at(night) if feed in _TEXT_COLUMNS else ():
        outcome = _repeated(book, feed, record.key, born=record.born)
        if outcome:
            yield Injected(kinds[outcome], system, feed, book.province, record.key, outcome, "", record.born)
    for broken in book.broken.get(feed, []):
        if broken.since <= night:
            yield Injected(broken.kind, system, feed, book.province, broken.key, QUARANTINE, broken.detail, broken.since)
