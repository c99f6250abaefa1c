"""The truth beside the world, for scoring: who is who, what was injected, what the systems contradict, what a hub should hold."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from simulator import billing_units, consequences, expected
from simulator.book import Book, Inconsistency, Injected
from simulator.charges import billed_month
from simulator.entities import Table
from simulator.expected import DAILY_FEEDS, MONTHLY_FEEDS, write_parquet
from simulator.firms import BRANCH, Firm
from simulator.fulfilment import step_count
from simulator.layouts import DAILY, MONTHLY
from simulator.nights import night_of
from simulator.views import ROW_FEEDS, Row, table_of
from simulator.world import World

TERMINATED_BUT_BILLED = "terminated_but_billed"
BILLED_NEVER_ORDERED = "billed_never_ordered"
ACTIVE_NOT_BILLED = "active_not_billed"
INVOICE_DIFFERS = "invoice_differs"
ACCOUNT_MAPPED_ELSEWHERE = "account_mapped_elsewhere"
RULES = (TERMINATED_BUT_BILLED, BILLED_NEVER_ORDERED, ACTIVE_NOT_BILLED, INVOICE_DIFFERS, ACCOUNT_MAPPED_ELSEWHERE)
_MONEY = {
    "crm.contract": "amount_fen", "crm.product_instance": "price_fen", "orders.product_order": "price_fen",
    "billing.account": "arrears_fen",
}  # fmt: skip


def write_truth(world: World, nights: Sequence[str], directory: Path, *, rows: bool = False) -> None:
    """Writes the truth of the nights played, in ascending order, over what lies there; `simulator/README.md` lists the files.

    `rows` adds the clean expected rows of every feed and period (`expected/FEED/PERIOD.parquet`), which takes its time.
    """
    if not nights:
        raise ValueError("no night was played: there is no truth to write")
    nights = sorted(nights)
    months = sorted({billed_month(night) for night in nights})
    world.reach(nights[-1])
    directory.mkdir(parents=True, exist_ok=True)
    facts = {"seed": world.seed, "customers": world.customers, "dirt": asdict(world.dirt), "nights": nights, "months": months}
    (directory / "manifest.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    write_parquet(_firms(world), directory / "firms.parquet")
    write_parquet(customers(world, nights[-1]), directory / "customer_truth.parquet")
    write_parquet(_accounts(world, nights[-1]), directory / "accounts.parquet")
    write_parquet(_hierarchy(world, nights[-1]), directory / "hierarchy.parquet", ("province", "child_key", "parent_key"))
    dirt_columns = ("kind", "system", "feed", "province", "period", "key")
    write_parquet(dirt(world, nights, months), directory / "dirt.parquet", dirt_columns)
    found = [asdict(i) for i in inconsistencies(world, months, nights)]
    write_parquet(found, directory / "inconsistencies.parquet", ("rule", "province", "month", "subject"))
    write_parquet(counts(world, nights, months), directory / "expected_counts.parquet")
    for feed, periods in [(f, nights) for f in DAILY_FEEDS] + [(f, months) for f in MONTHLY_FEEDS] if rows else []:
        for period in periods:
            expected.write(world, feed, period, directory / "expected" / feed / f"{period}.parquet")


def _known(world: World) -> dict[str, Firm]:
    return {c.firm.firm_id: c.firm for book in world.books.values() for c in book.customers} | {f.firm_id: f for f in world.firms}


def _firms(world: World) -> Iterator[Row]:
    for firm in sorted(_known(world).values(), key=lambda f: f.firm_id):
        traps = {"branch": firm.level == BRANCH, "renamed": firm.former, "same_name": firm.same_name_as,
                 "pilot_code": firm.pilot, "junk_code": firm.junk_code}  # fmt: skip
        yield {
            "firm_id": firm.firm_id, "name": firm.name, "former_name": firm.former.full() if firm.former else "",
            "uscc": firm.uscc, "org_code": firm.org_code, "licence_no": firm.licence_no, "level": firm.level,
            "province": firm.province, "parent_firm_id": firm.parent.firm_id if firm.parent else "",
            "same_name_as": firm.same_name_as, "traps": ",".join(name for name, is_one in traps.items() if is_one),
        }  # fmt: skip


def customers(world: World, night: str) -> list[Row]:
    """Every source customer at the end of a night with its true firm: crm `customer_id`, billing and orders `customer_no`,
    group `groupId`. Once a (system, province, source_key)."""
    index = world.reach(night)
    found: dict[tuple[str, str, str], Row] = {}

    def add(system: str, book: Book, key: str, firm: Firm, seen: tuple[str, str, str]) -> None:
        name, uscc, org_code = seen
        row: Row = {"firm_id": firm.firm_id, "system": system, "province": book.province, "source_key": key}
        found.setdefault((system, book.province, key), {**row, "name": name, "uscc": uscc, "org_code": org_code})

    for book in world.books.values():
        for crm in book.crm.at(index):
            add("crm", book, crm.key, crm.customer.firm, (crm.name, crm.uscc, crm.org_code))
        for account in book.accounts.at(index):
            party = account.party
            add("billing", book, account.customer.billing, account.customer.firm, (party.name, party.uscc, party.org_code))
        for order in book.orders.at(index):
            # orders has no organisation code column
            add("orders", book, order.customer.orders, order.customer.firm, (order.party.name, order.party.uscc, ""))
        for group in book.group.at(index):
            add("group", book, group.key, group.customer.firm, (group.name, group.uscc, group.org_code))
    return list(found.values())


def _accounts(world: World, night: str) -> Iterator[Row]:
    index = world.reach(night)
    for book in world.books.values():
        for account in book.accounts.at(index):
            customer = account.customer
            yield {
                "province": book.province, "account_no": account.key, "customer_no": customer.billing,
                "firm_id": customer.firm.firm_id, "true_crm_customer_id": customer.crm,
                "shown_crm_customer_id": account.crm_customer_id,
            }  # fmt: skip


def _hierarchy(world: World, night: str) -> Iterator[Row]:
    index = world.reach(night)
    for book in world.books.values():
        for record in book.group.at(index):
            parent = record.customer.firm.parent
            if parent:
                yield {
                    "province": book.province, "child_firm_id": record.customer.firm.firm_id, "parent_firm_id": parent.firm_id,
                    "child_key": record.key, "parent_key": record.parent_key, "child_level": record.customer.firm.level,
                }  # fmt: skip


def _dirt_row(injected: Injected, period: str) -> Row:
    row: Row = asdict(injected)
    row["since"] = night_of(injected.since) if injected.since else ""
    return {**row, "period": period}


def dirt(world: World, nights: Sequence[str], months: Sequence[str]) -> Iterator[Row]:
    """Every injected instance: those of identity once (period empty, `since` the first night), the others a period."""
    last = world.reach(nights[-1])
    for province, book in world.books.items():
        for injected in book.injected:
            if injected.since <= last:
                yield _dirt_row(injected, "")
        for night in nights:
            for feed in ROW_FEEDS:
                for injected in world.injected(feed, province, night):
                    yield _dirt_row(injected, night)
        for layouts, periods in ((DAILY, nights), (MONTHLY, months)):
            for layout in layouts:
                for period in periods:
                    yield from _file_dirt(world, layout.unit, province, period)


def _file_dirt(world: World, unit: str, province: str, period: str) -> Iterator[Row]:
    for sent in billing_units.RECORDS[unit](world, province, period, None):
        if sent.dirt:
            yield _dirt_row(sent.dirt, period)


def inconsistencies(world: World, months: Sequence[str], nights: Sequence[str] = ()) -> Iterator[Inconsistency]:
    """Every injected contradiction, and all that it makes disagree. Those of products and bills are named once for each month
    in which they show; those of payments for the nights given."""
    for province, book in world.books.items():
        for month in months:
            yield from _monthly(world, book, month)
            yield from consequences.of_month(world, book, month)
        for key, shown in sorted(book.pinned.mapped_elsewhere.items()):
            account = book.accounts.rows[key]
            detail = f"billing says {shown}, crm says {account.customer.crm}"
            yield Inconsistency(ACCOUNT_MAPPED_ELSEWHERE, province, "", key, shown, 0, detail)
        yield from consequences.of_months(book, months)
        yield from consequences.of_payments(world, book, nights)
        yield from consequences.of_records(book)


def _monthly(world: World, book: Book, month: str) -> Iterator[Inconsistency]:
    pinned = book.pinned
    billed: dict[str, int] = {}
    for bill in billing_units.month_bills(world, book.province, month):
        for item in bill.items:
            if pinned.product(str(item[3])):
                billed[str(item[3])] = billed.get(str(item[3]), 0) + int(str(item[9]))
        if bill.differs_fen:
            key, account = str(bill.row[0]), str(bill.row[1])
            detail = f"total {bill.row[4]}, items {bill.true_total_fen}"
            yield Inconsistency(INVOICE_DIFFERS, book.province, month, key, account, bill.differs_fen, detail)
    for rule, keys in ((TERMINATED_BUT_BILLED, pinned.billed_after_end), (BILLED_NEVER_ORDERED, pinned.never_ordered)):
        for key in sorted(keys):
            product = book.products.rows[key]
            detail = f"ended {product.ended_on}" if product.ended_on else "no order"
            yield Inconsistency(rule, book.province, month, key, product.account_key, billed[key], detail)
    for key in sorted(pinned.never_billed):
        product = book.products.rows[key]
        yield Inconsistency(ACTIVE_NOT_BILLED, book.province, month, key, product.account_key, product.price_fen, "no bill item")


def _count(table: Table[Any], index: int, money: str | None) -> tuple[int, int, int]:
    live = deleted = amount = 0
    for record in table.at(index):
        live += not record.deleted
        deleted += record.deleted
        amount += 0 if record.deleted or not money else getattr(record, money)
    return live, deleted, amount


def counts(world: World, nights: Sequence[str], months: Sequence[str]) -> Iterator[Row]:
    """Rows a hub should hold by feed, province and period: live, deleted, and the live rows' money in fen."""

    def row(feed: str, province: str, period: str, found: Iterable[int]) -> Row:
        live, deleted, amount = found
        return {"feed": feed, "province": province, "period": period, "rows": live, "deleted": deleted, "amount_fen": amount}

    for province, book in world.books.items():
        for night in nights:
            index = world.reach(night)
            for feed in ROW_FEEDS:
                if feed == "orders.work_order":
                    steps = sum(step_count(order.offering) for order in book.orders.at(index))
                    yield row(feed, province, night, (steps, 0, 0))
                else:
                    yield row(feed, province, night, _count(table_of(book, feed), index, _MONEY.get(feed)))
            yield row("billing.account", province, night, _count(book.accounts, index, _MONEY["billing.account"]))
            paid = [int(str(r["amount_fen"])) for r in expected.rows(world, "billing.payment", province, night)]
            yield row("billing.payment", province, night, (len(paid), 0, sum(paid)))
        for month in months:
            bills = list(billing_units.month_bills(world, province, month))
            items = [int(str(item[9])) for bill in bills for item in bill.items]
            printed = sum(int(str(bill.row[4])) for bill in bills)
            yield row("billing.bill", province, month, (len(bills), 0, printed))
            yield row("billing.bill_item", province, month, (len(items), 0, sum(items)))
