"""A night asks rules of single products about touched products alone, and finds what a run over all of them finds."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest
from scene import Scene, removed
from sqlalchemy import Engine, text

from identity.extract import RECONCILE_COLUMNS, open_extract
from reconcile import near, shared
from reconcile.judge import judge
from reconcile.near import Near
from reconcile.odd import ODD
from reconcile.rules import RULES
from store import sequence
from tests.reconcile.stage import NIGHT, batch

PRODUCTS, CUSTOMERS = 60, 12
FEBRUARY, MARCH = 100, 200
FEEDS = {
    "customer": ("crm", "customer"), "agreement": ("crm", "contract"), "product": ("crm", "product_instance"),
    "resource": ("crm", "resource"), "account": ("billing", "account"), "product_order": ("orders", "product_order"),
    "production_job": ("group", "production_job"), "bill_item": ("billing", "bill_item"),
}  # fmt: skip
SEES = {
    "core.product", "core.product_order", "core.resource", "core.production_job", "core.account", "core.customer",
    "core.agreement", "charge", "rent", "kept", "golden", *ODD,
}  # fmt: skip
# What tells only whether a finding is in doubt, and whoever is found is asked about again.
SEES_IN_DOUBT = {"wrong_discount": {"core.bill", "bill_sum"}}


def test_a_rule_of_single_products_looks_at_them_and_at_what_they_name() -> None:
    asked = [rule for rule in RULES if rule.by_product]
    assert asked
    for rule in asked:
        own = set(re.findall(r"(\w+) as (?:materialized )?\(\s*(?:select|with)", rule.found))
        seen = set(re.findall(r"(?<!distinct )\b(?:from|join)\s+([a-z_.]+)", rule.found)) - own
        assert seen <= SEES | SEES_IN_DOUBT.get(rule.rule_id, set()), rule.rule_id
        assert not re.search("night|is_withheld|number_group|offering", rule.found), rule.rule_id


class Nights:
    """A small world that changes from night to night, loaded as batches."""

    def __init__(self, engine: Engine, seed: int) -> None:
        self.engine, self.chance, self.scene = engine, random.Random(seed), Scene()
        self.batches, self.closed = [FEBRUARY], dict[str, int]()
        self.number = 1
        self.gone: list[tuple[str, str, str, int]] = []
        # The other province has the same keys, and nothing of it changes.
        for province in ("gd", "js"):
            self.begin(province)

    def begin(self, province: str) -> None:
        there = {"province": province}
        for c in range(CUSTOMERS):
            self.scene.crm(f"C{c:04d}", "x", **there)
            self.scene.account(f"A{c:04d}", f"K{c:04d}", "x", customer_id_crm=f"C{c:04d}", **there)
            self.scene.say("agreement", "crm", f"H{c:04d}", contract_no=f"H{c:04d}", customer_key=f"C{c:04d}", **there)
        for p in range(PRODUCTS):
            c, key = p % CUSTOMERS, f"P{p:04d}"
            self.scene.product(key, f"C{c:04d}", account_no=f"A{c:04d}", contract_no=f"H{c:04d}", offering="iot", **there)
            self.scene.order(f"O{key}", "D1", product_id_crm=key, customer_id_crm=f"C{c:04d}", price_fen=10000, **there,
                             completed_at="2025-01-01 10:00:00+08", ordered_at="2024-12-01 10:00:00+08")  # fmt: skip
            used = {"product_id_crm": key, "resource_kind": "circuit", "resource_status": "reserved"}
            self.scene.say("resource", "crm", f"R{key}", **used, **there)
            built = {"product_id_crm": key, "order_no": f"O{key}", "job_state": "completed"}
            self.scene.say("production_job", "group", f"J{key}", **built, **there)
            if province == "gd":
                self.item(f"I{key}", p)

    def item(self, key: str, product: int, *, of: int = FEBRUARY, price: int = 10000, **more: Any) -> None:
        c = product % CUSTOMERS
        given = {"account_no": f"A{c:04d}", "quantity": 1, "price_fen": price, **more}
        self.scene.item(key, f"B{c:04d}", f"P{product:04d}", price, batch=of, **given)

    def load(self, correction: str = "correction_insert") -> int:
        """What was said since, as one batch a feed."""
        seq = self.scene.into_store(self.engine)
        for entity, system, key, number in self.gone:
            removed(self.engine, entity, system, key, seq, number)
        self.gone = []
        with self.engine.begin() as store:
            for key, closed in self.closed.items():
                given = {"seq": closed or seq, "key": key}
                store.execute(text("update core.bill_item set recorded_to = :seq where source_key = :key"), given)
                self.closed[key] = closed or seq
        for number, (entity, (system, feed)) in enumerate(FEEDS.items()):
            if entity == "bill_item":
                number_of, kind = self.batches[-1], correction if len(self.batches) > 1 else "full"
            else:
                number_of, kind = 10_000 * (number + 1) + self.number, "full"
            batch(self.engine, number_of, feed, system=system, loaded_seq=seq, kind=kind)
        return seq

    def say(self, entity: str, key: str, **changed: Any) -> None:
        system = FEEDS[entity][0]
        known = self.scene.rows[entity, system, "gd", key]
        self.scene.rows[entity, system, "gd", key] = {**known, **changed, "batch_id": self.batch_of(entity)}

    def batch_of(self, entity: str) -> int:
        return 10_000 * (list(FEEDS).index(entity) + 1) + self.number

    def forget(self, entity: str, key: str = "") -> None:
        """A delivery removes a row, one of them all unless one is named."""
        system = FEEDS[entity][0]
        key = key or self.any_of(entity)
        self.scene.forget(entity, system, key)
        self.gone.append((entity, system, key, self.batch_of(entity)))

    def any_of(self, entity: str) -> str:
        return str(self.chance.choice([row["source_key"] for row in self.scene.of(entity) if row["province"] == "gd"]))

    def change(self) -> None:
        """A few rows of every entity are another; of the items, some are corrected."""
        self.number += 1
        pick, some = self.chance.choice, self.chance.sample
        for _ in range(3):
            self.say("product", self.any_of("product"), **pick([
                {"monthly_price_fen": 12000}, {"product_status": "terminated", "ended_on": "2026-01-15"},
                {"account_no": f"A{pick(range(CUSTOMERS + 2)):04d}"}, {"customer_key": f"C{pick(range(CUSTOMERS + 2)):04d}"},
                {"contract_no": "H9999"}, {"product_status": "pendingActive"}, {"product_status": "suspended"},
            ]))  # fmt: skip
        for _ in range(2):
            self.say("product_order", self.any_of("product_order"), **pick([
                {"price_fen": 13000}, {"order_state": "inProgress"}, {"product_id_crm": f"P{pick(range(PRODUCTS + 5)):04d}"},
                {"customer_id_crm": "C9999"}, {"order_action": "delete"}, {"product_id_crm": None},
            ]))  # fmt: skip
        for _ in range(2):
            self.say("resource", self.any_of("resource"), **pick([
                {"resource_status": "suspended"}, {"product_id_crm": f"P{pick(range(PRODUCTS + 5)):04d}"},
                {"resource_kind": "number"},
            ]))  # fmt: skip
        self.say("production_job", self.any_of("production_job"), product_id_crm=f"P{pick(range(PRODUCTS)):04d}")
        self.say("account", self.any_of("account"), account_status=pick(["closed", "active"]))
        self.say("customer", self.any_of("customer"), customer_status=pick(["closed", "active"]))
        for entity in ("agreement", "account", "customer", "product", "product_order", "resource"):
            if pick([True, False]):
                self.forget(entity)
        correction = FEBRUARY + self.number
        self.batches.append(correction)
        for p in some(range(PRODUCTS), 3):
            key = pick([row["source_key"] for row in self.scene.of("bill_item") if row["product_id_crm"] == f"P{p:04d}"])
            self.closed.setdefault(key, 0)
            if pick([True, False]):
                fate = pick([{"price": 9000}, {}, {"charge_item": "discount"}, {"account_no": "A9999"}, {"quantity": 2}])
                self.item(f"{key}N{self.number}", p, of=correction, **fate)
        self.item(f"extra{self.number}", pick(range(PRODUCTS)), of=correction)

    def another_customer(self, key: str = "") -> None:
        """Identity takes one CRM customer for another."""
        key = key or f"C{self.chance.randrange(CUSTOMERS):04d}"
        with self.engine.begin() as store:
            seq = sequence.advance(store)
            of = {"seq": seq, "key": key, "id": f"BC{self.chance.randrange(3)}"}
            store.execute(
                text("update core.crosswalk set recorded_to = :seq where customer_key = :key and recorded_to is null"), of
            )
            store.execute(
                text("insert into core.crosswalk (system, province, customer_key, customer_id, rule, evidence, recorded_from) "
                     "values ('crm', 'gd', :key, :id, 'r', '{}', :seq)"), of)  # fmt: skip


Found = list[tuple[Any, ...]]


def found(engine: Engine, seq: int, batches: list[int], kept: Path | None) -> tuple[Found, bool]:
    """What every rule finds and how many subjects it judged, what was summed and counted for them, and whether touched products
    alone were asked about."""
    with open_extract(engine, seq, RECONCILE_COLUMNS, batches, kept=kept) as extract:
        asked = Near(extract, RULES, batches, None)
        shared.prepare(extract, batches, None, asked.ask)
        judge(extract, RULES, NIGHT, asked)
        asked.remember()
        rows = [
            row
            for table in ("finding", "judged", "charge", "product_charge", "account_bill", "payer", "present")
            for row in extract.connection.execute(f"select * from {table} order by all").fetchall()
        ]
        near_ones = extract.connection.execute("select 1 from duckdb_tables() where table_name = 'near_product'").fetchall()
        return rows, bool(near_ones)


@pytest.mark.postgres
@pytest.mark.parametrize("seed", range(4))
def test_nights_find_what_whole_runs_find(
    store_engine: Engine, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near, "AT_MOST", 1000)
    nights = Nights(store_engine, seed)
    first = found(store_engine, nights.load(), nights.batches, tmp_path)
    assert first[1] is False
    told = set(map(str, first[0]))
    for _ in range(5):
        nights.change()
        nights.another_customer()
        seq = nights.load()
        rows, was_near = found(store_engine, seq, nights.batches, tmp_path)
        assert was_near
        assert rows == found(store_engine, seq, nights.batches, None)[0]
        told |= set(map(str, rows))
    assert len(told) > len(first[0]) + 20


@pytest.mark.postgres
def test_what_only_an_order_or_a_charge_names_is_minded(
    store_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near, "AT_MOST", 1000)
    nights = Nights(store_engine, 1)
    nights.scene.rows["product_order", "orders", "gd", "OP0000"]["customer_id_crm"] = "C0005"
    nights.scene.rows["bill_item", "billing", "gd", "IP0001"]["account_no"] = "A0007"
    before, _ = found(store_engine, nights.load(), nights.batches, tmp_path)
    nights.number += 1
    nights.batches.append(FEBRUARY + nights.number)
    nights.item("late", 30, of=nights.batches[-1])
    nights.forget("customer", "C0005")
    nights.forget("account", "A0007")
    seq = nights.load()
    rows, was_near = found(store_engine, seq, nights.batches, tmp_path)
    assert was_near
    assert rows == found(store_engine, seq, nights.batches, None)[0]
    new = {(row[0], subject) for row in rows for subject in re.findall(r'"([OP]+[0-9]{4})"', str(row))} - {
        (row[0], subject) for row in before for subject in re.findall(r'"([OP]+[0-9]{4})"', str(row))
    }
    assert {("order_for_unknown_customer", "OP0000"), ("item_for_unknown_account", "P0001")} <= new


@pytest.mark.postgres
def test_whose_a_product_is_that_nothing_touched_is_told(
    store_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near, "AT_MOST", 1000)
    nights = Nights(store_engine, 1)
    for product in ("P0020", "P0032"):
        nights.scene.rows["product", "crm", "gd", product]["service_no"] = "057187650001"
    nights.another_customer("C0008")
    found(store_engine, nights.load(), nights.batches, tmp_path)
    nights.number += 1
    nights.batches.append(FEBRUARY + nights.number)
    nights.item("late", 30, of=nights.batches[-1])
    seq = nights.load()
    rows, was_near = found(store_engine, seq, nights.batches, tmp_path)
    assert was_near
    assert rows == found(store_engine, seq, nights.batches, None)[0]
    (whose,) = [row[-1] for row in rows if row[0] == "number_with_two_live_users" and row[2] == "gd"]
    assert str(whose).startswith("BC")


@pytest.mark.postgres
def test_what_an_order_named_between_two_nights_is_minded(
    store_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the part, which is older, nor what the order says now names the product that it no longer speaks of."""
    monkeypatch.setattr(near, "AT_MOST", 1000)
    nights = Nights(store_engine, 1)
    # Nothing else speaks of the product then: no job, and no customer that another product has not.
    nights.scene.forget("product_order", "orders", "OP0012")
    nights.scene.forget("production_job", "group", "JP0012")
    never_ordered = []
    for named in ("P0000", "P0012", "P0024"):
        nights.say("product_order", "OP0000", product_id_crm=named)
        seq = nights.load()
        rows, was_near = found(store_engine, seq, nights.batches, tmp_path)
        assert rows == found(store_engine, seq, nights.batches, None)[0]
        never_ordered.append("P0012" in str([row for row in rows if row[0] == "billed_but_never_ordered" and row[2] == "gd"]))
        nights.number += 1
        nights.batches.append(FEBRUARY + nights.number)
    assert was_near
    assert never_ordered == [True, False, True]


