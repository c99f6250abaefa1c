"""Rows are numbered where they are, and as often as one likes."""

from __future__ import annotations

import duckdb
import pytest
from scene import Scene

from identity.sources import gather


@pytest.mark.parametrize("times", [1, 2])
def test_an_entity_that_is_a_view_of_parts_is_numbered_as_a_table_is(duck: duckdb.DuckDBPyConnection, times: int) -> None:
    scene, found = Scene(), []
    scene.crm("1", "华恒")
    scene.account("A1", "K1", "华恒")
    scene.order("O1", "D1", "华恒")
    scene.order("O2", None, "永昌")
    for as_view in (False, True):
        scene.into_duck(duck)
        if as_view:
            duck.execute("alter table core.product_order rename to part; create view core.product_order as from core.part")
        for _ in range(times):
            gather(duck)
        found.append(duck.execute("select * from source_row order by all").fetchall())
    assert found[0] == found[1]
    assert {(node, key) for node, _, _, _, _, _, key, *_ in found[0]} == {(1, "A1"), (2, "1"), (3, "O1"), (None, "O2")}
