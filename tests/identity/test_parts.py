"""Parts of an extract kept from run to run: what is read again with what changed equals what is read anew."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from scene import Scene, removed
from sqlalchemy import Engine, text

from identity.extract import LINEAGE, RECONCILE_COLUMNS, open_extract
from identity.parts import claimed

pytestmark = pytest.mark.postgres
FEEDS = {
    "product": ("crm", "product_instance"), "order": ("orders", "product_order"), "work_order": ("orders", "work_order"),
    "bill_item": ("billing", "bill_item"),
}  # fmt: skip


def loaded(engine: Engine, batch: int, feed: str, seq: int, *, digest: str = "d") -> None:
    """The ledger's row of a batch."""
    system, name = FEEDS[feed]
    with engine.begin() as store:
        store.execute(
            text(
                "insert into hub.batch (batch_id, system, feed, province, period, kind, resend, content_digest, delivery, state, "
                "loaded_seq, landed_at) overriding system value "
                "values (:batch, :system, :feed, 'gd', '202602', 'full', 0, :digest, '{}', 'loaded', :seq, now())"
            ),
            {"batch": batch, "system": system, "feed": name, "digest": f"{digest}{batch}", "seq": seq},
        )


def many(scene: Scene) -> None:
    for number in range(40):
        key = f"P{number:05d}"
        scene.product(key, "C1", account_no="A1")
        scene.order(f"O{key}", "D1", product_id_crm=key)
        scene.item(f"I{key}", "B1", key, 10000 + number, account_no="A1")


def seen(engine: Engine, seq: int, batches: list[int], kept: Path | None) -> tuple[str, list[tuple[object, ...]]]:
    """The digest of an extract, and every row of what changes in the story."""
    with open_extract(engine, seq, RECONCILE_COLUMNS, batches, kept=kept) as extract:
        rows: list[tuple[object, ...]] = []
        for entity, columns in (("product", "monthly_price_fen"), ("product_order", "order_state"), ("bill_item", "amount_fen")):
            rows += extract.connection.execute(
                f"select system, province, source_key, batch_id, row_no, {columns} from core.{entity} order by all"
            ).fetchall()
        return extract.digest(), rows


def second_night(engine: Engine, scene: Scene) -> int:
    """One product changes, one is removed, one is new; an item is corrected; of the orders nothing comes."""
    scene.product("P00001", "C1", account_no="A1", monthly_price_fen=7, batch_id=2)
    scene.product("P00090", "C1", account_no="A1", batch_id=2)
    seq = scene.into_store(engine)
    with engine.begin() as store:
        gone = "system = 'crm' and source_key = 'P00002' and recorded_to is null"
        store.execute(text(f"update core.product set recorded_to = :seq where {gone}"), {"seq": seq})
        store.execute(
            text(
                "insert into core.product (system, province, source_key, source_version, is_deleted, valid_from, recorded_from, "
                "row_hash, batch_id, row_no) values ('crm', 'gd', 'P00002', now(), true, now(), :seq, 'h', 2, 0)"
            ),
            {"seq": seq},
        )
        store.execute(text("update core.bill_item set recorded_to = :seq where source_key = 'IP00003'"), {"seq": seq})
    loaded(engine, 2, "product", seq)
    loaded(engine, 102, "bill_item", seq)
    return seq


def test_what_changed_is_read_and_the_rest_is_kept(store_engine: Engine, tmp_path: Path) -> None:
    kept = tmp_path / "o'kept"
    scene = Scene()
    many(scene)
    first = scene.into_store(store_engine)
    loaded(store_engine, 1, "product", first)
    loaded(store_engine, 100, "bill_item", first)
    assert seen(store_engine, first, [100], kept) == seen(store_engine, first, [100], None)
    files = {file.name for file in kept.iterdir()}
    assert any(name.startswith("product-") for name in files)
    assert any(name.startswith("bill_item-") for name in files)
    then = second_night(store_engine, scene)
    anew = seen(store_engine, then, [100], None)
    assert seen(store_engine, then, [100], kept) == anew
    assert anew != seen(store_engine, first, [100], None)
    assert files & {file.name for file in kept.iterdir()}, "nothing was read again"
    assert seen(store_engine, first, [100], kept) == seen(store_engine, first, [100], None), "the past, after the present"


def numbers(engine: Engine, seq: int, kept: Path | None) -> dict[str, set[str]]:
    """Products by the number they share, as an extract tells it."""
    with open_extract(engine, seq, RECONCILE_COLUMNS, [], kept=kept) as extract:
        rows = extract.connection.execute("select number_group, source_key from product_number_group")
        found: dict[str, set[str]] = {}
        for number, key in rows.fetchall():
            found.setdefault(str(number), set()).add(str(key))
        return found


