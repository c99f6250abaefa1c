"""What billing knows: accounts of a night, bills with their items of a month, payments of a night. No dirt but contradictions."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from simulator import names, repricing
from simulator.book import Book
from simulator.catalogue import BY_CODE
from simulator.entities import Account, Product
from simulator.layouts import BillingRow, Value
from simulator.nights import BILLING_DUE_DAY, FIRST_NIGHT, at_time, day_of, month_before, month_bounds, night_index, share, stream

TAX_PERCENT = 6
FEWER_ITEMS, WRONG_TAX, OTHER_ACCOUNT = BILL_FAULTS = ("fewer_items", "wrong_tax", "other_account")
WRONG_TAX_FEN = 17
UNLIKE_PEERS_FEN = 50_000_000
STRAY_FEN = 8_800
AWKWARD_REGIONS = ("東区", "誠信", "運河", "瑋珅")
_USAGE = ("流量通信费", "国内长途费", "本地通话费", "短信通信费", "增值业务费", "国际漫游费")
_CHANNELS = ("10", "20", "30", "40", "50")
_PAID_IN_FULL, _PAID_IN_PARTS, _PAID_TOO_MUCH, _REVERSED = 0.80, 0.88, 0.90, 0.915


@dataclass(slots=True)
class Bill:
    """One account's bill with its items; `total_fen` as printed, which the injected contradiction makes differ from Σ items."""

    row: BillingRow
    items: list[BillingRow]
    true_total_fen: int
    differs_fen: int
    fault: str


def account_row(a: Account) -> BillingRow:
    """One account, in the order of the layout."""
    p = a.party
    return (
        a.key, a.customer.billing, p.name, p.uscc, p.org_code, a.crm_customer_id, a.status, a.opened_on, a.closed_on,
        a.arrears_fen, a.address, a.phone, a.updated,
    )  # fmt: skip