@pytest.mark.postgres
def test_what_an_order_named_before_its_part_was_made_anew_is_minded(
    store_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that made the part anew was killed before it kept what it found: the part no longer knows what the order named."""
    monkeypatch.setattr(near, "AT_MOST", 1000)
    nights = Nights(store_engine, 1)
    found(store_engine, nights.load(), nights.batches, tmp_path)
    nights.number += 1
    nights.batches.append(FEBRUARY + nights.number)
    for product in range(1, 40):
        nights.say("product_order", f"OP{product:04d}", price_fen=10000 + product)
    nights.say("product_order", "OP0000", product_id_crm="P0041")
    seq = nights.load()
    with pytest.raises(KeyboardInterrupt), open_extract(store_engine, seq, RECONCILE_COLUMNS, nights.batches, kept=tmp_path):
        raise KeyboardInterrupt
    assert len(list(tmp_path.glob("product_order-*.parquet"))) == 2
    nights.number += 1
    nights.batches.append(FEBRUARY + nights.number)
    nights.say("product_order", "OP0000", product_id_crm="P0002")
    seq = nights.load()
    rows, was_near = found(store_engine, seq, nights.batches, tmp_path)
    assert was_near
    assert rows == found(store_engine, seq, nights.batches, None)[0]
    assert "P0000" in str([row for row in rows if row[0] == "billed_but_never_ordered" and row[2] == "gd"])


@pytest.mark.postgres
def test_what_was_kept_of_other_questions_is_not_used(
    store_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near, "AT_MOST", 1000)
    nights = Nights(store_engine, 1)
    found(store_engine, nights.load(), nights.batches, tmp_path)
    nights.change()
    seq = nights.load(correction="full")
    assert found(store_engine, seq, nights.batches, tmp_path)[1] is False, "a month came again"
    nights.change()
    seq = nights.load()
    assert found(store_engine, seq, nights.batches[1:], tmp_path)[1] is False, "a batch counts no more"
    assert found(store_engine, seq, nights.batches[1:], tmp_path)[1] is True
    nights.change()
    nights.item("march", 1, of=nights.batches[-1], charged_from="2026-03-01", charged_to="2026-03-31")
    seq = nights.load()
    rows, was_near = found(store_engine, seq, nights.batches[1:], tmp_path)
    assert was_near is False, "a month more is judged"
    assert rows == found(store_engine, seq, nights.batches[1:], None)[0]
    nights.change()
    seq = nights.load()
    monkeypatch.setattr(near, "AT_MOST", 1)
    assert found(store_engine, seq, nights.batches[1:], tmp_path)[1] is False, "too many products were touched"
