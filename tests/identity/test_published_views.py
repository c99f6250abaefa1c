"""What portals read of identity, and what `verify` finds when it was changed behind the hub's back."""

from __future__ import annotations

import pytest
from scene import Scene, crosswalk
from sqlalchemy import Engine, text

from identity.decisions import Record, Verdict, decide_pair, set_value
from identity.resolve import resolve
from store.checks_ledger import check_chain
from store.checks_publication import check_publications
from store.publication import candidate, publish

pytestmark = pytest.mark.postgres
ONE, THIRD = "91440101MA59P7XQ24", "913200001347576158"


def night(engine: Engine, scene: Scene, cycle: str) -> dict[str, str]:
    resolve(engine, scene.into_store(engine))
    publish(engine, candidate(engine, cycle))
    return crosswalk(engine)


def rows(engine: Engine, statement: str) -> list[tuple[object, ...]]:
    with engine.connect() as store:
        return [tuple(row) for row in store.execute(text(statement))]


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.group("G0", "华恒集团", uscc=THIRD)
    scene.group("G1", "广州华恒科技有限公司", uscc=ONE, parent_key="G0")
    scene.crm("C1", "广州华恒科技有限公司", uscc=ONE)
    scene.order("O1", "D1", "金泽")
    return scene


def test_a_portal_follows_a_lost_id_and_only_as_published(store_engine: Engine, scene: Scene) -> None:
    ids = night(store_engine, scene, "20260301")
    former = "select former_id, customer_id from portal_v1.former_customer"
    assert rows(store_engine, former) == []
    scene.order("O1", "D1", "金泽", uscc=ONE, day=1)
    resolve(store_engine, scene.into_store(store_engine))
    assert rows(store_engine, former) == []
    publish(store_engine, candidate(store_engine, "20260302"))
    assert rows(store_engine, former) == [(ids["orders/gd/D1"], ids["crm/gd/C1"])]
    events = rows(store_engine, "select customer_id, kind, other_id from portal_v1.customer_event where kind <> 'minted'")
    assert events == [(ids["orders/gd/D1"], "merged", ids["crm/gd/C1"])]


def test_a_portals_hierarchy_is_the_edges_with_their_evidence(store_engine: Engine, scene: Scene) -> None:
    ids = night(store_engine, scene, "20260301")
    child, parent = ids["crm/gd/C1"], ids["group/gd/G0"]
    edges = rows(store_engine, "select child_id, parent_id, kind, is_parent, evidence from portal_v1.customer_hierarchy")
    assert [edge[:4] for edge in edges] == [(child, parent, "group_system", True)]
    said: list[dict[str, str]] = edges[0][4]  # type: ignore[assignment]
    assert (said[0]["child"], said[0]["parent"], said[0]["kind"]) == ("group/gd/G1", "group/gd/G0", "group_system")
    assert all(set(one) == {"kind", "child", "parent", "evidence"} for one in said)
    shown = rows(store_engine, f"select parent_customer_id, group_path from portal_v1.customer where customer_id = '{child}'")
    assert shown == [(parent, [parent, child])]


TAMPERED = {
    "update core.identity_event set cause = '{}' where kind = 'minted'": "core.identity_event in publication",
    "update core.customer_hierarchy set is_parent = false": "core.customer_hierarchy in publication",
    "update core.identity_signal set times = times + 1": "core.identity_signal in publication",
    "insert into core.review_pair values ('a','b','c','d','e','f',1,1,'[]',1,null)": "core.review_pair in publication",
    "update hub.steward_decision set verdict = 'different' where kind = 'pair'": "hub.steward_decision 1",
    "update hub.steward_value set value = 'another'": "hub.steward_value 2",
    "update hub.identity_run set model = 'x'": "hub.identity_run",
    "update hub.steward_decision set effective_from = effective_from + 100 where kind = 'value'": "core.golden_provenance",
}


@pytest.mark.parametrize("statement", TAMPERED, ids=TAMPERED.get)
def test_what_was_changed_behind_the_hubs_back_is_found(store_engine: Engine, scene: Scene, statement: str) -> None:
    scene.account("A9", None, "无号")
    night(store_engine, scene, "20260301")
    decide_pair(store_engine, Record("crm", "gd", "C1"), Record("orders", "gd", "D1"), Verdict.SAME, by="王静", reason="scan")
    set_value(store_engine, "BC00000001", "short_name", "华恒", by="王静", reason="registry")
    resolve(store_engine, scene.into_store(store_engine))
    publish(store_engine, candidate(store_engine, "20260302"))
    with store_engine.begin() as store:
        before = {finding.subject for finding in (*check_chain(store), *check_publications(store))}
        changed = store.execute(text(statement)).rowcount
        after = {finding.subject for finding in (*check_chain(store), *check_publications(store))}
    assert changed > 0
    assert [subject for subject in after - before if subject.startswith(TAMPERED[statement])], after - before
    assert {subject for subject in before if not subject.startswith(("core.golden_provenance", "hub.publication"))} == set()
