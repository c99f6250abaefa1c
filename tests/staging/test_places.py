"""Every record is staged once, in delivery order, with the place of its bytes; a bad one spoils no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.staging import Staged, blocks, extract, lines, stage, staged
from adapters.staging.rows import text_schema
from adapters.staging.session import session, typing_session
from adapters.staging.typing_sql import typed_rows
from hub.errors import FixContract, RefuseDelivery
from schemas.batch import Layout
from schemas.contract import Contract
from schemas.contracts import CONTRACTS, contract_of
from tests.adapters.billing_drop import account_record
from tests.landed import LandedFile, landed

ACCOUNT = contract_of("billing.account")
ITEM = contract_of("billing.bill_item")
PAYMENT = contract_of("billing.payment")
ORDER = contract_of("orders.product_order")
CUSTOMER = contract_of("crm.customer")
JOB = contract_of("group.production_job")

LINE = "IT000001|BL1|A1|P1|1001|月租费|130|1|5|5|0|20260201|20260228".encode("gb18030")
BAR = LINE.replace("月租费".encode("gb18030"), b"\x95|\xd4|\x94|")  # characters whose second byte is 0x7C
SHORT = LINE.replace(b"|P1", b"")
BROKEN = LINE.replace(b"130", b"\xff\xfe")
BARE_CR = LINE.replace(b"130", b"1\r30")
NUL = LINE.replace(b"130", b"1\x0030")
BAR_AND_SHORT = BAR.replace(b"|P1", b"")  # as many 0x7C bytes as a good record has, or more


def rows(result: Staged, columns: str) -> list[tuple[object, ...]]:
    with session(1) as connection:
        files = [str(path) for path in result.files]
        return connection.execute(f"SELECT {columns} FROM read_parquet($files) ORDER BY _row_no", {"files": files}).fetchall()


def delimited(tmp_path: Path, *contents: bytes) -> tuple[Staged, list[LandedFile]]:
    files = landed(tmp_path / "landed", *contents)
    return stage(ITEM, "202602", Layout.DELIMITED, files, tmp_path / "rows"), files


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kinds=st.lists(st.sampled_from([LINE, BAR, SHORT, BROKEN, BARE_CR, NUL, BAR_AND_SHORT, b""]), min_size=1, max_size=40),
    block_bytes=st.integers(1, 300),
    ended=st.booleans(),
)
def test_each_record_has_its_bytes_and_its_fault(
    kinds: list[bytes], block_bytes: int, ended: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "BLOCK_BYTES", block_bytes)
    content = b"\r\n".join(kinds) + (b"\r\n" if ended or not kinds[-1] else b"")
    result, files = delimited(tmp_path, content, content)
    found = rows(result, "_row_no, _object, _offset, _length, _errors, item_name, _source")
    fault = {LINE: None, BAR: None, BROKEN: "encoding", NUL: "encoding"}
    assert [row[0] for row in found] == list(range(1, 2 * len(kinds) + 1))
    for kind, (_, place, offset, length, errors, name, source) in zip(kinds * 2, found, strict=True):
        assert files[int(str(place))].path.read_bytes()[int(str(offset)) :][: int(str(length))] == kind
        said = fault.get(kind, "shape")
        assert errors == (None if said is None else [f"004:{said}"])
        assert name == {LINE: "月租费", BAR: "晐詜攟"}.get(kind)
        assert source == (None if said is None else lines.lossy(kind))
    assert result.rows == len(found)
    assert result.bytes == 2 * len(content)


def test_a_record_that_begins_with_the_bytes_of_a_mark_keeps_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for layout in (lines, extract):
        monkeypatch.setattr(layout, "BLOCK_BYTES", 64)  # each record begins a block
    marked = LINE.replace(b"IT000001", blocks.MARK + b"\xc9")
    result, _ = delimited(tmp_path, b"\n".join([marked, LINE, marked]) + b"\n")
    assert [row[0] for row in rows(result, "item_no")] == ["锘可", "IT000001", "锘可"]
    header = ",".join(column.source for column in ORDER.columns)
    row = "\ufeffO1,K1,,,,,IPL,F,A,DONE,CM,2026-01-15 09:30:00,,1,2026-02-01 08:00:00"
    files = landed(tmp_path / "extract", "\n".join([header, row, row]).encode())
    result = stage(ORDER, "20260201", Layout.CSV, files, tmp_path / "rows")
    assert rows(result, "order_no") == [("\ufeffO1",)] * 2


@pytest.mark.parametrize(
    "text",
    ["a\u2028b", "a\x85b", "a\x0bb", "a\x1cb", "长" * 200_000],
    ids=["line separator", "next line", "vertical tab", "file separator", "long"],
)
def test_a_record_is_read_alike_beside_a_torn_one(text: str, tmp_path: Path) -> None:
    """Alone it is read by another reader, which calls other characters the end of a line, and knows a longest field."""
    header = ",".join(column.source for column in ORDER.columns)
    row = f"O1,K1,{text},,,,IPL,F,A,DONE,CM,2026-01-15 09:30:00,,1,2026-02-01 08:00:00"
    for name, lines_of in (("whole", [header, row, row]), ("torn", [header, row, "torn"])):
        files = landed(tmp_path / name, "\n".join(lines_of).encode())
        result = stage(ORDER, "20260201", Layout.CSV, files, tmp_path / "rows")
        assert rows(result, "customer_name, _errors")[0] == (text, None)


def test_a_bad_record_keeps_its_text_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    result, _ = delimited(tmp_path, SHORT + b"\r\n" + BROKEN)
    short, broken = (str(row[0]) for row in rows(result, "_source"))
    assert short == SHORT.decode("gb18030")
    assert "月租费|\ufffd" in broken


def test_an_empty_file_is_an_empty_batch_of_the_contracts_columns(tmp_path: Path) -> None:
    result, _ = delimited(tmp_path, b"")
    assert (result.rows, len(result.files)) == (0, 1)
    assert rows(result, "item_no, amount_fen, charged_to, _errors, _source, _record") == []


def test_every_unreadable_field_is_named_not_only_the_first(tmp_path: Path) -> None:
    bad = LINE.replace(b"BL1", b"").replace(b"|1001|", b"|77|").replace(b"20260228", b"20260230").replace(b"|5|5|", b"|5|5.5|")
    result, _ = delimited(tmp_path, bad)
    assert rows(result, "_errors") == [(["024:missing", "053:code", "104:type", "134:type"],)]


def test_blocks_are_written_in_order_whatever_thread_was_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "BLOCK_BYTES", 400)
    monkeypatch.setattr(staged, "WORKERS", 4)
    content = b"\r\n".join(LINE.replace(b"IT000001", f"IT{i:06d}".encode()) for i in range(200))
    result, _ = delimited(tmp_path, content)
    assert len(result.files) > 10
    assert rows(result, "item_no") == [(f"IT{i:06d}",) for i in range(200)]


def test_fixed_width_counts_bytes_and_finds_a_shifted_column(tmp_path: Path) -> None:
    fields = [b"P1", b"A1", b"", b"000000000000100", b"1", b"10", b"20260201100000", "王小明".encode("gb18030")]
    good = b"".join(field.ljust(int(column.width or 0)) for field, column in zip(fields, PAYMENT.columns, strict=True))
    shifted = good[:60] + b"1" + good[60:-1]  # a character lies across two columns, or a field is of its neighbour
    longer = good + b" "
    content = b"\r\n".join([good, shifted, longer, good[:-1], good]) + b"\n"
    result = stage(PAYMENT, "20260201", Layout.FIXED, landed(tmp_path / "landed", content), tmp_path / "rows")
    found = rows(result, "_errors, payer_name")
    assert [row[0] for row in found[2:4]] == [["004:shape"]] * 2
    assert found[0] == found[4] == (None, "王小明")
    assert found[1][0] is not None


def test_an_extracts_quoted_line_ends_are_part_of_the_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extract, "BLOCK_BYTES", 64)
    header = ",".join(column.source for column in ORDER.columns)
    row = 'O{0},K1,"一\r\n二 ""三"", 四",,,,IPL,F,A,DONE,CM,2026-01-15 09:30:00,,{0},2026-02-01 08:00:00'
    content = "\r\n".join([header, *(row.format(i) for i in range(20))]).encode()
    result = stage(ORDER, "20260201", Layout.CSV, landed(tmp_path / "landed", content, content), tmp_path / "rows")
    found = rows(result, "customer_name, price_fen, _errors, _object, _offset, _length")
    assert [row[:3] for row in found] == [('一\r\n二 "三", 四', i % 20, None) for i in range(40)]
    assert content[int(str(found[3][4])) :][: int(str(found[3][5]))].decode() == row.format(3)


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=lambda contract: contract.feed_id)
def test_typing_keeps_its_rows_in_their_order(contract: Contract) -> None:
    """By its plan: a projection keeps them; what joins or filters holds back the few, and lets the many overtake them."""
    with typing_session() as connection:
        connection.register("block", text_schema(contract).empty_table())
        ((_, plan),) = connection.execute(f"EXPLAIN (FORMAT json) {typed_rows(contract, 'block')}").fetchall()
    assert set(re.findall(r'"name": "(\w+)', plan)) == {"PROJECTION", "ARROW_SCAN"}


@pytest.mark.parametrize("place", [0, 1_000, 2_058])
def test_torn_records_beside_many_good_ones_keep_their_own_text(place: int, tmp_path: Path) -> None:
    records = [account_record(f"A{i}", i) for i in range(2_058)]
    records[place:place] = [b"TORN%03d\r\n" % i for i in range(100)]
    content = b"".join(records)
    result = stage(ACCOUNT, "20260201", Layout.FIXED, landed(tmp_path / "landed", content), tmp_path / "rows")
    found = rows(result, "_offset, _length, _source, _errors")
    assert len(found) == len(records)
    for offset, length, source, errors in found:
        record = content[int(str(offset)) :][: int(str(length))].decode("gb18030")
        assert source == (None if errors is None else record)
    assert sum(errors == ["004:shape"] for *_, errors in found) == 100


@pytest.mark.parametrize(
    ("clause", "said"), [("ORDER BY _row_no DESC", "another order"), ("LIMIT 2", "fewer rows"), ("LIMIT 0", "fewer rows")]
)
def test_rows_that_do_not_come_back_as_they_were_asked_about_stop_the_batch(
    clause: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staged, "typed_rows", lambda contract, relation: f"{typed_rows(contract, relation)} {clause}")
    with pytest.raises(RuntimeError, match=said):
        delimited(tmp_path, b"\r\n".join([SHORT] * 3))


@pytest.mark.parametrize("rest", [b"\n", b"\r\n", b"x", b"xy"])
def test_a_rest_of_a_byte_or_two_is_a_record(rest: bytes, tmp_path: Path) -> None:
    header = ",".join(column.source for column in ORDER.columns).encode() + b"\n"
    result = stage(ORDER, "20260201", Layout.CSV, landed(tmp_path / "extract", header + rest), tmp_path / "rows")
    assert rows(result, "_errors, _source") == [(["004:shape"], rest.decode().strip())]
    result, _ = delimited(tmp_path, rest)
    assert rows(result, "_errors, _source") == [(["004:shape"], rest.decode().strip())]


@pytest.mark.parametrize("change", [("uscc", "credit_code"), ("uscc", "uscc,new"), ("uscc,", "")])
def test_a_renamed_new_or_missing_column_of_an_extract_is_signalled(change: tuple[str, str], tmp_path: Path) -> None:
    header = ",".join(column.source for column in ORDER.columns).replace(*change)
    with pytest.raises(FixContract):
        stage(ORDER, "20260201", Layout.CSV, landed(tmp_path / "landed", header.encode() + b"\n"), tmp_path / "rows")


def test_a_field_nobody_declared_is_signalled(tmp_path: Path) -> None:
    page = b'{"data": [{"customer_id": "C1", "nickname": "x"}]}'
    with pytest.raises(FixContract, match="nickname"):
        stage(CUSTOMER, "20260201", Layout.JSON_PAGE, landed(tmp_path / "landed", page), tmp_path / "rows")


@pytest.mark.parametrize("page", [b"<html>busy</html>", b"[]", b'{"data": {}}', b'{"data": [{"a": ', b"\xff"])
def test_a_page_that_is_none_refuses_the_delivery(page: bytes, tmp_path: Path) -> None:
    for contract, layout in ((CUSTOMER, Layout.JSON_PAGE), (JOB, Layout.SOAP_PAGE)):
        with pytest.raises(RefuseDelivery, match="object-000"):
            stage(contract, "20260201", layout, landed(tmp_path / "landed", page), tmp_path / "rows")


def test_page_rows_count_on_across_pages_and_keep_their_records(tmp_path: Path) -> None:
    pages = [b'{"data": [{"customer_id": "C1", "status": "1"}, {"customer_id": "C2\\u0000"}]}', b'{"data": []}']
    pages.append(b'{"data": [{"customer_id": "C3"}], "next_cursor": null}')
    result = stage(CUSTOMER, "20260201", Layout.JSON_PAGE, landed(tmp_path / "landed", *pages), tmp_path / "rows")
    found = rows(result, "_row_no, _object, _offset, _length, _record, _errors[1]")
    assert found[0] == (1, 0, 0, None, '{"customer_id":"C1","status":"1"}', "184:missing")
    assert found[1][5] == "004:encoding"
    assert found[2][:5] == (3, 2, 0, None, '{"customer_id":"C3"}')


def test_a_soap_page_cannot_reach_files_or_grow(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("S3CRET")
    bomb = (
        f'<!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}">]><opDetail><recordInfo><fieldInfo><fieldEnName>jobNo</fieldEnName>'
    )
    inner = bomb + "<fieldContent>&amp;e;</fieldContent></fieldInfo></recordInfo></opDetail>"
    page = f"<Envelope><opDetail><![CDATA[{inner.replace('&amp;', '&')}]]></opDetail></Envelope>".encode()
    result = stage(JOB, "20260201", Layout.SOAP_PAGE, landed(tmp_path / "landed", page), tmp_path / "rows")
    assert "S3CRET" not in str(rows(result, "*"))
