"""Golden records and rows of the crosswalk left as they are by a night's memory are those a run without it would leave."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from scene import Scene, crosswalk
from sqlalchemy import Engine, text

from identity import nights, settled, standing
from identity.decisions import set_value, withdraw_value
from identity.resolve import resolve

pytestmark = pytest.mark.postgres
CODES = ("91440101MA59P7XQ24", "91110000600037341L", "91350100M000100Y43")
NAMES = ("广州华恒科技有限公司", "北京永昌医药有限公司", "厦门鹭江贸易有限公司")


@pytest.fixture
def left_out(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many golden records each run found settled."""
    counts: list[int] = []
    remember = settled.remember

    def counted(connection: duckdb.DuckDBPyConnection, memory: Path) -> None:
        counts.extend(connection.execute("select count(*) from settled").fetchone() or ())
        remember(connection, memory)

    monkeypatch.setattr(settled, "remember", counted)
    return counts


@pytest.fixture
def left_standing(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows of the crosswalk each run with a memory found to stand."""
    counts: list[int] = []
    find = standing.find

    def counted(connection: duckdb.DuckDBPyConnection, memory: Path | None, *, recalled: bool) -> None:
        find(connection, memory, recalled=recalled)
        if memory:
            counts.extend(connection.execute("select count(*) from standing").fetchone() or ())

    monkeypatch.setattr(standing, "find", counted)
    return counts


def firms() -> Scene:
    scene = Scene()
    for number, (name, code) in enumerate(zip(NAMES, CODES, strict=True), start=1):
        scene.crm(f"C{number}", name, uscc=code, address=f"天河路{number}号", industry="ict")
        scene.group(f"G{number}", name, uscc=code, industry="finance")
    return scene


def night(engine: Engine, scene: Scene, memory: Path) -> None:
    """With the memory; a run without it then finds nothing to write."""
    seq = scene.into_store(engine)
    resolve(engine, seq, memory=memory)
    before = versions(engine)
    resolve(engine, seq)
    assert versions(engine) == before


def versions(engine: Engine) -> list[tuple[object, ...]]:
    with engine.connect() as store:
        return [
            tuple(row)
            for table in ("crosswalk", "identity_event", "customer_hierarchy", "golden_customer", "golden_provenance")
            for row in store.execute(text(f"select * from core.{table}")).all()
        ]


def test_only_customers_with_another_input_are_judged_again(store_engine: Engine, tmp_path: Path, left_out: list[int]) -> None:
    scene = firms()
    night(store_engine, scene, tmp_path)
    night(store_engine, scene, tmp_path)
    scene.crm("C2", "北京永昌医药有限公司", uscc=CODES[1], address="长安街9号", industry="ict", day=1)
    night(store_engine, scene, tmp_path)
    scene.forget("customer", "group", "G3")
    night(store_engine, scene, tmp_path)
    assert left_out == [0, 3, 2, 2]


def test_what_is_no_row_of_a_customer_is_an_input_too(store_engine: Engine, tmp_path: Path, left_out: list[int]) -> None:
    """A steward's value, a parent, and a code that strangers have come to carry."""
    scene = firms()
    night(store_engine, scene, tmp_path)
    first = crosswalk(store_engine)["crm/gd/C1"]
    set_value(store_engine, first, "industry", "energy", by="lin", reason="visited")
    night(store_engine, scene, tmp_path)
    withdraw_value(store_engine, first, "industry", by="lin", reason="left")
    night(store_engine, scene, tmp_path)
    scene.group("G2", NAMES[1], uscc=CODES[1], industry="finance", parent_key="G3")
    night(store_engine, scene, tmp_path)
    for number, stranger in enumerate(("深圳云帆物流有限公司", "珠海碧海酒店有限公司", "汕头金穗粮油有限公司")):
        scene.crm(f"S{number}", stranger, uscc=CODES[2], phone=f"1391234567{number}", address=f"人民路{number}号")
    night(store_engine, scene, tmp_path)
    assert len(left_out) == 5
    assert all(count < 3 for count in left_out)
    assert sum(left_out) > 0


def test_a_memory_of_another_store_or_a_spoilt_one_settles_nothing(
    store_engine: Engine, tmp_path: Path, left_out: list[int]
) -> None:
    scene = firms()
    night(store_engine, scene, tmp_path)
    with store_engine.begin() as store:
        store.execute(text("update core.golden_customer set row_hash = 'other' where customer_id = 'BC00000001'"))
    night(store_engine, scene, tmp_path)
    [file] = tmp_path.glob("golden-*.parquet")
    file.write_bytes(b"not parquet")
    night(store_engine, scene, tmp_path)
    assert left_out == [0, 2, 0]


def test_only_records_with_another_link_or_customer_have_their_evidence_made_again(
    store_engine: Engine, tmp_path: Path, left_standing: list[int]
) -> None:
    scene = firms()
    night(store_engine, scene, tmp_path)
    night(store_engine, scene, tmp_path)
    scene.account("A1", "K1", NAMES[0], uscc=CODES[0])
    night(store_engine, scene, tmp_path)
    scene.group("G2", NAMES[1], uscc=CODES[2], industry="finance", day=1)
    night(store_engine, scene, tmp_path)
    scene.forget("customer", "crm", "C1")
    night(store_engine, scene, tmp_path)
    scene.crm("C1", NAMES[0], uscc=CODES[0], address="天河路1号", industry="ict", day=2)
    scene.group("G2", NAMES[1], uscc=CODES[1], industry="finance", day=2)
    night(store_engine, scene, tmp_path)
    assert left_standing[:3] == [0, 6, 4]
    assert all(0 < count < 7 for count in left_standing[3:])


def test_a_memory_of_a_run_that_is_not_the_stores_last_lets_nothing_stand(
    store_engine: Engine, tmp_path: Path, left_standing: list[int]
) -> None:
    scene = firms()
    night(store_engine, scene, tmp_path)
    scene.account("A1", "K1", NAMES[0], uscc=CODES[0])
    resolve(store_engine, scene.into_store(store_engine))
    scene.forget("account", "billing", "A1")
    night(store_engine, scene, tmp_path)
    [file] = tmp_path.glob("crosswalk-*.parquet")
    file.write_bytes(b"not parquet")
    night(store_engine, scene, tmp_path)
    night(store_engine, scene, tmp_path)
    assert left_standing == [0, 0, 0, 6]


@pytest.fixture
def recalled(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each run with a memory, whether it took ids from it; a part is linked again however few are left."""
    monkeypatch.setattr(nights, "WORTH_IT", 1)
    served: list[bool] = []
    read_past = standing.read_past

    def noted(connection: duckdb.DuckDBPyConnection, memory: Path | None) -> bool:
        found = read_past(connection, memory)
        if memory:
            served.append(found)
        return found

    monkeypatch.setattr(standing, "read_past", noted)
    return served


def test_an_id_is_back_at_home_when_its_first_record_is_back_after_nights(
    store_engine: Engine, tmp_path: Path, recalled: list[bool]
) -> None:
    scene = firms()
    night(store_engine, scene, tmp_path)
    first = crosswalk(store_engine)["crm/gd/C1"]
    scene.forget("customer", "crm", "C1")
    for name in ("深圳云帆物流有限公司", "珠海碧海酒店有限公司"):
        night(store_engine, scene, tmp_path)
        assert crosswalk(store_engine)["group/gd/G1"] == first
        scene.crm("B7", name, phone="13912345670")
    scene.crm("C1", "汕头金穗粮油有限公司", phone="13912345671", day=2)
    night(store_engine, scene, tmp_path)
    ids = crosswalk(store_engine)
    assert ids["crm/gd/C1"] == first != ids["group/gd/G1"]
    assert recalled == [True, True, True]


@pytest.mark.parametrize("file", ["crosswalk", "home"])
@pytest.mark.parametrize("spoilt", [True, False])
def test_ids_that_cannot_be_recalled_are_read_from_the_store(
    store_engine: Engine, tmp_path: Path, recalled: list[bool], file: str, spoilt: bool
) -> None:
    scene = firms()
    night(store_engine, scene, tmp_path)
    [kept] = tmp_path.glob(f"{file}-*.parquet")
    if spoilt:
        kept.write_bytes(b"not parquet")
    else:
        kept.unlink()
    scene.account("A1", "K1", NAMES[0], uscc=CODES[0])
    night(store_engine, scene, tmp_path)
    scene.forget("customer", "group", "G2")
    night(store_engine, scene, tmp_path)
    assert recalled == [False, True]


def test_a_run_that_another_overtakes_is_not_remembered_as_the_other(
    store_engine: Engine, tmp_path: Path, recalled: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between what a run writes and what it keeps of it, a run without its memory gives an id that it knows nothing of."""
    scene = firms()
    night(store_engine, scene, tmp_path)
    remember = standing.remember

    def overtaken(connection: duckdb.DuckDBPyConnection, memory: Path, run: str | None) -> None:
        monkeypatch.setattr(standing, "remember", remember)
        scene.crm("B7", "深圳云帆物流有限公司", phone="13912345670")
        resolve(store_engine, scene.into_store(store_engine))
        remember(connection, memory, run)

    monkeypatch.setattr(standing, "remember", overtaken)
    scene.account("A1", "K1", NAMES[0], uscc=CODES[0])
    resolve(store_engine, scene.into_store(store_engine), memory=tmp_path)
    scene.crm("B8", "珠海碧海酒店有限公司", phone="13912345671")
    night(store_engine, scene, tmp_path)
    ids = crosswalk(store_engine)
    assert ids["crm/gd/B8"] not in {ids["crm/gd/B7"], ids["crm/gd/C1"]}
    assert recalled == [True], "what was kept is of another run than the store's last"
