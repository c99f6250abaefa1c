"""Matching two extracts by hand: every mode, every kind of cell and file, and nothing lost."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import HubError, NotFound
from reconcile.matching import pairing
from reconcile.matching.answer import OUTCOMES, Summary
from reconcile.matching.question import Columns, Mode, Question, key_columns, mode_of, one_column, tolerance_of
from reconcile.matching.trial import answer_question

HEADING = ("id", "acct", "amount", "date", "who")
Cells = Sequence[object]
FILES = ("matched", "differing", "suggested", "left_only", "right_only")


def write(path: Path, rows: Iterable[Cells], encoding: str = "utf-8") -> Path:
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows([HEADING, *rows])
    return path


def lists(out: Path) -> dict[str, list[dict[str, str]]]:
    found = {}
    for name in FILES:
        with (out / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            found[name] = list(csv.DictReader(file))
    return found


def pairs(rows: Iterable[Mapping[str, str]]) -> set[tuple[str, str]]:
    return {(row["left_id"], row["right_id"]) for row in rows}


class Try:
    """`ask(left, right, …)` answers a question about two lists of rows (`HEADING`)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ask(self, left: Iterable[Cells], right: Iterable[Cells], **asked: object) -> dict[str, list[dict[str, str]]]:
        return self.of_files(write(self.folder / "l.csv", left), write(self.folder / "r.csv", right), **asked)

    def of_files(self, left: Path, right: Path, **asked: object) -> dict[str, list[dict[str, str]]]:
        self.summary = answer_question(question(left, right, **asked), self.folder / "out")
        return lists(self.folder / "out")


def question(left: Path, right: Path, **asked: object) -> Question:
    keys = key_columns([str(asked["key"])]) if "key" in asked else ()
    return Question(
        left,
        right,
        one_column("--id", [str(asked.get("id", "id"))]) or Columns("id", "id"),
        keys,
        one_column("--amount", [str(asked.get("amount", "amount"))]),
        one_column("--date", [str(asked.get("date", "date"))]),
        one_column("--text", [str(asked["text"])] if "text" in asked else []),
        tolerance_of([str(asked.get("tolerance", ""))]),
        mode_of(str(asked["mode"]) if "mode" in asked else None, keyed=bool(keys)),
    )


@pytest.fixture
def trial(tmp_path: Path) -> Try:
    return Try(tmp_path)


def test_exact_pairs_by_key_and_tells_what_differs(trial: Try) -> None:
    found = trial.ask(
        [("L1", "A", "5,000.00", "2026-03-01", ""), ("L2", "B", "1", "2026-03-01", ""), ("L3", "C", "1", "2026-03-01", ""),
         ("L4", "", "1", "2026-03-01", "")],
        [("R1", "A", "5000", "20260301", ""), ("R2", "B", "2", "2026/3/1", ""), ("R3", "D", "1", "2026-03-01", "")],
        key="acct",
    )  # fmt: skip
    assert pairs(found["matched"]) == {("L1", "R1")}
    [differs] = found["differing"]
    assert (differs["left_id"], differs["right_id"], differs["difference"], differs["reason"]) == ("L2", "R2", "-1.00", "amount")
    assert {(row["left_id"], row["reason"]) for row in found["left_only"]} == {
        ("L3", "nothing matches it"), ("L4", "its key is empty"),
    }  # fmt: skip
    assert [row["right_id"] for row in found["right_only"]] == ["R3"]


def test_one_to_one_takes_the_nearest_and_leaves_ties_to_a_person(trial: Try) -> None:
    found = trial.ask(
        [("L1", "", "100.00", "2026-03-01", ""), ("L2", "", "50", "2026-03-05", ""), ("L3", "", "50", "2026-03-05", ""),
         ("L4", "", "9", "2026-03-05", "")],
        [("R1", "", "100.01", "2026-03-01", ""), ("R2", "", "100.04", "2026-03-04", ""), ("R3", "", "50", "2026-03-05", ""),
         ("R4", "", "50", "2026-03-05", ""), ("R5", "", "9", "2026-03-09", "")],
        tolerance="0.05,3d",
    )  # fmt: skip
    assert pairs(found["matched"]) == {("L1", "R1")}
    assert pairs(found["suggested"]) == {(left, right) for left in ("L2", "L3") for right in ("R3", "R4")}
    assert {row["left_id"] for row in found["left_only"]} == {"L4"}


