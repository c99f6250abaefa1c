"""Only what something touched is linked again, and the end is the same: random nights against linking everything."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

import duckdb
import pytest
from nightly import Nightly
from played import LEFT, TIGHT, Nights
from scene import crosswalk
from sqlalchemy import Engine, create_engine, text

from hub.errors import NotAllowed
from identity import folding, nights
from identity.decisions import Record, Verdict, decide_pair, set_value, undo
from identity.parts import claimed
from identity.resolve import resolve
from identity.settings import load_settings

DERIVED = (
    "crosswalk", "identity_event", "customer_hierarchy", "review_pair", "identity_signal", "golden_customer", "golden_provenance",
)  # fmt: skip


@pytest.fixture(autouse=True)
def one_run_of_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nights, "_told", lambda *_: ("one run",))
    monkeypatch.setattr(nights, "run_before", lambda _: "one run")
    monkeypatch.setattr(nights, "WORTH_IT", 1)


@pytest.fixture
def played(tmp_path: Path) -> Nights:
    return Nights(tmp_path / "memory")


@pytest.mark.parametrize("seed", range(4))
def test_random_nights_end_as_linking_everything_does(played: Nights, seed: int) -> None:
    world = Nightly(Random(seed))
    world.begin()
    for _ in range(8):
        assert played.linked(world, kept=True) == played.linked(world, kept=False)
        world.night()
    assert sum(inside < every / 2 for inside, every in played.inside) >= 4


def said(name: str, phone: str | None = None, **other: str) -> dict[str, str | None]:
    return {"name": name, "uscc": None, "phone": phone, **other}


CENTRE = "广州市天河路901号"
HUA = "广州华恒科技有限公司"
# What couples firms that share no key by which pairs are sought: what is said on one night, and what is otherwise on the next.
COUPLED = {
    "a place that too many named, until one left": (
        {"1": said(HUA, address=CENTRE), "2": said("华恒科技", address=CENTRE), "3": said("永昌贸易有限公司", address=CENTRE),
         "4": said("鹭江医药有限公司", address=CENTRE), "5": said("云帆物流有限公司", address=CENTRE)},
        {"5": said("云帆物流有限公司")},
    ),
    "another first of many who say the same": (
        {key: said(HUA, licence_no="440101000012343") for key in "34567"},
        {"2": said(HUA, licence_no="440101000012343")},
    ),
    "a key that too many share, two of whom say something else": (
        {key: said(HUA, f"1391234990{key}") for key in "123456"},
        {"1": said(HUA, "13912349981"), "6": said(HUA, "13912349986")},
    ),
    "a key that one too many came to": (
        {key: said(HUA, f"1391234990{key}") for key in "1234"},
        {"5": said(HUA, "13912349905")},
    ),
    "a key that one of too many left": (
        {key: said(HUA, f"1391234990{key}") for key in "12345"},
        {"5": said("永昌贸易有限公司", "13912349905")},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("first", "then"), COUPLED.values(), ids=list(COUPLED))
def test_who_is_coupled_is_linked_again(
    played: Nights, first: dict[str, dict[str, str | None]], then: dict[str, dict[str, str | None]]
) -> None:
    world = Nightly(Random(0))
    for night in (first, then):
        for key, facts in night.items():
            world.scene.crm(key, **facts)
        assert played.linked(world, kept=True) == played.linked(world, kept=False)


def test_nothing_written_for_a_code_couples_nobody(played: Nights) -> None:
    world = Nightly(Random(0))
    for phone in ("13912349901", "13912349908"):
        for place, trade in enumerate(("华恒", "永昌", "鹭江", "云帆", "碧海", "金穗")):
            number = phone if place == 0 else f"1391234991{place}"
            world.scene.crm(f"{place}", **{**said(f"{trade}贸易有限公司", number), "uscc": "无"})
        assert played.linked(world, kept=True) == played.linked(world, kept=False)
    assert played.inside[-1][0] == 1


@pytest.mark.parametrize("rule", ["crm.account_no", "orders.product_id_crm"])
def test_whose_products_an_account_pays_for_or_an_order_is_about_couples(played: Nights, rule: str) -> None:
    """Of six firms of one name, so that no key brings them together: an owner who comes, and another one."""
    world = Nightly(Random(0))
    scene = world.scene
    for key in "12345":
        scene.crm(key, **said(HUA, f"1391234990{key}"))
    if rule == "crm.account_no":
        scene.account("A1", "K1", HUA)
    else:
        scene.order("O1", "D1", HUA, product_id_crm="P1")
    for owner in ("9", "9", "2"):
        scene.product("P1", owner, account_no="A1")
        left = played.linked(world, kept=True)
        assert left == played.linked(world, kept=False)
        scene.crm("9", **said(HUA, "13912349909"))
    assert (rule, "2") in {(row[2], row[3]) for row in left[LEFT[0]]}


@pytest.mark.parametrize("file", nights._FILES)
def test_what_was_kept_and_cannot_be_read_costs_time_alone(played: Nights, file: str) -> None:
    world = Nightly(Random(1))
    world.begin()
    played.linked(world, kept=True)
    [folder] = played.memory.glob("linked-*")
    (folder / file).write_bytes(b"not parquet")
    world.night()
    assert played.linked(world, kept=True) == played.linked(world, kept=False)
    assert played.inside[1][0] == played.inside[1][1]


def test_what_other_settings_linked_is_not_taken_over(played: Nights) -> None:
    world = Nightly(Random(2))
    world.begin()
    played.linked(world, kept=True)
    played.settings = load_settings()
    assert played.linked(world, kept=True) == played.linked(world, kept=False)
    assert played.inside[1][0] == played.inside[1][1]


def test_above_a_third_of_the_records_all_are_linked(played: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nights, "WORTH_IT", 3)
    world = Nightly(Random(3))
    world.begin()
    played.linked(world, kept=True)
    for place, row in list(world.scene.rows.items())[::2]:
        world.scene.rows[place] = {**row, "uscc": None}
    assert played.linked(world, kept=True) == played.linked(world, kept=False)
    assert played.inside[1][0] == played.inside[1][1]


def test_of_a_telephone_no_token_and_no_key_is_kept_that_could_be_tried(played: Nights) -> None:
    world = Nightly(Random(4))
    world.begin()
    played.linked(world, kept=True)
    [folder] = played.memory.glob("linked-*")
    phones = {row.get("phone") or row.get("contact_phone") for row in world.scene.rows.values()} - {None}
    with duckdb.connect() as connection:
        for file, told in (("token", "hash('phone', ?)"), ("key", "hash('p' || ?)")):
            kept = f"(select {file} from read_parquet('{folder / file}'))"
            for phone in phones:
                assert connection.execute(f"select {told} in {kept}", [phone]).fetchone() == (False,)


def test_what_was_folded_later_is_recalled_and_in_the_end_forgotten(duck: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    def folded(*names: str, touched: bool = True) -> set[str]:
        texts = " union all ".join(f"select '{name}'" for name in names)
        folding.fold_all(duck, {folding.NAMES: texts}, tmp_path, touched=touched)
        files = sorted(file.name for file in tmp_path.iterdir())
        assert len(files) <= 2
        return {
            row[0]
            for row in duck.execute(f"select text from read_parquet({[str(tmp_path / file) for file in files]})").fetchall()
        }

    assert folded("华恒科技", touched=False) == {"华恒科技"}
    assert folded("永昌医药", "华恒科技") == {"华恒科技", "永昌医药"}
    assert folded("云帆物流") == {"华恒科技", "永昌医药", "云帆物流"}
    folding.forget(duck, {folding.NAMES: "select '云帆物流'"}, tmp_path)
    assert folded("云帆物流") == {"云帆物流"}


@pytest.mark.parametrize("step", ["unlink", "replace"])
def test_who_is_killed_while_forgetting_keeps_no_text_twice(
    duck: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def folded(*names: str, touched: bool) -> list[tuple[object, ...]]:
        texts = " union all ".join(f"select '{name}'" for name in names)
        folding.fold_all(duck, {folding.NAMES: texts}, tmp_path, touched=touched)
        return duck.execute("select text from name_fold order by text").fetchall()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    both = [("云帆物流",), ("华恒科技",)]
    folded("华恒科技", touched=False)
    assert folded("云帆物流", "华恒科技", touched=True) == both
    monkeypatch.setattr(Path, step, killed)
    with pytest.raises(KeyboardInterrupt):
        folding.forget(duck, {folding.NAMES: "select '云帆物流' union all select '华恒科技'"}, tmp_path)
    monkeypatch.undo()
    assert folded("云帆物流", "华恒科技", touched=True) == both


def test_of_two_runs_at_once_one_goes_without_the_memory(store_engine: Engine, tmp_path: Path) -> None:
    world = Nightly(Random(5))
    world.begin()
    seq = world.scene.into_store(store_engine)
    memory = tmp_path / "memory"
    memory.mkdir(mode=0o755)
    with claimed(memory):
        resolve(store_engine, seq, memory=memory)
        assert not list(memory.iterdir())
    resolve(store_engine, seq, memory=memory)
    assert list(memory.iterdir())
    assert memory.stat().st_mode & 0o777 == 0o700


def a_steward_decides(random: Random, engines: list[Engine]) -> None:
    """The same on every store, where the same is there."""
    chosen = random.random()
    records = sorted(crosswalk(engines[0]))
    one, other = sorted(random.sample(records, 2))
    verdict = random.choice((Verdict.SAME, Verdict.DIFFERENT))
    for engine in engines:
        if chosen < 0.4:
            with suppress(NotAllowed):
                decide_pair(engine, Record.parse(one), Record.parse(other), verdict, by="lin", reason="visited")
        elif chosen < 0.6:
            with suppress(NotAllowed):
                set_value(engine, crosswalk(engine)[one], "industry", "energy", by="lin", reason="visited")
        else:
            with engine.connect() as store:
                standing = store.execute(
                    text("select min(decision_id) from hub.steward_decision where withdrawn_at is null")
                ).scalar()
            if standing:
                undo(engine, int(standing), by="lin", reason="left")


@pytest.mark.postgres
def test_nights_with_a_memory_write_what_nights_without_one_write(
    new_database: Callable[[str], str], store_template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(nights, "WORTH_IT", 1)
    random = Random(7)
    world = Nightly(random)
    world.begin()
    engines = [create_engine(new_database(store_template)) for _ in range(2)]
    in_part: list[bool] = []
    linked_in_part = nights._linked_in_part
    monkeypatch.setattr(nights, "_linked_in_part", lambda *given: in_part.append(linked_in_part(*given)) or in_part[-1])
    for _ in range(9):
        [seq, same] = [world.scene.into_store(engine) for engine in engines]
        assert same == seq
        resolve(engines[0], seq, settings=TIGHT, memory=tmp_path)
        resolve(engines[1], seq, settings=TIGHT)
        with_memory, without = map(written, engines)
        assert with_memory == without
        a_steward_decides(random, engines)
        world.night()
    assert all(with_memory.values())
    assert in_part == [False, *[True] * 8]
    for engine in engines:
        engine.dispose()


def written(engine: Engine) -> dict[str, list[str]]:
    """Everything that a run writes, but when it ran."""
    said = dict.fromkeys(DERIVED, "t::text") | {"identity_run": "(to_jsonb(t) - 'ran_at')::text"}
    with engine.connect() as store:
        return {
            table: [
                str(row[0])
                for row in store.execute(
                    text(f"select {row} from {'hub' if table == 'identity_run' else 'core'}.{table} t order by 1")
                )
            ]
            for table, row in said.items()
        }
