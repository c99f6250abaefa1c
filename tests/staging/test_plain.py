"""What is typed at a glance is typed as the query types it, whatever lies in a field."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.staging import extract, lines, stage, staged
from adapters.staging import plain as plain_module
from adapters.staging.lines import line_jobs
from schemas.batch import Layout
from schemas.codes import CODE_TABLES
from schemas.contract import Column, Contract, Type
from schemas.contracts import contract_of
from tests.landed import landed

pc: Any = pyarrow.compute
ORDER = contract_of("orders.product_order")
WORK = contract_of("orders.work_order")
EXTRACTS = (ORDER, WORK)
FILES = (contract_of("billing.bill"), contract_of("billing.bill_item"))

PLAIN: Mapping[Type, Sequence[str]] = {
    Type.TEXT: ("PO0001", "广东省第一实业有限公司", "メール", "倀", "N/A和", "a b", 'a"b', "a,b", "a\nb"),
    Type.INTEGER: ("0", "7", "-5", "9223372036854775807", "-9223372036854775808"),
    Type.FEN: ("0", "500000", "-1"),
    Type.DATE: ("20260131", "2026-01-31", "99991231", "19000101", "0005-03-04"),
    Type.TIMESTAMP: (
        "2026-01-31 12:00:00", "2026-01-31 12:00:00.5", "2026-01-31 12:00:00.120", "2026-01-31 12:00:00.123456",
        "1992-01-01 00:00:00", "9999-12-31 23:59:59",
    ),
}  # fmt: skip
ODD: Mapping[Type, Sequence[str]] = {
    Type.TEXT: (" a", "a ", "　a", "a　", "N/A", " ", "　", " N/A", "\ufeffa"),
    Type.CODE: ("IPL ", "ipl", "nobody knows", "N/A", " ", "0"),
    Type.INTEGER: ("+5", "007", "-0", "0x1F", "1e3", "1.0", "9223372036854775808", " 5", "5 ", "٣", "-", "N/A", "1_000"),
    Type.FEN: ("+5", "007", "-0", "0x1F", "1,000", "5 ", "N/A"),
    Type.DATE: (
        "20260230", "2026-02-30", "00000101", "0000-01-01", "00010101", "0001-01-01", "29991231", "2999-12-31", "2026-1-31",
        "2026013", "202601311", "20260131 ", " 0260131", "2026W051", "2026-W05-1", "2026-0131", "２０２６0131", "N/A", "+2026131",
    ),
    Type.TIMESTAMP: (
        "1991-12-31 23:59:59", "1900-01-01 00:00:00", "1986-05-04 02:30:00", "0001-01-01 00:00:00", "0000-01-01 00:00:00",
        "2026-01-31", "2026-01-31 12", "2026-01-31 12:00", "2026-01-31T12:00:00", "2026-01-31T12:00:00.25", "20260131120000",
        "2026-01-31 12:00:00Z", "2026-01-31 12:00:00+08", "2026-01-31 12:00+08", "2026-01-31T12:00:00+08:00",
        "2026-01-31 12:00:00.", "2026-01-31 12:00:00.1234567", "2026-01-31 12:00:00.1Z", "2026-02-30 00:00:00",
        "2026-01-31 24:00:00", "2026-01-31 23:59:60", "10000-01-01 00:00:00", "infinity", "2026-01-31  2:00:00",
        "2026-1-31 12:00:000", " 2026-01-31 12:00:00", "2026-01-31 12:00:00 ", "N/A", "2026/01/31 12:00:00",
    ),
}  # fmt: skip


def plain(column: Column) -> Sequence[str]:
    return [source for source in CODE_TABLES[str(column.codes)] if source] if column.type is Type.CODE else PLAIN[column.type]


def layout(contract: Contract) -> Layout:
    return Layout.DELIMITED if contract in FILES else Layout.CSV


def texts(column: Column) -> st.SearchStrategy[str]:
    """Mostly what a database writes, so that whole blocks of it come together."""
    usual = st.sampled_from(plain(column))
    nothing = usual if column.required else st.just("")
    odd = st.sampled_from(ODD[column.type]) | st.just("") | st.text(alphabet="0123456789-: .TZ+", min_size=17, max_size=27)
    return st.integers(0, 99).flatmap(lambda dice: odd if dice > 96 else nothing if dice > 85 else usual)


def records(contract: Contract) -> st.SearchStrategy[list[list[str]]]:
    return st.lists(st.tuples(*map(texts, contract.columns)).map(list), min_size=1, max_size=12)


def written(contract: Contract, rows: Sequence[Sequence[str]]) -> bytes:
    if layout(contract) is Layout.DELIMITED:
        return "".join("|".join(row) + "\n" for row in rows).encode("gb18030")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.source for column in contract.columns])
    writer.writerows(rows)
    return text.getvalue().encode()


def staged_rows(contract: Contract, content: bytes, root: Path) -> pa.Table:
    result = stage(contract, "20260201", layout(contract), landed(root / "landed", content), root / "rows")
    return pa.concat_tables(map(read_file, result.files)).sort_by("_row_no")


def read_file(path: Path) -> pa.Table:
    """Without what a file says of itself alone: which of its columns hold no NULL, or their values as places in a list."""
    read = values_of(pq.read_table(path))
    fields = [column.with_nullable(True) for column in read.schema]
    return pa.table(read.columns, schema=pa.schema(fields, read.schema.metadata))


def values_of(table: pa.Table) -> pa.Table:
    kinds = [column.type.value_type if pa.types.is_dictionary(column.type) else column.type for column in table.schema]
    fields = [column.with_type(kind) for column, kind in zip(table.schema, kinds, strict=True)]
    return table.cast(pa.schema(fields, table.schema.metadata))


def asked_rows(contract: Contract, content: bytes, root: Path) -> pa.Table:
    """By the query alone."""
    with pytest.MonkeyPatch.context() as without:
        for reader in (extract, lines):
            without.setattr(reader, "plain_rows", lambda _, texts: (None, np.zeros(texts.num_rows, np.bool_)))
        return staged_rows(contract, content, root)


def seen_blocks(contract: Contract, content: bytes, root: Path, block_bytes: int) -> list[pa.Table]:
    """What was typed of the blocks at a glance."""
    files = landed(root / "landed", content)
    with pytest.MonkeyPatch.context() as small:
        for reader in (extract, lines):
            small.setattr(reader, "BLOCK_BYTES", block_bytes)
        jobs = line_jobs(contract, files, fixed=False) if contract in FILES else extract.extract_jobs(contract, files)
        split = [job() for job in jobs]
    return [rows.typed for rows in split if rows.typed is not None]


def assert_alike(contract: Contract, content: bytes, root: Path, block_bytes: int) -> int:
    """How many rows were typed at a glance, all of them as the query types them, beside whatever the query had to type."""
    asked = asked_rows(contract, content, root)
    seen = seen_blocks(contract, content, root, block_bytes)
    for block in seen:
        same = asked.take(pc.subtract(block.column("_row_no"), 1)).select(block.column_names)
        assert values_of(block).equals(same)
    assert staged_rows(contract, content, root).equals(asked, check_metadata=True)
    return sum(block.num_rows for block in seen)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data(), contract=st.sampled_from([*EXTRACTS, *FILES]), block_bytes=st.sampled_from([1, 1000]))
def test_a_glance_says_what_the_query_says(data: st.DataObject, contract: Contract, block_bytes: int, tmp_path: Path) -> None:
    assert_alike(contract, written(contract, data.draw(records(contract))), tmp_path, block_bytes)


@pytest.mark.parametrize("contract", [*EXTRACTS, *FILES], ids=lambda contract: contract.feed)
def test_each_oddity_by_itself(contract: Contract, tmp_path: Path) -> None:
    usual = [plain(column)[0] for column in contract.columns]
    rows = [
        [*usual[:place], text, *usual[place + 1 :]]
        for place, column in enumerate(contract.columns)
        for text in ("", *ODD[column.type], *plain(column))
    ]
    content = written(contract, rows)
    one_by_one = assert_alike(contract, content, tmp_path, 1)
    assert 0 < one_by_one < len(rows)
    assert assert_alike(contract, content, tmp_path, 1 << 20) <= one_by_one


@pytest.mark.parametrize("contract", EXTRACTS, ids=lambda contract: contract.feed)
def test_what_a_database_writes_is_never_asked_about(contract: Contract, tmp_path: Path) -> None:
    longest = max(len(plain(column)) for column in contract.columns)
    rows = [[plain(column)[i % len(plain(column))] for column in contract.columns] for i in range(longest)]
    rows += [[plain(column)[0] if column.required else "" for column in contract.columns]]
    assert assert_alike(contract, written(contract, rows), tmp_path, 1 << 20) == len(rows)


@pytest.mark.parametrize("contract", [*EXTRACTS, *FILES], ids=lambda contract: contract.feed)
def test_a_row_that_cannot_be_cast_is_asked_about_alone(contract: Contract, tmp_path: Path) -> None:
    usual = [plain(column)[0] for column in contract.columns]
    for place, column in enumerate(contract.columns):
        if column.type in (Type.INTEGER, Type.FEN, Type.TIMESTAMP):
            bad = [[*usual[:place], text, *usual[place + 1 :]] for text in ODD[column.type]]
            rows = [usual, *bad, usual]
            assert 2 <= assert_alike(contract, written(contract, rows), tmp_path, 1 << 20) < len(rows)


def test_whatever_the_pattern_of_a_moment_matches_can_be_cast() -> None:
    days = [f"{year:04}-{month:02}-{day:02}" for year in (1, 1900, 2026) for month in range(14) for day in range(33)]
    texts = pa.array([f"{day} {time}" for day in days for time in ("00:00:00", "23:59:59", "24:00:00", "12:60:00", "12:00:60")])
    matched = texts.filter(pc.match_substring_regex(texts, plain_module._CASTABLE_MOMENT))
    assert len(matched) == 3 * 365 * 2
    assert pc.cast(matched, pa.timestamp("us")).null_count == 0


@pytest.mark.parametrize("contract", EXTRACTS, ids=lambda contract: contract.feed)
def test_a_block_that_says_only_what_it_must_is_written_the_same(contract: Contract, tmp_path: Path) -> None:
    """A code that no row of the block says has no value to list."""
    content = written(contract, [[plain(column)[0] if column.required else "" for column in contract.columns]] * 3)
    asked = asked_rows(contract, content, tmp_path)
    assert sum(block.num_rows for block in seen_blocks(contract, content, tmp_path, 1 << 20)) == 3
    assert staged_rows(contract, content, tmp_path).equals(asked, check_metadata=True)
    files = [str(file) for file in (tmp_path / "rows").glob("*.parquet")]
    blank = [column.name for column in contract.columns if not column.required]
    assert duckdb.read_parquet(files).select(*blank).distinct().fetchall() == [(None,) * len(blank)]


def test_blocks_of_both_kinds_are_staged_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = [plain(column)[0] for column in ORDER.columns]
    content = written(ORDER, [[f"PO{i}{' ' * (i % 5 == 3)}", *usual[1:]] for i in range(60)])
    asked = asked_rows(ORDER, content, tmp_path)
    monkeypatch.setattr(extract, "BLOCK_BYTES", 500)
    assert staged_rows(ORDER, content, tmp_path).equals(asked, check_metadata=True)
    assert 0 < sum(block.num_rows for block in seen_blocks(ORDER, content, tmp_path, 500)) < 60


@pytest.mark.parametrize("odd", [False, True], ids=["seen", "asked"])
@pytest.mark.parametrize("where", [(extract, "split_block"), (staged, "_write")], ids=["splitting", "writing"])
@pytest.mark.parametrize("nth", [1, 9])
def test_a_block_that_fails_fails_the_batch_with_its_own_error(
    where: tuple[object, str], nth: int, odd: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = [plain(column)[0] for column in ORDER.columns]
    content = written(ORDER, [[f"PO{i}{' ' * odd}", *usual[1:]] for i in range(60)])
    monkeypatch.setattr(extract, "BLOCK_BYTES", 500)
    real, calls = getattr(*where), itertools.count(1)

    def failing(*args: object) -> object:
        if next(calls) == nth:
            raise OSError("no space left")
        return real(*args)

    monkeypatch.setattr(*where, failing)
    with pytest.raises(OSError, match="no space left"):
        staged_rows(ORDER, content, tmp_path)