def test_a_text_that_helps_is_never_required(trial: Try) -> None:
    left = [("L1", "", "50", "2026-03-05", "华恒科技有限公司"), ("L2", "", "50", "2026-03-05", "信达贸易公司"),
            ("INV-77", "", "50", "2026-03-05", "东方集团"), ("L4", "", "60", "2026-03-05", "南海实业")]  # fmt: skip
    right = [("R1", "", "50", "2026-03-05", "信达贸易 话费"), ("R2", "", "50", "2026-03-05", "付 华恒科技"),
             ("R3", "", "50", "2026-03-05", "invoice inv77"), ("R4", "", "60", "2026-03-05", "")]  # fmt: skip
    assert pairs(trial.ask(left, right, text="who")["matched"]) == {("L1", "R2"), ("L2", "R1"), ("INV-77", "R3"), ("L4", "R4")}


def test_grouped_finds_one_for_several_and_several_for_several(trial: Try) -> None:
    # fmt: off
    left = [("P1", "A", "300", "2026-03-05", ""), ("P2", "B", "40", "2026-03-05", ""), ("P3", "B", "60", "2026-03-06", ""),
            ("P4", "C", "70", "2026-03-05", ""), ("P5", "C", "50", "2026-03-05", ""), ("P6", "D", "30", "2026-03-05", ""),
            ("P7", "E", "3", "2026-03-05", "")]
    right = [("B1", "A", "100", "2026-03-05", ""), ("B2", "A", "200", "2026-03-05", ""), ("B3", "B", "100", "2026-03-05", ""),
             ("B4", "C", "80", "2026-03-05", ""), ("B5", "C", "40", "2026-03-05", ""), ("B6", "D", "100", "2026-03-05", ""),
             ("B7", "E", "1", "2026-03-05", ""), ("B8", "E", "2", "2026-03-05", ""), ("B9", "E", "1", "2026-03-05", "")]
    # fmt: on
    found = trial.ask(left, right, key="acct", mode="grouped", tolerance="2d")
    kinds = {(row["left_id"], row["right_id"]): row["kind"] for row in found["matched"]}
    assert kinds == {
        ("P1", "B1"): "1:N", ("P1", "B2"): "1:N", ("P2", "B3"): "N:1", ("P3", "B3"): "N:1", ("P4", "B4"): "N:N",
        ("P5", "B5"): "N:N",
    }  # fmt: skip
    [part] = found["differing"]
    assert (part["left_id"], part["right_id"], part["difference"]) == ("P6", "B6", "-70.00")
    assert {row["left_id"] for row in found["suggested"]} == {"P7"}


def test_a_sum_that_chance_gives_too_is_no_answer_without_a_key(trial: Try) -> None:
    crowd = [(f"B{i}", "", str(i), "2026-03-05", "") for i in range(1, 13)]
    found = trial.ask([("P1", "", "30.00", "2026-03-05", "")], crowd, mode="grouped")
    assert (found["matched"], {row["left_id"] for row in found["suggested"]}) == ([], {"P1"})
    found = trial.ask([("P1", "", "3", "2026-03-05", "")], crowd[:2], mode="grouped")
    assert pairs(found["matched"]) == {("P1", "B1"), ("P1", "B2")}


def made_world(rows: int = 3000, seed: int = 5) -> tuple[list[Cells], list[Cells], set[tuple[str, str]]]:
    """Bills and payments: two in five of a few amounts, up to three days between, five fen at most, some missing."""
    dice = random.Random(seed)
    left: list[Cells] = []
    right: list[Cells] = []
    truth = set()
    prices = [Decimal(dice.randrange(2000, 500000)) / 100 for _ in range(150)]
    for number in range(rows):
        amount = dice.choice(prices) if dice.random() < 0.4 else Decimal(dice.randrange(1000, 900000)) / 100
        billed = date(2026, 1, 1) + timedelta(dice.randrange(90))
        paid, off = billed + timedelta(dice.randrange(4)), Decimal(dice.randrange(-5, 6)) / 100
        bill, payment = (
            (f"B{number:05d}", "", amount, billed, ""),
            (f"P{dice.randrange(10**8):08d}{number}", "", amount + off, paid, ""),
        )
        fate = dice.random()
        if fate > 0.03:
            left.append(bill)
        if fate < 0.97:
            right.append(payment)
        if 0.03 < fate < 0.97:
            truth.add((str(bill[0]), str(payment[0])))
    dice.shuffle(left)
    dice.shuffle(right)
    return left, right, truth


