"""One rule, three renderings: on generated batches SQL, Great Expectations and pydantic name the same rows; a mutant is found."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from quality import render_pydantic, render_sql
from quality.rules import Check
from schemas.codes import CODE_TABLES
from schemas.contract import Between, Column, Contract, Matches, Product, Severity, Type
from schemas.contracts import contract_of
from tests.quality.agreement import Sent, broken_three_ways

PERIODS = {"daily": "20260228", "monthly": "202602"}
BLANK = ["", " ", "　", "N/A", " N/A "]
NUMBERS = [
    "0",
    "-1",
    "+5",
    "007",
    "-000000000000100",
    "5,000",
    "1.5",
    "1e3",
    "0x1F",
    "1_000",
    "9" * 18,
    "9" * 19,
    "9" * 20,
    "１",
    "--1",
    "7 7",
]
AMOUNTS = [
    *NUMBERS,
    "5,000.00",
    "1,2345.00",
    "0.1",
    "0.005",
    "1.100",
    "-3.50",
    ".5",
    "92233720368547758.07",
    "92233720368547758.08",
]
DATES = [
    "20260201",
    "20260228",
    "20260301",
    "20260131",
    "20260230",
    "2026-02-14",
    "2026-2-14",
    "00010101",
    "29991231",
    "2026021 ",
    "00000101",
]
MOMENTS = [
    "00000101000000",
    *["20260201100000", "20260230100000", "00010101000000", "2026-02-01 10:00:00", "2026-02-01T10:00:00.123456+08:00"],
    *["2026-02-01T10:00:00Z", "2026-02-01 25:00:00", "2026-02-01", "昨天", "2026-02-01 09:59:59.9"],
]
FLAGS = ["true", "false", "t", "0", "maybe"]
KEYS = ["IT000001", "IT2", "it000003", "汉字汉字汉字", "A1", "B 2", "202602", "91440101MA59ABCD1X"]

# Rules no contract has together: a product, an open bound, a pattern over characters beyond ASCII.
ODD = contract_of("billing.bill_item").model_copy(
    update={
        "feed": "odd",
        "rules": (
            Product(name="amount_is_product", result="amount_fen", left="quantity", right="price_fen", severity=Severity.ROW),
            Between(name="tax_from_zero", column="tax_fen", low=0),
            Matches(name="name_has_no_latin", column="item_name", pattern=r"[^A-Za-z]*"),
        ),
    }
)
CONTRACTS = [
    contract_of(f) for f in ("billing.bill_item", "billing.account", "crm.contract", "orders.work_order", "group.production_job")
]


def _texts(column: Column) -> st.SearchStrategy[str]:
    match column.type:
        case Type.INTEGER | Type.FEN:
            pool = [*NUMBERS, "1", "2"]
        case Type.YUAN:
            pool = AMOUNTS
        case Type.DATE:
            pool = DATES
        case Type.TIMESTAMP:
            pool = MOMENTS
        case Type.BOOLEAN:
            pool = FLAGS
        case Type.CODE:
            pool = [*CODE_TABLES[str(column.codes)], "?"]
        case Type.TEXT:
            plain = st.text(st.characters(codec="gb18030", exclude_characters="|\r\n\0", exclude_categories=["Cs"]), max_size=8)
            return st.sampled_from([*KEYS, *BLANK]) | plain
    return st.sampled_from([*pool, *BLANK])


def _rows(contract: Contract) -> st.SearchStrategy[list[Sent]]:
    row = st.fixed_dictionaries({column.source: _texts(column) for column in contract.columns})
    return st.lists(row, min_size=1, max_size=12)


@pytest.mark.parametrize("contract", [*CONTRACTS, ODD], ids=lambda contract: contract.feed_id)
# Not shrunk: an example costs half a second, and the differing rows say enough.
@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.generate])
@given(data=st.data())
def test_three_renderings_name_the_same_rows(contract: Contract, data: st.DataObject) -> None:
    rows = data.draw(_rows(contract))
    with tempfile.TemporaryDirectory() as folder:
        by_sql, by_gx, by_pydantic = broken_three_ways(contract, PERIODS[contract.period], rows, Path(folder))
    apart = {
        number: (rows[number - 1], by_sql[number], by_pydantic[number], by_gx[number])
        for number in by_sql
        if not by_sql[number] == by_pydantic[number] == by_gx[number]
    }
    assert not apart


GOOD = {
    "item_no": "IT000001",
    "bill_no": "BL1",
    "account_no": "A1",
    "product_id": "P1",
    "item_code": "1001",
    "item_name": "月租",
    "service_no": "130",
    "quantity": "1",
    "price_fen": "5",
    "amount_fen": "5",
    "tax_fen": "0",
    "charged_from": "20260201",
    "charged_to": "20260228",
}
SIX = contract_of("billing.bill_item")


def test_a_good_row_breaks_nothing(tmp_path: Path) -> None:
    assert broken_three_ways(SIX, "202602", [GOOD], tmp_path) == ({1: set()}, {1: set()}, {1: set()})


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"item_no": ""}, "item_no_required"),
        ({"item_code": "9"}, "charge_item_codes"),
        ({"quantity": "x"}, "quantity_typed"),
        ({"quantity": "-1"}, "quantity_range"),
        ({"amount_fen": "10000000001"}, "amount_range"),
        ({"item_no": "i"}, "item_no_shape"),
        ({"charged_from": "20260131"}, "charged_from_in_month"),
        ({"charged_from": "20260210", "charged_to": "20260209"}, "charged_in_order"),
    ],
)
def test_a_mutated_rule_is_found(change: dict[str, str], rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A predicate that never fires disagrees with the referee and the model; a model that never does, with the predicate."""
    true_predicate = render_sql.predicate

    def mutant(contract: Contract, check: Check, period: str) -> str:
        return "false" if check.rule_id == rule else true_predicate(contract, check, period)

    with monkeypatch.context() as patch:
        patch.setattr(render_sql, "predicate", mutant)
        by_sql, by_gx, by_pydantic = broken_three_ways(SIX, "202602", [GOOD, {**GOOD, **change}], tmp_path / "sql")
    assert by_gx == by_pydantic
    assert by_gx[2] - by_sql[2] == {rule}
    with monkeypatch.context() as patch:
        patch.setattr(render_pydantic, "broken_rules", lambda *_: [])
        by_sql, by_gx, by_pydantic = broken_three_ways(SIX, "202602", [GOOD, {**GOOD, **change}], tmp_path / "model")
    assert rule in by_sql[2] & by_gx[2]


def test_a_fault_is_said_in_words_without_its_value() -> None:
    sent = {**GOOD, "amount_fen": "5,000", "item_code": "9", "bill_no": "", "service_no": "13812345678", "item_no": "i"}
    said = render_pydantic.explain_row(SIX, sent, "202602")
    assert said == [
        "bill_no (Bill number 账单编号): required and missing 必填缺失",
        "charge_item (Charge item 费用项): unknown code 代码不在码表",
        "amount_fen (Amount 金额): cannot be read as its type 格式错误",
        "item_no (Item number 明细编号): breaks rule item_no_shape 违反规则",
    ]


def test_a_payload_at_the_edge_becomes_typed_values() -> None:
    row = render_pydantic.row_model(SIX, "202602").model_validate(GOOD)
    assert (row.amount_fen, row.charge_item, row.charged_to) == (5, "recurring", date(2026, 2, 28))  # type: ignore[attr-defined]
