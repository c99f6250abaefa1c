"""`hub.quarantine`: the rows kept out, with their bytes as they came; written again it is the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adapters.staging import stage
from quality import judge, write_quarantine
from schemas.batch import Delivery, Kind, Layout
from schemas.contracts import contract_of
from store import ledger
from tests.landed import LandedFile, landed

pytestmark = pytest.mark.postgres
GOLDEN = Path(__file__).parents[1] / "golden"


def quarantined(engine: Engine, tmp_path: Path, feed_id: str, layout: Layout, files: list[LandedFile], **facts: object) -> int:
    """Lands, stages, judges and quarantines one batch; returns its id."""
    contract = contract_of(feed_id)
    period = "202602" if contract.period == "monthly" else "20260201"
    facts = {"kind": Kind.FULL, "resend": 0, "layout": layout, "objects": [file.object for file in files], **facts}
    delivery = Delivery.model_validate(facts)
    with engine.begin() as connection:
        batch_id = ledger.record_landed(connection, contract, "gd", period, delivery).batch_id
    staged = stage(contract, period, layout, files, tmp_path / "rows")
    for _ in range(2):  # a second run changes nothing
        verdict = judge(contract, period, staged, delivery, tmp_path / "gate")
        write_quarantine(engine, batch_id, contract, staged, verdict, files)
    return batch_id


def kept(engine: Engine, batch_id: int) -> list[tuple[object, ...]]:
    asked = "select row_no, outcome, reason, rule_id, object_no, byte_offset, byte_length, raw from hub.quarantine"
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(f"{asked} where batch_id = :id order by row_no"), {"id": batch_id})]


def test_a_files_rows_keep_their_very_bytes(store_engine: Engine, tmp_path: Path) -> None:
    content = (GOLDEN / "billing.bill_item" / "input.dat").read_bytes()
    files = landed(tmp_path / "landed", content, content)
    batch_id = quarantined(store_engine, tmp_path, "billing.bill_item", Layout.DELIMITED, files)
    found = kept(store_engine, batch_id)
    assert [row[0] for row in found] == [4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]
    assert found[0][1:4] == ("quarantined", "01003004", "record_whole")
    lines = content.split(b"\r\n")
    for row_no, *_, place, offset, length, raw in found:
        assert raw == lines[(int(str(row_no)) - 1) % 9]
        assert content[int(str(offset)) :][: int(str(length))] == raw
        assert place == (int(str(row_no)) - 1) // 9


def test_a_pages_rows_keep_their_record(store_engine: Engine, tmp_path: Path) -> None:
    files = [LandedFile(path) for path in sorted((GOLDEN / "crm.contract").glob("page*"))]
    batch_id = quarantined(store_engine, tmp_path, "crm.contract", Layout.JSON_PAGE, files)
    found = kept(store_engine, batch_id)
    assert [(row[0], row[5], row[6]) for row in found] == [(2, 1, None), (3, 2, None), (4, 3, None)]
    assert b'"contract_no":"X4"' in bytes(found[2][7])  # type: ignore[call-overload]


def test_a_refused_batch_leaves_no_quarantine(store_engine: Engine, tmp_path: Path) -> None:
    content = (GOLDEN / "billing.bill_item" / "input.dat").read_bytes()
    files = landed(tmp_path / "landed", content)
    batch_id = quarantined(store_engine, tmp_path, "billing.bill_item", Layout.DELIMITED, files, declared_rows=8)
    assert kept(store_engine, batch_id) == []