def test_tolerant_matching_is_right_where_it_is_sure_and_finds_most(trial: Try) -> None:
    left, right, truth = made_world()
    found = trial.ask(left, right, tolerance="0.05,3d")
    matched = pairs(found["matched"])
    assert len(matched & truth) / len(matched) > 0.985
    assert len(matched & truth) / len(truth) > 0.9
    assert len((matched | pairs(found["suggested"])) & truth) / len(truth) > 0.985


def test_with_too_many_candidates_texts_choose_and_are_still_not_required(trial: Try, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairing, "MOST_PAIRS", 500)
    days = [date(2026, 1, 1) + timedelta(days=i % 5) for i in range(200)]
    same = [(f"L{i}", "", "100.00", day, f"firm {i:04d}") for i, day in enumerate(days)]
    left = same + [(f"M{i}", "", f"{1000 + 10 * i}.00", days[i], "") for i in range(50)]
    right = [(f"R{row[0]}", "", "100.00", row[3], f"paid by {row[4]}") for row in same]
    right += [(f"R{row[0]}", *row[1:]) for row in left[200:]]
    found = trial.ask(left, right, tolerance="2d", text="who")
    assert pairs(found["matched"]) == {(str(row[0]), f"R{row[0]}") for row in left}


def test_shuffled_extracts_give_the_same_lists(trial: Try, tmp_path: Path) -> None:
    left, right, _ = made_world(600)
    for mode in ("one-to-one", "grouped"):
        trial.ask(left, right, tolerance="0.05,3d", mode=mode)
        first = {name: (tmp_path / "out" / f"{name}.csv").read_text() for name in ("matched", "suggested", "differing")}
        trial.ask(sorted(left, key=str), sorted(right, key=str), tolerance="0.05,3d", mode=mode)
        assert {name: (tmp_path / "out" / f"{name}.csv").read_text() for name in first} == first


def test_more_alike_rows_than_there_are_partners_for_are_shown_the_same_in_any_order(trial: Try) -> None:
    dice = random.Random(7)
    days = [date(2026, 1, 1) + timedelta(dice.randrange(60)) for _ in range(3000)]
    left = [(f"L{i:04d}", "", dice.choice([99, 199, 500]), day, "") for i, day in enumerate(days)]
    right = [(f"R{i:04d}", "", row[2] + dice.randrange(-5, 6) / Decimal(100), row[3], "") for i, row in enumerate(left) if i % 3]
    first = trial.ask(left, right, tolerance="0.05,3d")["suggested"]
    assert len(first) > len(left)
    assert trial.ask(left[::-1], right, tolerance="0.05,3d")["suggested"] == first


def test_a_row_is_consumed_once(trial: Try) -> None:
    left, right, _ = made_world(800, seed=9)
    found = trial.ask(left, right, tolerance="1.00,5d")
    for side in ("left_id", "right_id"):
        used = [row[side] for row in found["matched"]]
        assert len(used) == len(set(used))
        assert not {row[side] for row in found["suggested"]} & set(used)


GB = [("L1", "甲", "１，２００．５０元", "2026年3月5日", "华恒")]
SAME = [("R1", "甲", "1200.5", "2026-03-05 08:30:00", "")]


