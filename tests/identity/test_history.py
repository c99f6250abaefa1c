"""The time machine: a night is told as it was known then, and every id that ever was leads somewhere."""

from __future__ import annotations

from datetime import date

import pytest
from scene import Scene, crosswalk
from sqlalchemy import Engine

from hub.errors import NotFound
from identity.history import history
from identity.resolve import resolve
from store.publication import candidate, publish

pytestmark = pytest.mark.postgres
ONE = "91440101MA59P7XQ24"


def night(engine: Engine, scene: Scene, cycle: str) -> dict[str, str]:
    resolve(engine, scene.into_store(engine))
    publish(engine, candidate(engine, cycle))
    return crosswalk(engine)


@pytest.fixture
def story(store_engine: Engine) -> tuple[str, str]:
    """Two customers; the second learns the first's code on the 2nd, and is told apart again on the 3rd, renamed."""
    scene = Scene()
    scene.crm("C1", "广州华恒科技有限公司", uscc=ONE, phone="13000000000")
    scene.order("O1", "D1", "华恒")
    first = night(store_engine, scene, "20260301")
    scene.order("O1", "D1", "华恒", uscc=ONE, day=1)
    night(store_engine, scene, "20260302")
    scene.order("O1", "D1", "永昌", day=2)
    night(store_engine, scene, "20260303")
    return first["crm/gd/C1"], first["orders/gd/D1"]


def test_each_night_is_told_as_it_was_known_then(store_engine: Engine, story: tuple[str, str]) -> None:
    older, younger = story
    then = {day: history(store_engine, younger, on=date(2026, 3, day)) for day in (1, 2, 3)}
    assert {day: told.customer_id for day, told in then.items()} == {1: younger, 2: older, 3: younger}
    assert [member.name for member in then[1].members] == ["华恒"]
    assert [member.customer_key for member in then[2].members] == ["C1", "D1"]
    names = {day: {cell.attribute: cell.value for cell in told.cells}["customer_name"] for day, told in then.items()}
    assert names == {1: "华恒", 2: "广州华恒科技有限公司", 3: "永昌"}
    assert then[2].members[1].why[0].en == f"carries the unified social credit code {ONE}, as does crm/gd/C1"
    assert "13000000000" not in repr(then)


def test_events_say_what_happened_and_why(store_engine: Engine, story: tuple[str, str]) -> None:
    older, younger = story
    told = history(store_engine, younger)
    assert told.ids == (older, younger)
    kinds = [(event.cycle, event.customer_id, event.kind, event.other_id) for event in told.events]
    assert kinds == [
        ("20260301", older, "minted", None),
        ("20260301", younger, "minted", None),
        ("20260302", younger, "merged", older),
        ("20260303", younger, "split", older),
    ]
    merged, split = told.events[2:]
    assert merged.happened.en == f"merged into {older} with 1 records"
    assert merged.because.en.startswith(f"uscc {ONE}: orders/gd/D1 – crm/gd/C1")
    assert split.because.en.startswith("link lost: uscc, ")
    assert split.because.zh.startswith("关联消失: uscc")
    assert len(history(store_engine, younger, on=date(2026, 3, 2)).events) == 3


def test_a_source_key_is_followed_and_what_was_never_there_is_said(store_engine: Engine, story: tuple[str, str]) -> None:
    assert history(store_engine, "orders/gd/D1", on=date(2026, 3, 2)).customer_id == story[0]
    with pytest.raises(NotFound, match="the first night is 20260301"):
        history(store_engine, story[0], on=date(2026, 2, 28))
    with pytest.raises(NotFound, match="BC99999999"):
        history(store_engine, "BC99999999")
