"""Ids that outlive the night, golden records and their provenance, in a real store."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scene import Scene, crosswalk
from sqlalchemy import Engine, text

from hub.errors import NotFound
from identity.crosswalk import surviving_id
from identity.explain import ALONE, explain
from identity.resolve import ResolveSummary, resolve
from store.tables import GOLDEN_ATTRIBUTES

ONE, OTHER, THIRD = "91440101MA59P7XQ24", "91110000600037341L", "913200001347576158"
pytestmark = pytest.mark.postgres


def night(engine: Engine, scene: Scene) -> ResolveSummary:
    return resolve(engine, scene.into_store(engine))


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.crm("C1", "广州华恒科技有限公司", uscc=ONE, industry="ict", address="天河路1号")
    scene.crm("C2", "南京永昌医药有限公司", uscc=OTHER)
    scene.account("A1", "K1", "华恒科技", uscc=ONE, org_code="MA59P7XQ2", contact_phone="13000000000")
    scene.order("O1", "D1", "永昌", customer_id_crm="C2")
    scene.order("O2", "D9", "金泽")
    return scene


def table(engine: Engine, name: str) -> list[tuple[object, ...]]:
    with engine.connect() as store:
        return [tuple(row) for row in store.execute(text(f"select * from core.{name} order by 1, 2, 3"))]


def golden_records(engine: Engine) -> list[tuple[object, ...]]:
    columns = ", ".join(("customer_id", *GOLDEN_ATTRIBUTES, "row_hash", "lineage_hash"))
    statement = text(f"select {columns} from core.golden_customer where recorded_to is null order by 1")
    with engine.connect() as store:
        return [tuple(row) for row in store.execute(statement)]


def test_ids_are_given_in_the_order_of_the_smallest_source_key(store_engine: Engine, scene: Scene) -> None:
    summary = night(store_engine, scene)
    assert crosswalk(store_engine) == {
        "billing/gd/K1": "BC00000001", "crm/gd/C1": "BC00000001", "crm/gd/C2": "BC00000002",
        "orders/gd/D1": "BC00000002", "orders/gd/D9": "BC00000003",
    }  # fmt: skip
    assert (summary.customers, summary.new, summary.merged, summary.unchanged) == (3, 3, 0, 0)


def test_the_same_night_again_changes_nothing(store_engine: Engine, scene: Scene) -> None:
    first = night(store_engine, scene)
    before = [table(store_engine, name) for name in ("crosswalk", "golden_customer", "golden_provenance")]
    again = resolve(store_engine, first.seq)
    assert again == replace(first, seq=first.seq, new=0, unchanged=3, extract=again.extract)
    assert [table(store_engine, name) for name in ("crosswalk", "golden_customer", "golden_provenance")] == before


def test_a_first_run_does_not_wait_for_who_reads_the_empty_tables(store_engine: Engine, scene: Scene) -> None:
    seq = scene.into_store(store_engine)
    with store_engine.connect() as reader:
        assert reader.execute(text("select count(*) from core.crosswalk, core.golden_customer")).scalar_one() == 0
        resolve(store_engine, seq)
    assert len(crosswalk(store_engine)) == 5


def test_what_came_later_than_the_candidate_is_not_read(store_engine: Engine, scene: Scene) -> None:
    seq = scene.into_store(store_engine)
    scene.crm("C9", "后来有限公司", uscc=THIRD)
    scene.into_store(store_engine)
    resolve(store_engine, seq)
    assert "crm/gd/C9" not in crosswalk(store_engine)


def test_a_record_that_comes_later_joins_its_customer_and_a_new_one_gets_the_next_id(store_engine: Engine, scene: Scene) -> None:
    night(store_engine, scene)
    scene.group("A0", "华恒集团", uscc=ONE)
    scene.crm("A0", "前面来的有限公司", uscc=THIRD)
    summary = night(store_engine, scene)
    ids = crosswalk(store_engine)
    assert (ids["group/gd/A0"], ids["crm/gd/A0"]) == ("BC00000001", "BC00000004")
    assert (summary.new, summary.unchanged) == (1, 2)


def test_merge_keeps_the_oldest_id_and_split_gives_both_back(store_engine: Engine, scene: Scene) -> None:
    night(store_engine, scene)
    before = crosswalk(store_engine)
    before_golden = golden_records(store_engine)
    scene.order("O2", "D9", "金泽", customer_id_crm="C1", day=1)
    merged = night(store_engine, scene)
    assert crosswalk(store_engine)["orders/gd/D9"] == "BC00000001"
    assert (merged.merged, merged.new) == (1, 0)
    with store_engine.connect() as store:
        assert surviving_id(store, "BC00000003") == "BC00000001"
        assert surviving_id(store, "BC00000001") == "BC00000001"
        with pytest.raises(NotFound):
            surviving_id(store, "BC00000099")
    scene.order("O2", "D9", "金泽", day=2)
    night(store_engine, scene)
    assert crosswalk(store_engine) == before
    assert golden_records(store_engine) == before_golden


def test_a_customer_whose_first_record_goes_keeps_its_id(store_engine: Engine, scene: Scene) -> None:
    night(store_engine, scene)
    scene.forget("account", "billing", "A1")
    summary = night(store_engine, scene)
    assert crosswalk(store_engine)["crm/gd/C1"] == "BC00000001"
    assert (summary.gone, summary.merged) == (0, 0)


def test_the_golden_record_says_where_each_value_comes_from(store_engine: Engine, scene: Scene) -> None:
    scene.group("G1", "华恒集团", uscc=ONE, industry="finance", parent_key="G0", day=3)
    scene.group("G0", "总部集团", uscc=THIRD)
    night(store_engine, scene)
    golden = {row[0]: row for row in table(store_engine, "golden_customer")}
    with store_engine.connect() as store:
        rows = store.execute(
            text(
                "select attribute, value, system, source_key, entity, rule from core.golden_provenance "
                "where customer_id = 'BC00000001'"
            )
        )
        cells = {row[0]: tuple(row[1:]) for row in rows}
    assert cells["customer_name"] == ("广州华恒科技有限公司", "crm", "C1", "customer", "trust")
    assert cells["industry"] == ("ict", "crm", "C1", "customer", "trust")
    assert cells["phone"] == ("13000000000", "billing", "A1", "account", "only")
    assert cells["org_code"] == ("MA59P7XQ2", "billing", "A1", "account", "only")
    parent = crosswalk(store_engine)["group/gd/G0"]
    assert cells["parent_customer_id"] == (parent, "group", "G1", "customer", "only")
    assert parent != "BC00000001"
    assert golden["BC00000001"][1] == "广州华恒科技有限公司"


def test_of_two_values_of_one_system_the_newer_survives(store_engine: Engine) -> None:
    scene = Scene()
    scene.crm("C1", "华恒科技有限公司", uscc=ONE)
    scene.crm("C1", "华恒软件有限公司", uscc=ONE, province="js", day=9)
    night(store_engine, scene)
    with store_engine.connect() as store:
        name = store.execute(
            text("select value, province, rule from core.golden_provenance where attribute = 'customer_name'")
        ).one()
    assert tuple(name) == ("华恒软件有限公司", "js", "recency")


def test_explain_says_where_each_value_comes_from_and_why_the_records_are_one(store_engine: Engine, scene: Scene) -> None:
    scene.account("A1", "K1", "华恒科技", uscc=ONE, contact_phone="13000000000", customer_id_crm="C1")
    night(store_engine, scene)
    told = explain(store_engine, "crm/gd/C1")
    cells = {cell.attribute: cell for cell in told.cells}
    assert (told.customer_id, cells["uscc"].value, cells["uscc"].rule) == ("BC00000001", ONE, "trust")
    assert (cells["uscc"].system, cells["uscc"].batch_id, cells["uscc"].row_no) == ("crm", 1, 1)
    assert (cells["phone"].value, cells["address"].value) == ("1****", "天****")
    assert [(m.customer_key, m.name, m.rule) for m in told.members] == [
        ("K1", "华恒科技", "uscc"), ("C1", "广州华恒科技有限公司", "uscc"),
    ]  # fmt: skip
    assert [label.en for label in told.members[0].why] == [
        f"carries the unified social credit code {ONE}, as does crm/gd/C1",
        "recorded cross-reference of billing to CRM C1: crm/gd/C1",
    ]
    assert "13000000000" not in repr(told)


def test_explain_follows_a_merged_id_and_names_it(store_engine: Engine, scene: Scene) -> None:
    night(store_engine, scene)
    assert [label.en for label in explain(store_engine, "BC00000003").members[0].why] == [ALONE.en]
    scene.order("O2", "D9", "金泽", customer_id_crm="C1", day=1)
    night(store_engine, scene)
    told = explain(store_engine, "BC00000003")
    assert (told.customer_id, told.former_ids) == ("BC00000001", ("BC00000003",))


def test_explain_asks_which_where_a_key_alone_is_several_customers(store_engine: Engine, scene: Scene) -> None:
    scene.crm("C1", "另一家", uscc=THIRD, province="js")
    night(store_engine, scene)
    with pytest.raises(NotFound, match=r"crm/gd/C1 .*crm/js/C1"):
        explain(store_engine, "C1")
    with pytest.raises(NotFound, match="BC00000001"):
        explain(store_engine, "nobody")
