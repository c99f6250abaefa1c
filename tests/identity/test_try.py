"""`bsshub identity try` on extracts as people send them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from typer.testing import CliRunner

from cli.main import app

ONE, OTHER, THIRD = "91440101MA59P7XQ24", "91110000600037341L", "913200001347576158"
UNRELATED = [
    "华恒科技", "永昌医药", "金泽商贸", "友谊百货", "安顺物流", "大田机械", "明源燃气",
    "长江纺织", "青禾食品", "天海软件", "方正化工", "国威电子", "锦绣服装", "万里运输",
    "昊宇广告", "众合酒店管理", "松柏家具制造", "德博教育咨询", "飞远融资租赁", "兴龙建筑工程",
]  # fmt: skip


def write(path: Path, rows: list[dict[str, Any]], *, encoding: str = "utf-8") -> Path:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return path


def tried(folder: Path, *files: Path) -> dict[str, Any]:
    """The summary; the files lie in `folder/out`."""
    result = CliRunner().invoke(app, ["identity", "try", *map(str, files), "--out", str(folder / "out"), "--json"])
    assert result.exit_code == 0, result.output
    summary: dict[str, Any] = json.loads(result.stdout)
    assert json.loads((folder / "out" / "summary.json").read_text(encoding="utf-8")) == summary
    return summary


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "out" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def clusters(folder: Path) -> set[frozenset[str]]:
    found: dict[str, set[str]] = {}
    for row in table(folder, "clusters.csv"):
        found.setdefault(row["cluster_id"], set()).add(f"{row['source']}:{row['id']}")
    return {frozenset(members) for members in found.values()}


def test_two_extracts_are_linked_and_every_row_is_told_once(tmp_path: Path) -> None:
    crm = write(tmp_path / "crm.csv", [
        {"id": "1", "name": "广州华恒科技有限公司", "uscc": ONE, "phone": "020-12345678", "tier": "A"},
        {"id": "2", "name": "广州华恒科技有限公司佛山分公司", "uscc": THIRD, "phone": "", "tier": "B"},
        {"id": "3", "name": "南京永昌医药有限公司", "uscc": "", "phone": "13112345678", "tier": "C"},
    ])  # fmt: skip
    new = write(tmp_path / "new.csv", [
        {"phone": "", "name": "華恆科技（廣州）有限公司", "id": "1"},
        {"phone": "+86 131-1234-5678", "name": "永昌医药", "id": "2"},
    ])  # fmt: skip
    summary = tried(tmp_path, crm, new)
    assert clusters(tmp_path) == {frozenset({"crm:1", "new:1"}), frozenset({"crm:2"}), frozenset({"crm:3", "new:2"})}
    assert list(table(tmp_path, "clusters.csv")[0]) == ["cluster_id", "source", "id"]
    assert summary["rows"] == {"crm": 3, "new": 2}
    pairs = table(tmp_path, "pairs.csv")
    assert list(pairs[0]) == ["id_a", "id_b", "source_a", "source_b", "probability", "decision", "why"]
    assert {(row["id_a"], row["id_b"], row["decision"]) for row in pairs} == {("1", "1", "merge"), ("3", "2", "merge")}
    assert all(float(row["probability"]) > 0.95 and "name" in row["why"] for row in pairs)
    hierarchy = table(tmp_path, "hierarchy.csv")
    assert [(row["child_id"], row["parent_id"]) for row in hierarchy] == [("2", "1")]
    assert list(hierarchy[0]) == ["child_id", "parent_id", "evidence"]
    assert {row["tier"] for row in table(tmp_path, "records.csv")} == {"A", "B", "C", ""}


def test_one_code_on_twenty_unrelated_firms_merges_none_of_them(tmp_path: Path) -> None:
    rows = [{"id": n, "name": f"广州{name}有限公司", "uscc": ONE} for n, name in enumerate(UNRELATED)]
    summary = tried(tmp_path, write(tmp_path / "a.csv", rows))
    assert (summary["clusters"], summary["largest_cluster"]) == (20, 1)
    assert summary["signals"] == {"junk_code": 1}


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ("source", "source (given)"), ("Cluster_ID", "Cluster_ID (given)"), ("node", "node"), ("extract", "extract"),
        ("row_no", "row_no"), ("numbered_row", "numbered_row"), ("_extract", "_extract"), ("_given", "_given"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("files", [1, 2])
def test_a_carried_column_may_have_any_name(tmp_path: Path, column: str, told: str, files: int) -> None:
    given = [
        write(tmp_path / f"s{n}.csv", [{"id": str(n), "name": f"广州{UNRELATED[n]}有限公司", column: f"said{n}", "b": ""}])
        for n in range(files)
    ]
    tried(tmp_path, *given)
    records = sorted(table(tmp_path, "records.csv"), key=lambda row: row["id"])
    assert [(row["source"], row["id"], row[told]) for row in records] == [(f"s{n}", str(n), f"said{n}") for n in range(files)]
    assert list(records[0]) == ["cluster_id", "source", "id", "name", told, "b"]


def test_a_carried_column_gives_way_to_one_that_has_the_name_it_would_be_told_by(tmp_path: Path) -> None:
    tried(tmp_path, write(tmp_path / "a.csv", [{"id": "1", "name": "华恒", "source": "s", "source (given)": "g"}]))
    row = table(tmp_path, "records.csv")[0]
    assert (row["source"], row["source (given)"], row["source (given) (given)"]) == ("a", "g", "s")


@pytest.mark.parametrize("files", [20, 2])
@pytest.mark.parametrize("firms", [20, 2])
def test_one_code_on_unrelated_firms_of_several_extracts_merges_none_of_them(tmp_path: Path, files: int, firms: int) -> None:
    rows = [
        {
            "id": n,
            "name": f"广州{name}有限公司",
            "uscc": ONE,
            "phone": f"131{n:08}",
            "address": f"广州市{chr(0x5929 + n)}河路{n + 1}号",
        }
        for n, name in enumerate(UNRELATED[:firms])
    ]
    given = [write(tmp_path / f"s{n}.csv", rows[n::files]) for n in range(min(files, firms))]
    summary = tried(tmp_path, *given)
    assert (summary["clusters"], summary["largest_cluster"], summary["pairs_merged"]) == (firms, 1, 0)
    assert summary["signals"] == {"junk_code" if firms == 20 else "contested_code": 1}


@pytest.mark.parametrize("kept", [{"phone": "13100000001"}, {"address": "广州市天河路1号"}])
def test_a_firm_renamed_between_two_extracts_is_one(tmp_path: Path, kept: dict[str, str]) -> None:
    facts = {"phone": "13200000002", "address": "广州市中山路2号"}
    old = write(tmp_path / "old.csv", [{"id": "1", "name": "广州华恒科技有限公司", "uscc": ONE, **facts, **kept}])
    new = write(tmp_path / "new.csv", [{"id": "1", "name": "广州永昌医药有限公司", "uscc": ONE, **facts, "phone": "", **kept}])
    tried(tmp_path, old, new)
    assert clusters(tmp_path) == {frozenset({"old:1", "new:1"})}


def test_a_hundred_thousand_rows_of_one_blank_name_are_no_cluster(tmp_path: Path) -> None:
    rows = [{"id": str(n), "name": "  ", "uscc": "", "address": ""} for n in range(100_000)]
    rows += [{"id": "x", "name": "广州华恒科技有限公司"}, {"id": "y", "name": "华恒科技（广州）有限公司"}]
    summary = tried(tmp_path, write(tmp_path / "a.csv", rows))
    assert (summary["clusters"], summary["largest_cluster"], summary["pairs_merged"]) == (100_001, 2, 1)
    assert any("100000 rows have no usable name" in warning for warning in summary["warnings"])


@pytest.mark.parametrize("name", ["测试客户", "个人", "广州华恒科技有限公司"])
def test_very_many_rows_of_one_name_and_nothing_more_are_not_merged(tmp_path: Path, name: str) -> None:
    summary = tried(tmp_path, write(tmp_path / "a.csv", [{"id": str(n), "name": name} for n in range(5_000)]))
    assert (summary["largest_cluster"], summary["signals"]) == (1, {"too_many_alike": 1})


def test_a_workbook_whose_codes_excel_rounded_says_so_and_links_what_it_can(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet
    sheet.append(["id", "name", "uscc"])
    sheet.append([1, "广州华恒科技有限公司", 913200001347576158])
    sheet.append([2, "广州华恒科技有限公司", 9.13200001347576e17])
    sheet.append([3, "南京永昌医药有限公司", "9.1E+17"])
    book.save(tmp_path / "a.xlsx")
    summary = tried(tmp_path, tmp_path / "a.xlsx")
    assert clusters(tmp_path) == {frozenset({"a:1", "a:2"}), frozenset({"a:3"})}
    assert any("rounded by a spreadsheet" in warning for warning in summary["warnings"])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_encodings_widths_and_scripts(tmp_path: Path, encoding: str) -> None:
    wide = "".join(chr(ord(c) + 0xFEE0) for c in ONE)
    file = write(tmp_path / "a.csv", [
        {"ID": "1", "名称": "无关", "NAME": "广州华恒科技有限公司", "USCC": wide},
        {"ID": "2", "名称": "", "NAME": "完全不同的改名贸易公司", "USCC": ONE.lower()},
        {"ID": "3", "名称": "", "NAME": "廣州市華恒科技有限責任公司", "USCC": ""},
    ], encoding=encoding)  # fmt: skip
    tried(tmp_path, file)
    assert clusters(tmp_path) == {frozenset({"a:1", "a:2", "a:3"})}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("name,uscc\n华恒,1\n", "no column id"),
        ("key,uscc\n1,2\n", "no column id and no column name"),
        ("id,name\n", "no rows"),
        ("", "empty"),
        ("id,name,name\n1,a,b\n", "more than once"),
        ('id,name\n1,"华恒\n2,永昌\n', "begins on line 2, a quote is not closed"),
    ],
)
def test_an_extract_that_cannot_be_tried_ends_with_a_clear_message(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "a.csv"
    file.write_text(content, encoding="utf-8")
    result = CliRunner().invoke(app, ["identity", "try", str(file), "--out", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert said in result.output
    assert "Traceback" not in result.output


def test_score_measures_a_world_by_trap() -> None:
    result = CliRunner().invoke(app, ["identity", "score", "--customers", "300", "--seed", "3", "--dirt", "3", "--json"])
    assert result.exit_code == 0, result.output
    rows = {row["trap"]: row for row in json.loads(result.stdout)}
    assert {"all", "none", "branch", "renamed"} <= set(rows)
    assert rows["all"]["found"] == sum(row["found"] for trap, row in rows.items() if trap != "all")
    assert rows["all"]["precision"] > 0.99
    assert rows["all"]["recall"] > 0.9


def test_training_is_reproducible_and_leaves_what_is_held(tmp_path: Path) -> None:
    words = ["identity", "train", "--version", "t", "--customers", "300", "--json", "--out"]
    told = [CliRunner().invoke(app, [*words, str(tmp_path / name)]) for name in ("one", "other")]
    assert [result.exit_code for result in told] == [0, 0], told[0].output
    files = sorted(file.name for file in (tmp_path / "one").iterdir())
    assert files == ["frequencies-t.csv", "settings.json", "splink-t.json"]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
    levels = json.loads(told[0].stdout)
    assert all(level["weight"] == level["before"] for level in levels if level["held"])
    assert any(level["weight"] != level["before"] for level in levels)
