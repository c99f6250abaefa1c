"""Survivorship as declared: each criterion decides where it stands, and what explain ranks again is what was chosen."""

from __future__ import annotations

from pathlib import Path

import pytest
from scene import Scene, crosswalk
from sqlalchemy import Engine, text
from worlds import extract

from hub.errors import FixContract
from identity.candidates import PERSONAL
from identity.explain import explain
from identity.resolve import resolve
from identity.survivorship import DEFAULT, Criterion, load_survivorship, survivorship
from simulator.world import World
from store.tables import GOLDEN_ATTRIBUTES

ONE, OTHER = "91440101MA59P7XQ24", "91110000600037341L"
postgres = pytest.mark.postgres


def night(engine: Engine, scene: Scene) -> None:
    resolve(engine, scene.into_store(engine))


def cells(engine: Engine) -> dict[str, tuple[object, ...]]:
    statement = text(
        "select attribute, value, system, source_key, rule, candidates from core.golden_provenance "
        "where customer_id = 'BC00000001' and recorded_to is null"
    )
    with engine.connect() as store:
        return {row[0]: tuple(row[1:]) for row in store.execute(statement)}


@postgres
def test_each_criterion_decides_where_those_before_it_do_not(store_engine: Engine) -> None:
    scene = Scene()
    scene.crm("C1", "广州华恒科技有限公司", uscc=ONE, address="天河路1号", industry="ict", manager_id="M1", list_status="named")
    scene.crm("C1", "广州华恒科技有限公司", uscc=ONE, province="js", address="天河路1号华恒大厦8层", industry="ict", day=0,
              manager_id="M2", list_status="prospect")  # fmt: skip
    scene.group("G1", "广州华恒科技有限公司", uscc=ONE, industry="finance", day=5, manager_id="M3")
    scene.account("A1", "K1", "广州华恒科技有限公司", uscc=ONE, org_code="MA59P7XQ2", day=9)
    night(store_engine, scene)
    found = cells(store_engine)
    assert found["address"] == ("天河路1号华恒大厦8层", "crm", "C1", "completeness", 2)
    assert found["industry"] == ("ict", "crm", "C1", "key", 3)
    assert found["list_status"] == ("named", "crm", "C1", "key", 2)
    assert found["org_code"] == ("MA59P7XQ2", "billing", "A1", "only", 1)
    scene.crm(
        "C1", "广州华恒科技有限公司", uscc=ONE, province="js", industry="ict", day=1, manager_id="M2", list_status="prospect"
    )
    night(store_engine, scene)
    found = cells(store_engine)
    assert found["address"] == ("天河路1号", "crm", "C1", "only", 1)
    assert found["list_status"] == ("prospect", "crm", "C1", "recency", 2)


@postgres
def test_a_believable_code_comes_before_a_trusted_systems_doubtful_one(store_engine: Engine) -> None:
    scene = Scene()
    scene.crm("C1", "华恒", uscc=ONE[:-1] + "5", group_id_group="G1")
    scene.group("G1", "华恒", uscc=ONE)
    night(store_engine, scene)
    assert cells(store_engine)["uscc"] == (ONE, "group", "G1", "validity", 2)


@postgres
def test_a_customer_whose_rows_did_not_move_gets_no_new_version(store_engine: Engine) -> None:
    scene = Scene()
    scene.crm("C1", "华恒", uscc=ONE)
    scene.crm("C2", "永昌", uscc=OTHER)
    night(store_engine, scene)
    scene.crm("C2", "永昌医药", uscc=OTHER, day=1)
    night(store_engine, scene)
    with store_engine.connect() as store:
        versions = store.execute(text("select customer_id, count(*) from core.golden_customer group by 1 order by 1")).all()
        rows = store.execute(
            text("select customer_id, attribute from core.golden_provenance where recorded_to is not null order by 1, 2")
        ).all()
    assert [tuple(row) for row in versions] == [("BC00000001", 1), ("BC00000002", 2)]
    assert {row[0] for row in rows} == {"BC00000002"}
    assert ("BC00000002", "customer_name") in {tuple(row) for row in rows}


@postgres
def test_what_explain_ranks_again_is_what_was_chosen(store_engine: Engine) -> None:
    world = World(seed=31, customers=60)
    with extract(world, store_engine, "20260305", []) as opened:
        resolve(store_engine, 0, extract=opened)
        _into_store(store_engine, opened.connection)
    customers = sorted(set(crosswalk(store_engine).values()))
    contested = 0
    for customer_id in customers:
        told = explain(store_engine, customer_id)
        first = {one.attribute: one for one in told.candidates if one.place == 1}
        many = {one.attribute for one in told.candidates if one.place == 2}
        assert {cell.attribute for cell in told.cells} == set(first)
        for cell in told.cells:
            best = first[cell.attribute]
            assert (cell.value, cell.system, cell.source_key, cell.entity) == (
                best.value, best.system, best.source_key, best.entity,
            ), (customer_id, cell.attribute)  # fmt: skip
            assert (cell.rule == "only") == (cell.attribute not in many)
        contested += len(many)
    assert contested > 100
    assert len(PERSONAL) > 1


def _into_store(engine: Engine, connection: object) -> None:
    """The extract's rows as versions of `core`, so that explain finds them."""
    for entity, columns in {
        "customer": "customer_key, customer_name, short_name, uscc, org_code, licence_no, customer_category, list_status, "
        "industry, address, phone, manager_id, manager_name, customer_status, parent_key",
        "account": "account_no, customer_no_billing, customer_name, uscc, org_code, address, contact_phone",
        "product_order": "customer_no_orders, customer_name, uscc",
    }.items():
        names = f"system, province, source_key, batch_id, row_no, source_version, {columns}"
        rows = connection.execute(f"select {names} from core.{entity}").fetchall()  # type: ignore[attr-defined]
        marks = ", ".join(f":v{place}" for place in range(names.count(",") + 1))
        statement = (
            f"insert into core.{entity} ({names}, is_deleted, valid_from, recorded_from, row_hash) "
            f"values ({marks}, false, :v5, 0, 'h')"
        )
        given = [{f"v{place}": value if place != 5 or value else _EPOCH for place, value in enumerate(row)} for row in rows]
        with engine.begin() as store:
            store.execute(text(statement), given)


_EPOCH = "1970-01-01 00:00:00+00"


def test_the_declaration_holds_every_attribute_and_says_what_it_cannot_be(tmp_path: Path) -> None:
    declared = survivorship()
    assert tuple(declared) == GOLDEN_ATTRIBUTES
    assert declared["uscc"].decide[0] is Criterion.VALIDITY
    whole = DEFAULT.read_text("utf-8")
    wrongs = {
        "without.toml": (whole.replace("[industry]", "[trade]"), "differs in industry, trade"),
        "twice.toml": (whole.replace('["crm", "billing"]', '["crm", "crm"]'), "named twice"),
        "unknown.toml": (whole.replace('"completeness"', '"beauty"', 1), "beauty"),
        "system.toml": (whole.replace('["crm", "billing"]', '["sap"]'), "sap"),
    }
    for name, (text_, told) in wrongs.items():
        (tmp_path / name).write_text(text_, "utf-8")
        with pytest.raises(FixContract, match=told):
            load_survivorship(tmp_path / name)