def _tax(amount: int) -> int:
    sign = -1 if amount < 0 else 1
    return sign * ((abs(amount) * TAX_PERCENT + 50) // 100)


def _month_end_index(month: str) -> int:
    last = f"{month_bounds(month)[1]:%Y%m%d}"
    return night_index(last) if last >= FIRST_NIGHT else 0


def billable(book: Book, month: str) -> dict[str, list[Product]]:
    """Products to be charged for a month by account: in use some day of it, or pinned to be charged after their end."""
    first, last = month_bounds(month)
    pinned = book.pinned
    found: dict[str, list[Product]] = {}
    for product in book.products.at(_month_end_index(month)):
        if not product.account_key or product.started_on is None or product.started_on > last:
            continue
        if product.key in pinned.never_billed:
            continue
        if product.ended_on and product.ended_on < first and product.key not in pinned.billed_after_end:
            continue
        found.setdefault(product.account_key, []).append(product)
    return dict(sorted(found.items()))


def wrong_totals(book: Book, month: str, accounts: list[str]) -> dict[str, int]:
    """By how much some accounts' bills differ from the sum of their items, in fen, never 0."""
    rng = stream(book.seed, "invoice", book.province, month)
    rate = book.dirt.invoice_differs
    chosen = rng.sample(accounts, min(len(accounts), max(1, round(rate * len(accounts))))) if rate else []
    return {account: rng.choice((-1, 1)) * rng.randrange(100, 500_000) for account in chosen}


def bill_faults(book: Book, month: str, accounts: list[str]) -> dict[str, str]:
    """Accounts whose bills have another fault than their total, and which."""
    rng = stream(book.seed, "bill faults", book.province, month)
    rate = book.dirt.bill_faults
    possible = [account for account in accounts if account not in book.pinned.planted.get("account_unknown", {})]
    count = max(1, round(rate * len(possible))) if rate and len(possible) >= 2 * len(BILL_FAULTS) else 0
    chosen = rng.sample(possible, count * len(BILL_FAULTS))
    return {account: BILL_FAULTS[number % len(BILL_FAULTS)] for number, account in enumerate(chosen)}


def another(book: Book, account: str) -> str:
    """Another account of the province."""
    known = [key for key, record in book.accounts.rows.items() if record.born == 0 and record.gone]
    later = [key for key in known if key > account]
    return (later or known)[0]


def bills(book: Book, month: str) -> Iterator[Bill]:
    """Every bill of a month in the order of its number."""
    first, last = month_bounds(month)
    by_account = billable(book, month)
    differing = wrong_totals(book, month, list(by_account))
    faults = bill_faults(book, month, list(by_account))
    rng = stream(book.seed, "bills", book.province, month)
    item_number = 0
    for number, (account, products) in enumerate(by_account.items(), start=1):
        bill_no = f"{month}{number:08d}"
        items: list[BillingRow] = []
        for product in products:
            for charge in _charges(rng, book, product, (first, last)):
                item_number += 1
                items.append((f"{month}{item_number:010d}", bill_no, account, product.key, *charge))
        stray = book.pinned.stray_products.get(account)
        if stray:
            item_number += 1
            charge = ("1004", "一次性费用", "", 1, STRAY_FEN, STRAY_FEN, _tax(STRAY_FEN), first, last)
            items.append((f"{month}{item_number:010d}", bill_no, account, stray, *charge))
        total = sum(int(str(item[9])) for item in items)
        tax = sum(int(str(item[10])) for item in items)
        issued = last + timedelta(days=1)
        differs = differing.get(account, 0)
        status = _bill_status(book, month, account)
        fault = faults.get(account, "")
        if fault == OTHER_ACCOUNT:
            items[-1] = (*items[-1][:2], another(book, account), *items[-1][3:])
        count = len(items) - (fault == FEWER_ITEMS)
        tax += WRONG_TAX_FEN if fault == WRONG_TAX else 0
        row = (bill_no, account, month, count, total + differs, tax, issued, issued + timedelta(days=24), status)
        yield Bill(row, items, total, differs, fault)


def _bill_status(book: Book, month: str, account: str) -> str:
    """A bill issued before the first night has been seen by payers; the others are new when they are sent."""
    if month_bounds(month)[1] >= day_of(FIRST_NIGHT):
        return "0"
    drawn = share(book.seed, "bill status", book.province, month, account)
    return "2" if drawn < 0.85 else "1" if drawn < 0.9 else "0"


def _charges(rng: random.Random, book: Book, product: Product, month: tuple[date, date]) -> Iterator[tuple[Value, ...]]:
    """(item_code … charged_to) of one product: rent for its days, usage, now and then a discount, a fee or a penalty."""
    first, last = month
    after_end = product.ended_on is not None and product.ended_on < first
    start = max(first, product.started_on or first)
    end = last if product.ended_on is None or after_end else min(last, product.ended_on)
    days, of = (end - start).days + 1, (last - first).days + 1
    offering = BY_CODE[product.offering]
    pinned = book.pinned
    price_fen = repricing.price_of(book, product, first) + pinned.price_off.get(product.key, 0)
    rent = (price_fen if days == of else price_fen * days // of) + pinned.rent_off.get(product.key, 0)

    def charge(code: str, name: str, quantity: int, price: int, amount: int) -> tuple[Value, ...]:
        if rng.random() < book.dirt.awkward_characters:
            name = rng.choice(AWKWARD_REGIONS) + name
        return (code, name, product.service_no, quantity, price, amount, _tax(amount), start, end)

    yield charge("1003" if offering.circuit else "1001", f"{offering.title}月租费", 1, price_fen, rent)
    line_off = pinned.line_off.get(product.key, 0)
    for name in rng.sample(_USAGE, rng.choice((3, 3, 4, 4, 4, 5))):
        quantity, price = rng.randrange(1, 400), rng.randrange(5, 60)
        yield charge("1002", name, quantity, price, quantity * price + line_off)
        line_off = 0
    drawn = rng.random()
    if drawn < 0.5:
        discount = -(rent * rng.choice((5, 10, 15, 20)) // 100)
        yield charge("1005", "大客户优惠减免", 1, discount, discount)
    if drawn > 0.7:
        fee = rng.randrange(10, 500) * 100
        yield charge("1004" if drawn < 0.95 else "1006", "一次性费用" if drawn < 0.95 else "违约金", 1, fee, fee)
    for code, name, price, amount in _faults(book, product, rent):
        yield (code, name, product.service_no, 1, price, amount, _tax(amount), start, end)


def _faults(book: Book, product: Product, rent: int) -> Iterator[tuple[str, str, int, int]]:
    """(item_code, name, price, amount) of what is charged to a product beyond what is right."""
    pinned, offering = book.pinned, BY_CODE[product.offering]
    if product.key in pinned.rent_repeated:
        yield "1003" if offering.circuit else "1001", f"{offering.title}月租费", product.price_fen, rent
    if product.key in pinned.over_discounted:
        yield "1005", "大客户优惠减免", -rent - 100, -rent - 100
    if product.key in pinned.unlike_peers:
        yield "1002", "国际漫游费", UNLIKE_PEERS_FEN, UNLIKE_PEERS_FEN


def billed_month(night: str) -> str:
    """The latest month whose bills were sent by a night."""
    day = day_of(night)
    month = month_before(day)
    return month if day.day >= BILLING_DUE_DAY else month_before(month_bounds(month)[0])


def payments(book: Book, night: str, totals: dict[str, tuple[str, int]]) -> Iterator[BillingRow]:
    """Payments of a night for bills of `billed_month(night)`; `totals` is account → (bill_no, total_fen)."""
    day, month = day_of(night), billed_month(night)
    index = night_index(night)
    since = (day - month_bounds(month)[1]).days - BILLING_DUE_DAY
    number = 0
    for account_key, (bill_no, total) in totals.items():
        offset = int(share(book.seed, "pays on", book.province, month, account_key) * 28)
        drawn = share(book.seed, "pays", book.province, month, account_key)
        # In a clean world nobody pays too much, which is the customer's money and a case for reconciliation.
        drawn = 0.0 if _PAID_IN_PARTS <= drawn < _PAID_TOO_MUCH and not book.dirt.bill_faults else drawn
        amounts = _amounts(total, drawn, since - offset)
        if not amounts:
            continue
        rng = random.Random(f"{book.seed}:{book.province}:{night}:{account_key}")
        account = book.accounts.get(account_key, index)
        named = bill_no if rng.random() < 0.9 else ""
        payer = account.party.name if rng.random() < 0.8 else names.person(rng)
        for amount, kind in amounts:
            number += 1
            paid = at_time(day, 8 * 3600 + rng.randrange(12 * 3600))
            yield (f"Y{night}{number:07d}", account_key, named, amount, kind, rng.choice(_CHANNELS), paid, payer)


def _amounts(total: int, drawn: float, days_after: int) -> list[tuple[int, str]]:
    """What is paid so many days after an account's usual day: all of it, two parts, too much, or paid, reversed, paid again."""
    if total <= 0 or drawn >= _REVERSED:
        return []
    if _PAID_IN_FULL <= drawn < _PAID_IN_PARTS:
        half = total // 2
        return {0: [(half, "1")], 3: [(total - half, "1")]}.get(days_after, [])
    if days_after:
        return []
    if drawn < _PAID_IN_FULL:
        return [(total, "1")]
    if drawn < _PAID_TOO_MUCH:
        return [(total + 10_000, "1")]
    return [(total, "1"), (-total, "2"), (total, "1")]
