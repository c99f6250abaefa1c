"""The truth agrees with what the systems show: the five contradictions found independently are exactly those recorded."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import create_engine, text

from simulator import expected, orders, truth
from simulator.world import World

NIGHTS = ["20260225", "20260303", "20260307"]
MONTHS = ["202601", "202602"]


def _found(world: World, province: str, month: str, night: str) -> dict[str, set[str]]:
    """The five rules, by their words, over the clean rows of one province."""
    rows = {feed: list(expected.rows(world, feed, province, night)) for feed in expected.DAILY_FEEDS if feed != "billing.payment"}
    bills = {r["bill_no"]: r for r in expected.rows(world, "billing.bill", province, month)}
    items = list(expected.rows(world, "billing.bill_item", province, month))
    first, last = f"{month[:4]}-{month[4:]}-01", f"{month[:4]}-{month[4:]}-31"
    billed = {str(i["product_id"]) for i in items}
    ordered = {r["product_id"] for r in rows["orders.product_order"]}
    products = {str(r["product_id"]): r for r in rows["crm.product_instance"]}
    sums: dict[object, int] = defaultdict(int)
    for item in items:
        sums[item["bill_no"]] += int(str(item["amount_fen"]))
    owners: dict[str, set[object]] = defaultdict(set)
    for product in products.values():
        owners[str(product["account_no"])].add(product["customer_id"])
    mapped = {str(a["account_no"]): a["crm_customer_id"] for a in rows["billing.account"] if a["crm_customer_id"]}
    return {
        truth.TERMINATED_BUT_BILLED: {
            k for k in billed & products.keys() if products[k]["ended_on"] and str(products[k]["ended_on"]) < first
        },
        truth.BILLED_NEVER_ORDERED: billed & products.keys() - {str(k) for k in ordered},
        truth.ACTIVE_NOT_BILLED: {
            k for k, p in products.items() if p["status"] == "active" and str(p["started_on"]) <= last and k not in billed
        },
        truth.INVOICE_DIFFERS: {str(k) for k, bill in bills.items() if sums[k] != bill["total_fen"]},
        truth.ACCOUNT_MAPPED_ELSEWHERE: {a for a, c in mapped.items() if a in owners and c not in owners[a]},
    }


@pytest.mark.parametrize(("month", "night"), [("202512", "20260225"), ("202601", "20260302"), ("202602", "20260312")])
def test_the_contradictions_are_those_recorded(small_world: World, month: str, night: str) -> None:
    recorded = list(truth.inconsistencies(small_world, [month]))
    for province in small_world.provinces:
        found = _found(small_world, province, month, night)
        for rule in truth.RULES:
            subjects = {i.subject for i in recorded if i.rule == rule and i.province == province}
            assert found[rule] == subjects, rule
            assert subjects, rule


def test_a_clean_world_has_none(clean_world: World) -> None:
    for province in clean_world.provinces:
        for month, night in (("202512", "20260225"), ("202602", "20260312")):
            assert _found(clean_world, province, month, night) == {rule: set() for rule in truth.RULES}


def test_references_hold_where_nothing_contradicts(clean_world: World) -> None:
    night = "20260312"
    for province in clean_world.provinces:
        rows = {f: list(expected.rows(clean_world, f, province, night)) for f in expected.DAILY_FEEDS}
        customers = {r["customer_id"] for r in rows["crm.customer"]}
        products = {r["product_id"] for r in rows["crm.product_instance"]}
        contracts = {r["contract_no"] for r in rows["crm.contract"]}
        accounts = {r["account_no"] for r in rows["billing.account"]}
        order_numbers = {r["order_no"] for r in rows["orders.product_order"]}
        assert {r["customer_id"] for r in rows["crm.contact"] + rows["crm.contract"] + rows["crm.product_instance"]} <= customers
        assert {r["contract_no"] for r in rows["crm.product_instance"]} <= contracts
        assert {r["account_no"] for r in rows["crm.product_instance"]} <= accounts | {None}
        assert {r["product_id"] for r in rows["crm.resource"] + rows["orders.product_order"]} <= products
        assert {r["order_no"] for r in rows["orders.work_order"]} == order_numbers
        assert {r["orderNo"] for r in rows["group.production_job"]} <= order_numbers
        bills = {r["bill_no"]: r for r in expected.rows(clean_world, "billing.bill", province, "202602")}
        assert {r["bill_no"] for r in rows["billing.payment"]} <= bills.keys() | {None}
        assert {r["account_no"] for r in bills.values()} | {r["account_no"] for r in rows["billing.payment"]} <= accounts


def test_written_truth(small_world: World, tmp_path: Path) -> None:
    truth.write_truth(small_world, NIGHTS, tmp_path, rows=True)
    assert json.loads((tmp_path / "manifest.json").read_text())["months"] == MONTHS

    def ask(sql: str) -> list[tuple[object, ...]]:
        return duckdb.sql(sql.replace("@", f"{tmp_path}/")).fetchall()

    assert ask("select count(*) - count(distinct (system, province, source_key)) from '@customer_truth.parquet'") == [(0,)]
    assert ask("select distinct system from '@customer_truth.parquet' order by 1") == [
        ("billing",),
        ("crm",),
        ("group",),
        ("orders",),
    ]
    assert ask("select count(*) from '@customer_truth.parquet' where firm_id not in (select firm_id from '@firms.parquet')") == [
        (0,)
    ]
    assert ask("select distinct period from '@dirt.parquet' order by 1") == [(p,) for p in sorted(["", *NIGHTS, *MONTHS])]
    for feed in (*expected.DAILY_FEEDS, *expected.MONTHLY_FEEDS):
        period = "202602" if feed in expected.MONTHLY_FEEDS else NIGHTS[-1]
        wanted = f"feed = '{feed}' and period = '{period}'"
        counted = ask(f"select province, rows + deleted from '@expected_counts.parquet' where {wanted} order by 1")
        listed = ask(f"select province, count(*) from '@expected/{feed}/{period}.parquet' group by 1 order by 1")
        assert counted == listed, feed


def test_no_night_no_truth(small_world: World, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no night was played"):
        truth.write_truth(small_world, [], tmp_path)


def test_clean_truth_is_written_too(clean_world: World, tmp_path: Path) -> None:
    truth.write_truth(clean_world, ["20260305"], tmp_path)
    for name in ("dirt", "inconsistencies"):
        assert duckdb.sql(f"select count(*) from '{tmp_path}/{name}.parquet'").fetchall() == [(0,)]


def _holds(url: str, world: World, night: str) -> None:
    engine = create_engine(url)
    with engine.connect() as connection:
        for feed, table, key in (
            ("orders.product_order", "t_product_order", "order_no"),
            ("orders.work_order", "t_work_order", "work_order_no"),
        ):
            shown = sorted(world.rows(feed, "gd", night), key=lambda row: str(row[key]))
            held = connection.execute(text(f"select * from {table}")).mappings().all()
            if engine.dialect.name == "sqlite":  # text() gives SQLite's own text for times
                assert sorted(str(r[key]) for r in held) == [r[key] for r in shown]
                stamps = {str(r[key]): str(r["updated_at"])[:19] for r in held}
                assert stamps == {str(r[key]): str(r["updated_at"]) for r in shown}
            else:
                assert sorted((dict(r) for r in held), key=lambda row: str(row[key])) == shown
    engine.dispose()


NIGHTS_APPLIED = ("20260225", "20260226", "20260303", "20260226")


def test_orders_database_follows_the_nights_on_sqlite(small_world: World, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/orders.db"
    for night in NIGHTS_APPLIED:
        orders.apply(small_world, night, "gd", url)
        _holds(url, small_world, night)


@pytest.mark.postgres
def test_orders_database_follows_the_nights_on_postgresql(small_world: World, new_database) -> None:  # type: ignore[no-untyped-def]
    url = new_database()
    for night in NIGHTS_APPLIED:
        orders.apply(small_world, night, "gd", url)
        _holds(url, small_world, night)