def test_extracts_are_read_in_gb18030_utf16_workbooks_and_parquet(trial: Try, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in [HEADING, ("R1", "甲", 1200.5, date(2026, 3, 5), None)]:
        book.active.append(row)  # type: ignore[union-attr]
    book.save(tmp_path / "r.xlsx")
    table = {"id": ["R1"], "acct": ["甲"], "amount": [Decimal("1200.50")], "date": [date(2026, 3, 5)], "who": [None]}
    pq.write_table(pa.table(table), tmp_path / "r.parquet")
    pq.write_table(pa.table({**table, "amount": [1200.5]}), tmp_path / "binary.parquet")
    write(tmp_path / "r.csv", SAME)
    write(tmp_path / "wide.csv", SAME, "utf-16")
    left = write(tmp_path / "l.csv", GB, "gb18030")
    for name in ("r.csv", "wide.csv", "r.xlsx", "r.parquet", "binary.parquet"):
        assert pairs(trial.of_files(left, tmp_path / name, key="acct")["matched"]) == {("L1", "R1")}, name


def test_a_workbooks_durations_and_huge_numbers_are_carried(trial: Try, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in [HEADING, ("L1", "K", 5, date(2026, 3, 5), timedelta(hours=30)), ("L2", 1e25, 5, date(2026, 3, 5), True)]:
        book.active.append(row)  # type: ignore[union-attr]
    book.save(tmp_path / "l.xlsx")
    found = trial.of_files(tmp_path / "l.xlsx", write(tmp_path / "r.csv", SAME), key="acct")
    assert {row["left_id"] for row in found["left_only"]} == {"L1", "L2"}


@pytest.mark.parametrize(
    ("cell", "amount"),
    [("5,000.00", "5000.00"), ("-12", "-12.00"), ("12-", "-12.00"), ("(12)", "-12.00"), ("（１２．５０）", "-12.50"),
     ("¥3.10", "3.10"), ("￥-3.10", "-3.10"), ("1.2E+05", "120000.00"), ("人民币 5,000 元", "5000.00"), ("0.000001", "0.000001"),
     ("5,00", None), ("1.2.3", None), ("12.3456789", None), ("abc", None), ("--5", None), ("(5", None), ("N/A", None)],
)  # fmt: skip
def test_money_is_read_exactly_or_not_at_all(trial: Try, cell: str, amount: str | None) -> None:
    found = trial.ask([("L1", "K", cell, "2026-03-05", "")], [("R1", "K", "7.77", "2026-03-05", "")], key="acct")
    [line] = found["differing"]
    assert line["left_amount"] == (amount or "")
    assert ("no_amount" in line["reason"]) == (amount is None)


@pytest.mark.parametrize(
    ("cell", "day"),
    [("2026-03-05", "2026-03-05"), ("2026/3/5", "2026-03-05"), ("2026.03.05", "2026-03-05"), ("20260305", "2026-03-05"),
     ("20260305143000", "2026-03-05"), ("2026年3月5日", "2026-03-05"), ("2026-03-05T23:30:00Z", "2026-03-06"),
     ("25/03/2026", "2026-03-25"), ("03/25/2026", "2026-03-25"), ("2026-02-30", ""), ("00010101", ""), ("soon", "")],
)  # fmt: skip
def test_dates_are_read_in_the_forms_systems_write(trial: Try, cell: str, day: str) -> None:
    found = trial.ask([("L1", "K", "1", cell, "")], [("R1", "K", "2", "2026-01-01", "")], key="acct")
    assert [row["left_date"] for row in found["differing"]] == [day]


def test_every_row_is_accounted_for_once_however_dirty(trial: Try) -> None:
    dirty = [
        ("", "A", "1", "2026-03-05", ""),
        ("X", "A", "1", "2026-03-05", ""),
        ("X", "A", "1", "x", ""),
        ("Y", "", "q", "", ""),
    ]
    trial.ask(dirty, dirty, key="acct")
    for shares in (trial.summary.left, trial.summary.right):
        assert shares["read"].rows == 4 == sum(shares[outcome].rows for outcome in OUTCOMES)
    assert "left: 1 rows without an id, called by their number" in trial.summary.notes
    assert "left: 1 rows that repeat an id" in trial.summary.notes


def test_an_empty_amount_or_date_is_told_the_same_everywhere(trial: Try) -> None:
    """The summary, its notes and the list of what is left say one thing of a row: it has no amount that can be read."""
    found = trial.ask([("L1", "K", "", "2026-03-05", ""), ("L2", "K", "x", "2026-03-05", ""), ("L3", "K", "1", "", "")], SAME)
    assert [row["reason"] for row in found["left_only"]] == [
        "its amount cannot be read", "its amount cannot be read", "its date cannot be read"
    ]  # fmt: skip
    assert (trial.summary.left["read"].unreadable, trial.summary.left["only"].unreadable) == (2, 2)
    assert {"left: 2 rows whose amount cannot be read", "left: 1 rows whose date cannot be read"} <= set(trial.summary.notes)


ROWS = st.lists(
    st.tuples(st.sampled_from(["A", "B", ""]), st.decimals("-50", "50", places=2), st.integers(0, 4)), max_size=12
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(left=ROWS, right=ROWS, mode=st.sampled_from(list(Mode)), keyed=st.booleans())
def test_money_is_conserved(
    left: list[Cells], right: list[Cells], mode: Mode, keyed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The summary's money is the extracts' money, to the last digit, whatever is matched to what."""
    trial = Try(tmp_path_factory.mktemp("conserved"))
    sides = [[(f"{side}{n}", key, amount, date(2026, 3, 1 + day), "") for n, (key, amount, day) in enumerate(rows)]
             for side, rows in (("L", left), ("R", right))]  # fmt: skip
    asked: dict[str, object] = {"mode": mode, "tolerance": "" if mode is Mode.EXACT and not keyed else "0.50,1d"}
    found = trial.ask(sides[0], sides[1], **asked, **({"key": "acct"} if keyed else {}))
    checked(trial.summary, sides, found)


def checked(summary: Summary, sides: Sequence[Sequence[Cells]], found: Mapping[str, list[dict[str, str]]]) -> None:
    for name, rows in zip(("left", "right"), sides, strict=True):
        shares = getattr(summary, name)
        money = {str(row[0]): Decimal(str(row[2])) for row in rows}
        told = {
            outcome: {row[f"{name}_id"] for row in found[f"{name}_only" if outcome == "only" else outcome]}
            for outcome in OUTCOMES
        }
        assert sorted(one for ids in told.values() for one in ids) == sorted(money)
        assert {outcome: sum(map(money.__getitem__, ids), Decimal()) for outcome, ids in told.items()} == {
            outcome: shares[outcome].amount for outcome in OUTCOMES
        }


@pytest.mark.parametrize(
    ("asked", "said"),
    [({"key": "account"}, "l.csv has no column 'account'; it has: id, acct, amount, date, who"),
     ({"tolerance": "much"}, "no tolerance 'much'; allowed: an amount (0.05), a share of the larger amount (0.5%), days (3d)"),
     ({"tolerance": "0.02,5"}, "two amounts as a tolerance, 0.02 and 5; allowed: an amount (0.05)"),
     ({"mode": "fuzzy"}, "no mode 'fuzzy'; allowed: exact, one-to-one, grouped"),
     ({"tolerance": "99.95%"}, "allowed: at most 90%"),
     ({"mode": "exact", "tolerance": "1"}, "mode exact without --key takes no tolerance"),
     ({"key": "=x"}, "names one side only")],
)  # fmt: skip
def test_what_cannot_be_asked_is_answered_with_what_can(trial: Try, asked: dict[str, object], said: str) -> None:
    row = [("L1", "A", "1", "2026-03-05", "")]
    with pytest.raises(HubError) as raised:
        trial.ask(row, row, **asked)
    assert said in raised.value.message


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [("l.csv", b"", "is empty"),
     ("l.csv", b"id,acct,amount,date,who\n1,2,3\n", "1 of its lines hold another number: line 2 has 3"),
     ("l.csv", b"id,id\n1,2\n", "names a column more than once"), ("l.doc", b"x", "allowed: .csv"),
     ("l.xlsx", b"x", "cannot be read as a workbook"), ("l.parquet", b"x", "cannot be read as Parquet"),
     ("l.csv", b"id,acct,amount,date,who\n1,\xff\xff,3,4,5\n", "not UTF-8 nor GB18030"),
     ("l.csv", b"\xff\xfei\x00d\x00,\x00\x00\xd8", "not UTF-16, as it begins"),
     ("l.csv", b'id,"ac\nct",amount,date,who\n1,2,3,4,5\n', "the heading must be the first line"),
     ("l.csv", b"id,acct,amount,date,who\n1,A,3,03/04/2026,5\n", "write them 2026-03-05"),
     ("l.csv", b'id,acct,amount,date,who\n1,A,3,,5\n2,A,3,,"5\n3,A,3,,5\n', "begins on line 3, a quote is not closed"),
     ("l.csv", b'id,acct,amount,date,who\n1,A,3,,"5\n2,A,3,,5\n3,A,3,,"5"\n', "begins on line 2, a quote is not closed")],
)  # fmt: skip
def test_an_extract_that_cannot_be_read_says_why(trial: Try, tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    right = write(tmp_path / "r.csv", SAME)
    with pytest.raises(HubError) as raised:
        trial.of_files(tmp_path / name, right, key="acct")
    assert said in raised.value.message


def test_a_cell_of_several_lines_and_a_quote_within_a_cell_are_kept(trial: Try, tmp_path: Path) -> None:
    heading = ",".join(HEADING)
    (tmp_path / "l.csv").write_text(f'{heading}\n1,A,3,,"in two\nlines, ""so"""\n2,A,3,,5" screen\n3,A,3,,last')
    found = trial.of_files(tmp_path / "l.csv", write(tmp_path / "r.csv", SAME), key="acct", text="who")
    texts = {row["left_id"]: row["text"] for row in found["left_only"]}
    assert texts == {"1": 'in two\nlines, "so"', "2": '5" screen', "3": "last"}


def test_a_file_that_is_not_there_is_named(trial: Try, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no file"):
        trial.of_files(tmp_path / "no.csv", write(tmp_path / "r.csv", SAME), key="acct")
