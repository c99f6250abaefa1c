"""Ids under any story of merges and splits: they depend on who is together and on history, on nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import networkx as nx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from identity import standing
from identity.components import components
from identity.crosswalk import RULES, assign, reason, trace
from identity.events import tell

KEYS = [f"{system}/gd/{number}" for number in range(6) for system in ("billing", "crm")]
Edges = Sequence[tuple[int, int]]
edges_of = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)).filter(lambda e: e[0] != e[1]), max_size=9)
quick = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
_HISTORY = """
create or replace table history (
    system varchar, province varchar, customer_key varchar, customer_id varchar, recorded_from bigint, recorded_to bigint,
    rule varchar, evidence varchar
)
"""


class Store:
    """A crosswalk in DuckDB alone: the same tables, versions written as the store would."""

    def __init__(self) -> None:
        self.connection = duckdb.connect(config={"threads": 1})
        self.connection.execute(_HISTORY)
        self.connection.execute(
            "create view crosswalk_current as select system, province, customer_key, customer_id, rule, evidence "
            "from history where recorded_to is null"
        )
        pair = ", ".join(f"{side}_{name} varchar" for side in "ab" for name in ("system", "province", "key"))
        self.connection.execute(f"create table pair_decision (decision_id bigint, verdict varchar, {pair})")
        self.connection.execute(
            "create table scored_pair (a integer, b integer, weight double, probability double, band varchar, why varchar)"
        )
        self.night = 0

    def run(self, records: Sequence[str], edges: Edges, *, backwards: bool = False) -> dict[str, str]:
        """One night: these records, tied by these edges (indexes into KEYS). Returns record → id."""
        self.night += 1
        named = sorted(set(records))
        place = {KEYS.index(name): number for number, name in enumerate(named)}
        tied = [(place[a], place[b]) for a, b in edges if a in place and b in place]
        rows = [(number, *name.split("/")) for number, name in enumerate(named)]
        c = self.connection
        c.execute("create or replace table node (node integer, system varchar, province varchar, customer_key varchar)")
        c.executemany("insert into node values (?, ?, ?, ?)", rows[::-1] if backwards else rows)
        c.execute("create or replace table edge (a integer, b integer, rule varchar, value varchar)")
        if tied:
            c.executemany("insert into edge values (?, ?, 'uscc', 'x')", tied[::-1] if backwards else tied)
        components(c, "node", "edge", "customer_group")
        trace(c)
        assign(c)
        c.execute(standing.NONE)
        reason(c)
        tell(c, RULES, "1")
        self.events = c.execute("select customer_id, kind, other_id from identity_event_new order by all").fetchall()
        c.execute(f"""
            update history set recorded_to = {self.night} where recorded_to is null and not exists (
                select 1 from crosswalk_new n where (n.system, n.province, n.customer_key, n.customer_id, n.evidence)
                    = (history.system, history.province, history.customer_key, history.customer_id, history.evidence))
        """)
        c.execute(f"""
            insert into history
            select system, province, customer_key, customer_id, {self.night}, null, rule, evidence from crosswalk_new
            anti join crosswalk_current using (system, province, customer_key)
        """)
        found = c.execute("select system || '/' || province || '/' || customer_key, customer_id from crosswalk_new").fetchall()
        return dict(found)


def groups(ids: dict[str, str]) -> set[frozenset[str]]:
    return {frozenset(name for name, other in ids.items() if other == id_) for id_ in ids.values()}


@quick
@given(st.lists(edges_of, min_size=1, max_size=4))
def test_ids_tell_the_same_groups_as_networkx_and_no_two_groups_share_one(stories: list[Edges]) -> None:
    store = Store()
    for edges in stories:
        graph = nx.Graph()
        graph.add_nodes_from(range(len(KEYS)))
        graph.add_edges_from(edges)
        true = {frozenset(KEYS[node] for node in part) for part in nx.connected_components(graph)}
        assert groups(store.run(KEYS, edges)) == true


@quick
@given(edges_of, edges_of)
def test_merged_split_and_merged_again_return_to_the_same_ids(first: Edges, second: Edges) -> None:
    store = Store()
    before, merged = store.run(KEYS, first), store.run(KEYS, [*first, *second])
    assert store.run(KEYS, first) == before
    assert store.run(KEYS, [*first, *second]) == merged
    assert store.run(KEYS, [*first, *second]) == merged
    assert store.events == []


@quick
@given(edges_of, edges_of)
def test_the_order_of_rows_and_edges_means_nothing(first: Edges, second: Edges) -> None:
    one, other = Store(), Store()
    assert one.run(KEYS, first) == other.run(KEYS, first, backwards=True)
    assert one.run(KEYS, second) == other.run(KEYS, second, backwards=True)
    assert one.events == other.events


@quick
@given(edges_of, edges_of)
def test_a_merge_keeps_the_oldest_id(first: Edges, more: Edges) -> None:
    store = Store()
    before, after = store.run(KEYS, first), store.run(KEYS, [*first, *more])
    for group in groups(after):
        assert {after[name] for name in group} == {min(before[name] for name in group)}


@quick
@given(edges_of, edges_of, st.sets(st.sampled_from(KEYS), max_size=6))
def test_every_change_of_ids_leaves_its_event_and_no_other_does(first: Edges, second: Edges, gone: set[str]) -> None:
    store = Store()
    before = store.run(KEYS, first)
    assert {(id_, kind) for id_, kind, _ in store.events} == {(id_, "minted") for id_ in before.values()}
    left = [name for name in KEYS if name not in gone] or KEYS[:1]
    after = store.run(left, second)
    was, now = set(before.values()), set(after.values())
    moves = {(before[name], after[name]) for name in left if before[name] != after[name]}
    told = {(kind, id_, other) for id_, kind, other in store.events}
    assert {id_ for kind, id_, _ in told if kind in {"merged", "retired"}} == was - now
    assert {id_ for kind, id_, _ in told if kind in {"minted", "revived", "split"}} >= now - was
    assert {(id_, other) for kind, id_, other in told if kind == "merged"} == {move for move in moves if move[0] not in now}
    assert {(other, id_) for kind, id_, other in told if kind in {"split", "moved"}} == {move for move in moves if move[0] in now}


@quick
@given(st.lists(edges_of, min_size=2, max_size=4))
def test_night_by_night_ends_where_the_last_night_alone_ends_from_the_same_crosswalk(stories: list[Edges]) -> None:
    """The ids of a night are a function of history and of who is together; nothing else is remembered."""
    daily = Store()
    for edges in stories[:-1]:
        daily.run(KEYS, edges)
    full = Store()
    full.connection.register("given", daily.connection.execute("select * from history").to_arrow_table())
    full.connection.execute("insert into history select * from given")
    full.night = daily.night
    assert full.run(KEYS, stories[-1], backwards=True) == daily.run(KEYS, stories[-1])


def test_new_ids_follow_the_order_of_the_smallest_source_key() -> None:
    ids = Store().run(KEYS, [(11, 0)])
    assert ids["billing/gd/0"] == ids["crm/gd/5"] == "BC00000001"
    assert [ids[name] for name in sorted(KEYS) if name not in {"billing/gd/0", "crm/gd/5"}] == [
        f"BC{number:08d}" for number in range(2, 12)
    ]
