"""What the store should show, kept beside a rig night by night, and its comparison with what is published, row for row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from pipeline import PROVINCES
from schemas.contract import Column, Contract, Type
from schemas.contracts import CONTRACTS
from schemas.entities import FACTS
from simulator import billing_units, expected, truth
from simulator.layouts import BILL, BILL_ITEM
from simulator.world import World
from tests.reconcile.catalogue_names import rule_named, subject_of

Row = dict[str, object]
Instance = tuple[str, str]  # feed_id, province

VIEW_OF = {"agreement": "contract"}
"""Entities whose view has another name; `customer` has none of its own (its rows become golden customers)."""

# Fees: quantity 1, so that a dearer one needs no more than a dearer price to agree with itself.
FEES = ("1004", "1006")

# What counts of a fact at the published sequence, said here without the help of `portal_v1`.
_FACT_SHOWN = """
    (t.recorded_to is null or t.recorded_to > p.seq) and exists (
        select from hub.batch b where b.batch_id = t.batch_id and b.loaded_seq <= p.seq
            and (b.superseded_seq is null or b.superseded_seq > p.seq))"""
_STATE_SHOWN = "hub.visible(t.recorded_from, t.recorded_to, p.seq) and not t.is_deleted"


@dataclass
class ExpectedStore:
    """Per feed and province the rows that should be shown, by key, under the names the truth uses (source names)."""

    world: World
    rows: dict[Instance, dict[str, Row]] = field(default_factory=dict)
    customers: dict[str, set[tuple[str, str, str]]] = field(default_factory=dict)
    nights: set[str] = field(default_factory=set)

    def comes(self, feed_id: str, province: str, period: str) -> None:
        """A delivery of the period: a whole picture replaces the one before, a month or the events of a day join the others."""
        found = {
            str(row[expected.key_column(feed_id)]): row
            for row in expected.rows(self.world, feed_id, province, period)
            if not row.get("deleted")
        }
        if feed_id == "billing.payment":
            self.nights.add(period)
        kept = self.rows.setdefault((feed_id, province), {})
        if feed_id not in {"billing.bill", "billing.bill_item", "billing.payment"}:
            kept.clear()
        kept.update(found)

    def amend(self, feed_id: str, province: str, changes: Mapping[str, Mapping[str, object]]) -> None:
        for key, changed in changes.items():
            self.rows[feed_id, province][key].update(changed)

    def add(self, feed_id: str, province: str, row: Row) -> None:
        self.rows[feed_id, province][str(row[expected.key_column(feed_id)])] = row

    def remove(self, feed_id: str, province: str, key: str) -> None:
        del self.rows[feed_id, province][key]

    def source_customers(self) -> set[tuple[str, str, str]]:
        """(system, province, key) of every customer some shown row speaks of."""
        named = {
            "crm.customer": "customer_id",
            "group.group_customer": "groupId",
            "billing.account": "customer_no",
            "orders.product_order": "customer_no",
        }
        return {
            (feed_id.partition(".")[0], province, str(row[named[feed_id]]))
            for (feed_id, province), rows in self.rows.items()
            if feed_id in named
            for row in rows.values()
            if row[named[feed_id]] is not None
        }

    def breaks(self, months: list[str]) -> set[tuple[str, str, str, str]]:
        """(rule, province, month, subject) of every contradiction in the months billed, and of accounts that are not there."""
        injected = {
            (rule, case.province, "" if rule == "billed_but_never_ordered" else case.month, case.subject)
            for case in truth.inconsistencies(self.world, months, sorted(self.nights))
            for rule in [rule_named(case.rule)]
        }
        return injected | {case for province in PROVINCES for case in self._of_missing_accounts(province)}

    def _of_missing_accounts(self, province: str) -> Iterator[tuple[str, str, str, str]]:
        """What names an account that is not sent, told from the rows that should be shown."""

        def naming(feed_id: str) -> Iterator[tuple[str, Row]]:
            known = self.rows.get(("billing.account", province), {})
            for key, row in self.rows.get((feed_id, province), {}).items():
                if row["account_no"] is not None and str(row["account_no"]) not in known:
                    yield key, row

        for key, row in naming("billing.bill"):
            yield "bill_for_unknown_account", province, str(row["bill_month"]), key
        for _, row in naming("billing.bill_item"):
            month = str(row["charged_from"]).replace("-", "")[:6]
            yield "item_for_unknown_account", province, month, f"{row['account_no']}|{row['product_id']}"
        for key, _ in naming("billing.payment"):
            yield "payment_for_unknown_account", province, "", key
        for key, _ in naming("crm.product_instance"):
            yield "product_for_unknown_account", province, "", key


def differences(store_url: str, wanted: ExpectedStore) -> list[str]:
    """Every feed's published rows against the expected ones, both ways; and each view's rows and money against their sums."""
    found: list[str] = []
    with psycopg.connect(make_url(store_url).set(drivername="postgresql").render_as_string(hide_password=False)) as store:
        for contract in CONTRACTS.values():
            rows = {province: wanted.rows.get((contract.feed_id, province), {}) for province in PROVINCES}
            _fill_expected(store, contract, rows)
            found += _row_differences(store, contract)
            found += _view_differences(store, contract)
            store.rollback()
    return found


def published_breaks(store_url: str) -> set[tuple[str, str, str, str]]:
    """(rule, province, month, subject) of the breaks that portals see and that are not closed."""
    with psycopg.connect(make_url(store_url).set(drivername="postgresql").render_as_string(hide_password=False)) as store:
        rows = store.execute("select rule_id, province, subject from portal_v1.breaks where state <> 'closed'").fetchall()
    return {(rule, province, *subject_of(subject)) for rule, province, subject in rows}


def published_customers(store_url: str) -> set[tuple[str, str, str]]:
    with psycopg.connect(make_url(store_url).set(drivername="postgresql").render_as_string(hide_password=False)) as store:
        return set(store.execute("select system, province, customer_key from portal_v1.customer_source").fetchall())


def month_item(world: World, province: str, month: str, *, skip: int = 0) -> tuple[Row, Row]:
    """(fee item, its bill) of a month, whose bill bears no contradiction; the `skip` first such bills are passed over."""
    cases = (case for case in truth.inconsistencies(world, [month]) if case.province == province)
    odd = {key for case in cases for key in (*case.subject.split("|"), case.other)}
    for bill in billing_units.month_bills(world, province, month):
        fees = [item for item in bill.items if item[4] in FEES]
        if not fees or odd & {str(bill.row[0]), str(bill.row[1])} or any(item[3] in odd for item in bill.items):
            continue
        if skip:
            skip -= 1
            continue
        item: Row = dict(zip(BILL_ITEM.columns, fees[0], strict=True))
        printed: Row = dict(zip(BILL.columns, bill.row, strict=True))
        return item, printed
    raise AssertionError("no bill without a contradiction")


def _shown_columns(contract: Contract) -> list[Column]:
    return [column for column in contract.columns if column.name != contract.deleted_flag]


def _truth_name(column: Column) -> str:
    return f"{column.source}_fen" if column.type is Type.YUAN else column.source


def _fill_expected(store: psycopg.Connection, contract: Contract, rows: Mapping[str, Mapping[str, Row]]) -> None:
    names = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(c.name)) for c in _shown_columns(contract))
    store.execute(sql.SQL("create temporary table wanted (province text, {}) on commit drop").format(names))
    with store.cursor().copy("copy wanted from stdin") as copy:
        for province, by_key in rows.items():
            for row in by_key.values():
                copy.write_row([province, *(_text(row[_truth_name(c)]) for c in _shown_columns(contract))])


def _text(value: object) -> str | None:
    if isinstance(value, date):
        return value.isoformat()
    return None if value in (None, "") else str(value)


def _shown_text(column: Column) -> str:
    match column.type:
        case Type.DATE:
            return f"to_char(t.{column.name}, 'YYYY-MM-DD')"
        case Type.TIMESTAMP:
            return f"""to_char(t.{column.name} at time zone 'Asia/Shanghai', 'YYYY-MM-DD"T"HH24:MI:SS')"""
        case _:
            return f"t.{column.name}::text"


def _row_differences(store: psycopg.Connection, contract: Contract) -> Iterator[str]:
    columns = ", ".join(_shown_text(column) for column in _shown_columns(contract))
    shown = f"""
        select t.province, {columns} from core.{contract.entity} t join portal_v1.publication p
            on {_FACT_SHOWN if contract.entity in FACTS else _STATE_SHOWN}
        where t.system = '{contract.system}'"""
    for said, first, second in (("is not published", "table wanted", shown), ("should not be published", shown, "table wanted")):
        different = store.execute(f"({first}) except all ({second})").fetchall()
        # Three are enough to see what is wrong; the values are a simulated world's.
        yield from (f"{contract.feed_id}: {row} {said}" for row in different[:3])
        if len(different) > 3:
            yield f"{contract.feed_id}: {len(different) - 3} more rows {said}"


def _view_differences(store: psycopg.Connection, contract: Contract) -> Iterator[str]:
    """What `portal_v1` shows, in rows and in fen: a row shown twice or through the wrong batch is seen here."""
    if contract.entity == "customer":
        return
    view = VIEW_OF.get(contract.entity, contract.entity)
    money = f"coalesce(sum({contract.money}::bigint), 0)" if contract.money else "0"
    statement = "select province, count(*), {} from {} group by province order by province"
    shown = store.execute(statement.format(money, f"portal_v1.{view}")).fetchall()
    sums = store.execute(statement.format(money, "wanted")).fetchall()
    if shown != sums:
        yield f"{contract.feed_id}: portal_v1.{view} shows (province, rows, fen) {shown}, not {sums}"