def test_no_trace_of_a_telephone_number_is_kept(store_engine: Engine, tmp_path: Path) -> None:
    scene = Scene()
    many(scene)
    for key in ("P00001", "P00002"):
        scene.product(key, "C1", account_no="A1", service_no="13112345678")
    scene.product("P00003", "C1", account_no="A1", service_no="13298765432")
    first = scene.into_store(store_engine)
    loaded(store_engine, 1, "product", first)
    assert list(numbers(store_engine, first, tmp_path).values()) == [{"P00001", "P00002"}]
    scene.product("P00004", "C1", account_no="A1", service_no="13298765432", batch_id=2)
    then = scene.into_store(store_engine)
    loaded(store_engine, 2, "product", then)
    both = numbers(store_engine, then, tmp_path)
    assert sorted(map(sorted, both.values())) == [["P00001", "P00002"], ["P00003", "P00004"]]
    assert both == numbers(store_engine, then, None)
    [part] = tmp_path.glob("product-*.parquet")
    assert set(pq.read_schema(part).names) == {*LINEAGE, "source_version", *RECONCILE_COLUMNS["product"]} - {"number_group"}


def some_night(chance: random.Random, scene: Scene, batch: int) -> list[str]:
    """A few products, orders and work orders change, come or go, by three batches from `batch` on; the products that go."""
    there = [row["source_key"] for row in scene.of("product") if row["province"] == "gd"]
    *changed, gone = chance.sample(there, 7)
    for key in changed:
        service_no = chance.choice([None, "131", "132", "133", f"9{key}"])
        scene.product(key, "C1", account_no="A1", service_no=service_no, batch_id=batch)
    for number in chance.sample(range(40), 2):
        key = f"P{number:05d}"
        scene.order(f"O{key}", "D1", product_id_crm=key, order_state=chance.choice(["completed", "held"]), batch_id=batch + 1)
    for number in chance.sample(range(90), 3):
        state = chance.choice(["completed", "pending"])
        order_no = f"OP{chance.randrange(40):05d}"
        scene.say("work_order", "orders", f"W{number}", order_no=order_no, work_order_state=state, batch_id=batch + 2)
    scene.forget("product", "crm", gone)
    return [gone]


@pytest.mark.parametrize("seed", range(3))
def test_nights_are_read_as_if_anew(store_engine: Engine, tmp_path: Path, seed: int) -> None:
    """Also who shares a number, and the work orders of orders that were opened again."""
    chance, scene = random.Random(seed), Scene()
    many(scene)
    for number in range(80):
        scene.say("work_order", "orders", f"W{number}", order_no=f"OP{number % 40:05d}", work_order_state="completed")
    # Another province's orders and steps of the same numbers, of which nothing comes.
    for number in range(40):
        key = f"P{number:05d}"
        scene.order(f"O{key}", "D1", product_id_crm=key, order_state="held", province="js")
        scene.say("work_order", "orders", f"W{number}", order_no=f"O{key}", work_order_state="completed", province="js")
        scene.product(key, "C1", account_no="A1", service_no=f"13{number % 3}", province="js")
    for batch in range(1, 60, 10):
        gone = some_night(chance, scene, batch) if batch > 1 else []
        seq = scene.into_store(store_engine)
        for key in gone:
            removed(store_engine, "product", "crm", key, seq, batch)
        for number, feed in enumerate(("product", "order", "work_order")):
            loaded(store_engine, batch + number, feed, seq)
        assert told(store_engine, seq, tmp_path) == told(store_engine, seq, None)


def told(engine: Engine, seq: int, kept: Path | None) -> tuple[str, list[object]]:
    with open_extract(engine, seq, RECONCILE_COLUMNS, [], kept=kept) as extract:
        steps = "select province, source_key, order_no, work_order_state, batch_id from core.work_order order by all"
        prices = "select province, source_key, batch_id from core.product order by all"
        rows: list[object] = [extract.connection.execute(query).fetchall() for query in (steps, prices)]
        groups: dict[str, set[str]] = {}
        shared = "select province || number_group, province || source_key from product_number_group"
        for group, key in extract.connection.execute(shared).fetchall():
            groups.setdefault(str(group), set()).add(str(key))
        return extract.digest(), [*rows, sorted(map(sorted, groups.values()))]


def test_another_past_is_not_taken_for_this_one(store_engine: Engine, tmp_path: Path) -> None:
    scene = Scene()
    many(scene)
    seq = scene.into_store(store_engine)
    loaded(store_engine, 1, "product", seq)
    seen(store_engine, seq, [100], tmp_path)
    with store_engine.begin() as store:
        store.execute(text("update core.product set monthly_price_fen = 1"))
        store.execute(text("update hub.batch set content_digest = 'another'"))
    assert seen(store_engine, seq, [100], tmp_path) == seen(store_engine, seq, [100], None)


def test_a_part_left_half_written_is_swept_away(store_engine: Engine, tmp_path: Path) -> None:
    scene = Scene()
    many(scene)
    seq = scene.into_store(store_engine)
    (tmp_path / "product-0-1.tmp").write_text("half")
    seen(store_engine, seq, [100], tmp_path)
    assert not list(tmp_path.glob("*.tmp"))


def test_a_folder_in_use_is_left_alone(store_engine: Engine, tmp_path: Path) -> None:
    scene = Scene()
    many(scene)
    seq = scene.into_store(store_engine)
    folder = tmp_path / "extract"
    with claimed(folder) as mine:
        assert mine == folder
        assert seen(store_engine, seq, [100], folder) == seen(store_engine, seq, [100], None)
        assert not folder.exists()
    seen(store_engine, seq, [100], folder)
    assert list(folder.glob("*.parquet"))
