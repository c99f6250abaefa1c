"""Who belongs to whom is found again only of those whom something concerns: each night against finding it of all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from nightly import Nightly, code
from played import LEFT, Nights
from scene import Scene

from identity import nights

HUA = "广州华恒科技有限公司"
# So many that no key by which pairs are sought brings them to their office.
BRANCHES = [f"{HUA}{place}分公司" for place in ("深圳", "珠海", "佛山", "东莞", "中山", "惠州")]
FIRMS = [f"华恒{line}有限公司" for line in ("科技", "医药", "贸易", "物流")]
EDGES = "select child, parent, kind, evidence from hierarchy_edge"


@pytest.fixture(autouse=True)
def one_run_of_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nights, "_told", lambda *_: ("one run",))
    monkeypatch.setattr(nights, "run_before", lambda _: "one run")
    monkeypatch.setattr(nights, "WORTH_IT", 1)


def with_branches(scene: Scene) -> None:
    for place, name in enumerate(BRANCHES):
        scene.crm(f"b{place}", name)


def with_office(scene: Scene) -> None:
    with_branches(scene)
    scene.crm("office", HUA)


def with_firms(scene: Scene) -> None:
    for place, name in enumerate(FIRMS):
        scene.crm(f"f{place}", name)


def with_group(scene: Scene) -> None:
    with_firms(scene)
    scene.group("head", "华恒集团有限公司")


def with_two_offices(scene: Scene) -> None:
    with_branches(scene)
    scene.crm("office", HUA, uscc=code(1))
    scene.group("twin", HUA, uscc=code(2))


def with_two_groups(scene: Scene) -> None:
    with_group(scene)
    scene.group("second", "华恒控股集团有限公司", uscc=code(3))


def with_daughter(scene: Scene) -> None:
    scene.group("daughter", "永昌贸易有限公司", parent_key="mother")


def with_mother(scene: Scene) -> None:
    with_daughter(scene)
    scene.group("mother", "鹭江医药有限公司")


# (what was there, what is otherwise on the next night, how many of the old edges then stand)
NIGHTS: dict[str, tuple[Callable[[Scene], object], Callable[[Scene], object], int]] = {
    "an office comes": (with_branches, with_office, 0),
    "an office goes": (with_office, lambda scene: scene.forget("customer", "crm", "office"), 0),
    "an office takes another name": (with_office, lambda scene: scene.crm("office", "鹭江医药有限公司"), 0),
    "a record takes an office's name": (
        lambda scene: (with_branches(scene), scene.crm("office", "鹭江医药有限公司")), lambda scene: scene.crm("office", HUA), 0,
    ),
    "another firm of the office's name comes": (
        lambda scene: (with_branches(scene), scene.crm("office", HUA, uscc=code(1))), with_two_offices, 0,
    ),
    "of two firms of the office's name one goes": (with_two_offices, lambda scene: scene.forget("customer", "group", "twin"), 0),
    "of two firms of the office's name one takes another": (
        with_two_offices, lambda scene: scene.group("twin", "鹭江医药有限公司", uscc=code(2)), 0,
    ),
    "a branch comes": (with_office, lambda scene: scene.crm("b9", f"{HUA}江门分公司"), 6),
    "a branch goes": (with_office, lambda scene: scene.forget("customer", "crm", "b1"), 5),
    "a branch takes another tail": (with_office, lambda scene: scene.crm("b1", f"{HUA}江门分公司"), 5),
    "a group comes": (with_firms, with_group, 0),
    "a group goes": (with_group, lambda scene: scene.forget("customer", "group", "head"), 0),
    "a group is no group any more": (with_group, lambda scene: scene.group("head", "鹭江医药有限公司"), 0),
    "another group of the name comes": (with_group, with_two_groups, 0),
    "of two groups of the name one goes": (with_two_groups, lambda scene: scene.forget("customer", "group", "second"), 0),
    "a firm of the group comes": (with_group, lambda scene: scene.crm("f9", "华恒置业有限公司"), 4),
    "a mother comes": (with_daughter, with_mother, 0),
    "a mother goes": (with_mother, lambda scene: scene.forget("customer", "group", "mother"), 0),
    "a mother is her daughter's customer": (
        lambda scene: (with_mother(scene), scene.group("daughter", "永昌贸易有限公司", uscc=code(4), parent_key="mother")),
        lambda scene: scene.group("mother", "永昌贸易有限公司", uscc=code(4)), 0,
    ),
    "another mother is named": (
        lambda scene: (with_mother(scene), scene.group("aunt", "云帆物流有限公司")),
        lambda scene: scene.group("daughter", "永昌贸易有限公司", parent_key="aunt"), 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("first", "then", "standing"), NIGHTS.values(), ids=list(NIGHTS))
def test_who_belongs_to_whom_is_as_if_found_of_all(
    tmp_path: Path, first: Callable[[Scene], object], then: Callable[[Scene], object], standing: int
) -> None:
    before, after = edges_of_two_nights(tmp_path, first, then)
    assert len(before & after) == standing
    assert before != after


def test_who_belongs_to_whom_stands_where_nobody_they_have_to_do_with_comes(tmp_path: Path) -> None:
    before, after = edges_of_two_nights(
        tmp_path, lambda scene: (with_office(scene), with_mother(scene)), lambda scene: scene.crm("other", "碧海物流有限公司")
    )
    assert len(before) == 7
    assert before == after


def edges_of_two_nights(
    tmp_path: Path, first: Callable[[Scene], object], then: Callable[[Scene], object]
) -> list[set[tuple[object, ...]]]:
    """Of the first night and of the one after it, which is held against all being linked again."""
    played, world = Nights(tmp_path / "memory"), Nightly(Random(0))
    first(world.scene)
    world.scene.crm("bystander", "金穗矿业有限公司")
    before = played.linked(world, kept=True)
    then(world.scene)
    after = played.linked(world, kept=True)
    assert after == played.linked(world, kept=False)
    assert played.inside[1][0] < played.inside[1][1]
    return [{(row[2], row[3], *keyed(left, row)) for row in left[EDGES]} for left in (before, after)]


def keyed(left: dict[str, list[tuple[object, ...]]], edge: tuple[object, ...]) -> tuple[object, object]:
    """The keys of the records that an edge joins: their numbers may be others tonight."""
    [named] = [query for query in LEFT if query.endswith("from node")]
    keys = {row[0]: row[-1] for row in left[named]}
    return keys[edge[0]], keys[edge[1]]
