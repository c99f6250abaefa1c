"""Components against networkx, on random graphs and on long chains."""

from __future__ import annotations

import random
from itertools import pairwise

import duckdb
import networkx as nx
import pytest

from identity.components import components


def found(connection: duckdb.DuckDBPyConnection, nodes: int, edges: list[tuple[int, int]]) -> dict[int, int]:
    connection.execute(f"create or replace table n as select unnest(range(1, {nodes} + 1))::integer as node")
    connection.execute("create or replace table e (a integer, b integer)")
    if edges:
        connection.executemany("insert into e values (?, ?)", edges)
    components(connection, "n", "e", "c")
    return dict(connection.execute("select node, component from c").fetchall())


@pytest.mark.parametrize("seed", range(8))
def test_random_graphs(duck: duckdb.DuckDBPyConnection, seed: int) -> None:
    random_ = random.Random(seed)
    nodes = 120
    edges = [(random_.randint(1, nodes), random_.randint(1, nodes)) for _ in range(random_.randint(0, 150))]
    graph = nx.Graph(edges)
    graph.add_nodes_from(range(1, nodes + 1))
    expected = {node: min(group) for group in nx.connected_components(graph) for node in group}
    assert found(duck, nodes, edges) == expected


@pytest.mark.parametrize("seed", range(8))
def test_components_already_found_are_walked_as_one_node(duck: duckdb.DuckDBPyConnection, seed: int) -> None:
    random_ = random.Random(seed)
    edges = [(random_.randint(1, 90), random_.randint(1, 90)) for _ in range(110)]
    expected = found(duck, 90, edges)
    found(duck, 90, edges[:80])
    duck.execute("create or replace table known as from c; create or replace table other (a integer, b integer)")
    duck.executemany("insert into other values (?, ?)", edges[70:])
    components(duck, "n", "other", "c", within="known")
    assert dict(duck.execute("select node, component from c").fetchall()) == expected


def test_a_long_chain(duck: duckdb.DuckDBPyConnection) -> None:
    order = list(range(1, 501))
    random.Random(3).shuffle(order)
    assert set(found(duck, 500, list(pairwise(order))).values()) == {1}


def test_no_edges(duck: duckdb.DuckDBPyConnection) -> None:
    assert found(duck, 3, []) == {1: 1, 2: 2, 3: 3}
