"""The linker on a simulated world, against its truth; and night after night."""

from __future__ import annotations

import pytest
from scene import crosswalk
from sqlalchemy import Engine
from worlds import extract, pairs, true_groups

from identity.resolve import resolve
from simulator.dirt import DirtRates
from simulator.world import World

NIGHT, LATER = "20260305", "20260309"
pytestmark = pytest.mark.postgres


def linked(engine: Engine, world: World, night: str) -> dict[tuple[str, str, str], object]:
    with extract(world, engine, night, []) as opened:
        resolve(engine, 0, extract=opened)
    ids = crosswalk(engine)
    return {(key.split("/")[0], key.split("/")[1], key.split("/", 2)[2]): id_ for key, id_ in ids.items()}


@pytest.mark.parametrize("dirt", [DirtRates(), DirtRates().tripled()], ids=["default", "tripled"])
def test_no_two_firms_are_merged_and_most_records_find_each_other(store_engine: Engine, dirt: DirtRates) -> None:
    world = World(seed=11, customers=400, dirt=dirt)
    groups, true = linked(store_engine, world, NIGHT), true_groups(world, NIGHT)
    assert groups.keys() == true.keys()
    got, expected = pairs(groups), pairs(true)
    assert got <= expected
    assert len(got) > (0.985 if dirt == DirtRates() else 0.95) * len(expected)


def test_nights_keep_their_ids_and_end_where_one_run_ends(store_engine: Engine) -> None:
    world = World(seed=12, customers=200)
    before = linked(store_engine, world, NIGHT)
    after = linked(store_engine, world, LATER)
    true = true_groups(world, LATER)
    assert pairs(after) <= pairs(true)
    assert {id_ for key, id_ in after.items() if key in before} <= set(before.values())
    moved = {key for key in before.keys() & after.keys() if before[key] != after[key]}
    assert len(moved) < 0.02 * len(before)
