"""Growing customers from pairs: never two firms in one, whatever the chain; a steward's word above all."""

from __future__ import annotations

import duckdb
import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from linkage import ONE, OTHER, linked, signals
from scene import Scene

from identity.clusters import grow

MEMBERS = st.integers(0, 11)
PAIRS = st.lists(st.tuples(MEMBERS, MEMBERS).filter(lambda pair: pair[0] != pair[1]), max_size=30)


def components(pairs: list[tuple[int, int]]) -> set[frozenset[int]]:
    graph = nx.Graph(pairs)
    graph.add_nodes_from(range(12))
    return {frozenset(group) for group in nx.connected_components(graph)}


@given(PAIRS)
def test_without_contradictions_customers_are_components(pairs: list[tuple[int, int]]) -> None:
    assert all(grow(dict.fromkeys(range(12), ()), pairs, []))


@given(PAIRS, st.dictionaries(MEMBERS, st.sampled_from("XYZ")), st.lists(st.tuples(MEMBERS, MEMBERS), max_size=4))
def test_no_customer_holds_two_codes_or_two_told_apart(
    pairs: list[tuple[int, int]], codes: dict[int, str], apart: list[tuple[int, int]]
) -> None:
    apart = [(a, b) for a, b in apart if a != b]
    followed = grow({member: (codes.get(member),) for member in range(12)}, pairs, apart)
    groups = components([pair for pair, fits in zip(pairs, followed, strict=True) if fits])
    for group in groups:
        assert len({codes[member] for member in group if member in codes}) <= 1
        assert not any({a, b} <= group for a, b in apart)
    # What was refused would have broken that: its ends lie in two customers that contradict each other.
    at = {member: group for group in groups for member in group}
    for (a, b), fits in zip(pairs, followed, strict=True):
        assert fits or at[a] != at[b]


def decide(connection: duckdb.DuckDBPyConnection, verdict: str, a: str, b: str) -> None:
    connection.execute(
        "create table if not exists decision (a_system varchar, a_province varchar, a_key varchar, "
        "b_system varchar, b_province varchar, b_key varchar, verdict varchar)"
    )
    connection.execute("insert into decision values (?, ?, ?, ?, ?, ?, ?)", [*a.split("/"), *b.split("/"), verdict])


def test_a_stewards_word_stands_above_codes_and_names(duck: duckdb.DuckDBPyConnection) -> None:
    scene = Scene()
    scene.crm("C1", "广州华恒科技有限公司", uscc=ONE)
    scene.account("A1", "K1", "广州华恒科技有限公司", uscc=ONE)
    scene.crm("C2", "南京永昌医药有限公司", uscc=OTHER)
    scene.order("O1", "D1", "金泽商贸")
    decide(duck, "different", "crm/gd/C1", "billing/gd/K1")
    decide(duck, "same", "crm/gd/C2", "orders/gd/D1")
    assert linked(duck, scene) == {
        frozenset({"crm/gd/C1"}), frozenset({"billing/gd/K1"}), frozenset({"crm/gd/C2", "orders/gd/D1"})
    }  # fmt: skip


def test_a_record_that_could_be_either_of_two_firms_goes_to_neither(duck: duckdb.DuckDBPyConnection) -> None:
    scene = Scene()
    scene.crm("C1", "广州华恒科技有限公司", uscc=ONE)
    scene.crm("C2", "广州华恒科技有限公司", uscc=OTHER)
    scene.group("G1", "广州华恒科技有限公司")
    assert len(linked(duck, scene)) == 3
    assert "could_be_either_of_two_firms" in signals(duck)
    assert duck.execute("select count(*) from scored_pair where band = 'review'").fetchone() == (2,)


@pytest.mark.parametrize("bridge", ["华恒科技有限公司", "广州华恒科技有限公司"])
def test_no_chain_ties_a_branch_to_its_head_office_or_two_codes(duck: duckdb.DuckDBPyConnection, bridge: str) -> None:
    scene = Scene()
    known = {"phone": "13112345678", "address": "广州市天河区人民路12号305室"}
    scene.crm("C1", "广州华恒科技有限公司", uscc=ONE, **known)
    scene.group("G1", bridge, address=known["address"])
    scene.crm("C2", "广州华恒科技有限公司佛山分公司", **known)
    scene.crm("C3", "广州华恒科技有限公司", uscc=OTHER, phone="13298765432", address="广州市越秀区解放路9号101室")
    assert linked(duck, scene) == {frozenset({"crm/gd/C1", "group/gd/G1"}), frozenset({"crm/gd/C2"}), frozenset({"crm/gd/C3"})}
    edges = duck.execute("select child, parent, kind from hierarchy_edge").fetchall()
    nodes = {f"{s}/{k}": n for n, s, k in duck.execute("select node, system, customer_key from node").fetchall()}
    assert not edges or {(child, kind) for child, _, kind in edges} == {(nodes["crm/C2"], "branch_name")}
