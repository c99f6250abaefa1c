"""Charges summed of kept parts, of which corrections closed rows and to which they added some, equal charges summed anew."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from scene import Scene
from sqlalchemy import Engine, text

from identity.extract import RECONCILE_COLUMNS, open_extract
from reconcile.charges import sum_charges
from tests.reconcile.stage import batch

pytestmark = pytest.mark.postgres
FEBRUARY, CORRECTION = 100, 101


def summed(engine: Engine, seq: int, batches: list[int], kept: Path | None) -> list[list[tuple[object, ...]]]:
    with open_extract(engine, seq, RECONCILE_COLUMNS, batches, kept=kept) as extract:
        sum_charges(extract)
        columns = (
            "province, bill_no, account_no, product_id_crm, month, items, amount_fen, tax_fen, untaxed, rent_fen, discount_fen"
        )
        charge = f"select {columns}, wrong_lines, wrong_fen, wrong_by_fen, abs_wrong_fen from charge order by all"
        rent = "select province, month, item_no, product_id_crm, quantity, price_fen, amount_fen from rent order by all"
        told = [extract.connection.execute(query).fetchall() for query in (charge, rent, "from account_bill order by all")]
        of_charges = extract.connection.execute(
            "select province, month, account_no, bill_no, sum(items), sum(amount_fen), sum(tax_fen), sum(untaxed) "
            "from charge group by all order by all"
        )
        assert told[2] == of_charges.fetchall()
        of_products = extract.connection.execute(
            "select province, month, product_id_crm, sum(amount_fen), min(bill_no) from charge where product_id_crm is not null "
            "group by all order by all"
        ).fetchall()
        assert extract.connection.execute("from product_charge order by all").fetchall() == of_products
        return told


def ledger(engine: Engine, batch: int, kind: str, seq: int) -> None:
    with engine.begin() as store:
        store.execute(
            text(
                "insert into hub.batch (batch_id, system, feed, province, period, kind, resend, content_digest, delivery, state, "
                "loaded_seq, landed_at) overriding system value "
                "values (:batch, 'billing', 'bill_item', 'gd', '202602', :kind, 0, :digest, '{}', 'loaded', :seq, now())"
            ),
            {"batch": batch, "kind": kind, "digest": f"d{batch}", "seq": seq},
        )


def month(scene: Scene) -> None:
    """Thirty products: a rent, a line that is not quantity times price, a discount."""
    for number in range(30):
        key, bill = f"P{number:05d}", f"B{number // 10}"
        told = {"account_no": f"A{number // 10}", "tax_fen": number}
        scene.item(f"R{key}", bill, key, 10000, quantity=1, price_fen=10000, **told)
        scene.item(f"U{key}", bill, key, 151, charge_item="usage", quantity=3, price_fen=50, **told)
        scene.item(f"D{key}", bill, key, -500, charge_item="discount", **{**told, "tax_fen": None})


def of_nobody(scene: Scene, key: str, batch: int = FEBRUARY) -> None:
    """An item that names no product."""
    given = {"bill_no": "B0", "product_id_crm": None, "account_no": "A0", "amount_fen": 7, "charge_item": "one_off"}
    scene.say("bill_item", "billing", key, batch_id=batch, charged_from="2026-02-01", charged_to="2026-02-28", **given)


def test_a_correction_is_taken_away_and_added(store_engine: Engine, tmp_path: Path) -> None:
    scene = Scene()
    month(scene)
    of_nobody(scene, "N1")
    of_nobody(scene, "N2")
    first = scene.into_store(store_engine)
    ledger(store_engine, FEBRUARY, "full", first)
    before = summed(store_engine, first, [FEBRUARY], tmp_path)
    assert before == summed(store_engine, first, [FEBRUARY], None)
    assert sum(int(str(row[5])) for row in before[0]) == 92
    # The rent and the usage of one product are corrected, the whole of another is removed.
    told = {"account_no": "A0", "tax_fen": 7, "batch": CORRECTION}
    of_nobody(scene, "N3", CORRECTION)
    scene.item("RP00001N", "B0", "P00001", 9000, quantity=1, price_fen=9000, **told)
    scene.item("UP00001N", "B0", "P00001", 150, charge_item="usage", quantity=3, price_fen=50, **told)
    then = scene.into_store(store_engine)
    with store_engine.begin() as store:
        closed = "source_key in ('RP00001', 'UP00001', 'RP00002', 'UP00002', 'DP00002', 'N1')"
        store.execute(text(f"update core.bill_item set recorded_to = :seq where {closed}"), {"seq": then})
    ledger(store_engine, CORRECTION, "correction_insert", then)
    now = summed(store_engine, then, [FEBRUARY, CORRECTION], tmp_path)
    assert now == summed(store_engine, then, [FEBRUARY, CORRECTION], None)
    assert now[0] != before[0]
    products = {str(row[3]): row for row in now[0]}
    assert "P00002" not in products
    assert products["None"][5:7] == (2, 14)
    assert products["P00001"][5:11] == (3, 8650, 14, 1, 9000, -500)
    assert products["P00001"][11] == 0, "the line was mended"


def test_a_later_run_of_the_same_night_reads_the_same(store_engine: Engine, tmp_path: Path) -> None:
    scene = Scene()
    month(scene)
    seq = scene.into_store(store_engine)
    ledger(store_engine, FEBRUARY, "full", seq)
    first = summed(store_engine, seq, [FEBRUARY], tmp_path)
    stamps = {file: file.stat().st_mtime_ns for file in tmp_path.glob("charge-*")}
    assert stamps
    assert summed(store_engine, seq, [FEBRUARY], tmp_path) == first
    assert {file: file.stat().st_mtime_ns for file in tmp_path.glob("charge-*")} == stamps


class Months:
    """Items of two provinces and two months, a batch each; then corrections, also of items of the other month."""

    def __init__(self, engine: Engine, seed: int) -> None:
        self.engine, self.chance, self.scene = engine, random.Random(seed), Scene()
        self.batches: dict[int, tuple[str, str, str]] = {}
        self.closed: dict[str, int] = {}
        self.loaded: set[int] = set()
        for province in ("gd", "js"):
            for month in ("202601", "202602"):
                self.deliver(province, month, "full", 60)

    def deliver(self, province: str, month: str, kind: str, items: int) -> None:
        number = FEBRUARY + len(self.batches)
        self.batches[number] = (province, month, kind)
        for _ in range(items):
            pick = self.chance.choice
            charged = month if pick([True, True, False]) or kind == "full" else pick(["202601", "202602"])
            day = f"{charged[:4]}-{charged[4:]}"
            given = {"province": province, "quantity": 1, "price_fen": 7, "charged_from": f"{day}-01", "charged_to": f"{day}-28"}
            self.scene.item(
                f"I{len(self.scene.rows)}", f"B{pick(range(4))}", pick([None, "", *(f"P{p}" for p in range(12))]),
                pick(range(-5, 100)), batch=number, account_no=pick([None, "A1", "A2"]),
                charge_item=pick(["recurring", "usage", "discount"]), **given,
            )  # fmt: skip

    def correct(self) -> None:
        province, month = self.chance.choice(["gd", "js"]), self.chance.choice(["202601", "202602"])
        theirs = [key for number, (*of, _) in self.batches.items() if of == [province, month] for key in self.items_of(number)]
        self.closed |= dict.fromkeys(self.chance.sample(theirs, min(len(theirs), self.chance.choice([1, 3, 15]))), 0)
        self.deliver(province, month, "correction_insert", self.chance.randrange(1, 6))

    def items_of(self, number: int) -> list[str]:
        return [str(row["source_key"]) for row in self.scene.of("bill_item") if row["batch_id"] == number
                and row["source_key"] not in self.closed]  # fmt: skip

    def load(self) -> int:
        seq = self.scene.into_store(self.engine)
        with self.engine.begin() as store:
            for key, closed in self.closed.items():
                self.closed[key] = closed or seq
                given = {"seq": self.closed[key], "key": key}
                store.execute(text("update core.bill_item set recorded_to = :seq where source_key = :key"), given)
        for number in self.batches.keys() - self.loaded:
            province, month, kind = self.batches[number]
            batch(self.engine, number, "bill_item", system="billing", province=province, period=month, loaded_seq=seq, kind=kind)
        self.loaded.update(self.batches)
        return seq


@pytest.mark.parametrize("seed", range(3))
def test_months_of_provinces_corrected_again_and_again(store_engine: Engine, tmp_path: Path, seed: int) -> None:
    months = Months(store_engine, seed)
    for _ in range(5):
        seq = months.load()
        kept = summed(store_engine, seq, list(months.batches), tmp_path)
        assert kept == summed(store_engine, seq, list(months.batches), None)
        months.correct()
    assert len(months.closed) > 5
