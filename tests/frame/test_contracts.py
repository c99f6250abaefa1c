"""The contracts against the interface specification they were read from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from hub.errors import NotFound
from schemas.codes import CODE_TABLES
from schemas.contract import Contract, ErrorClass, Type
from schemas.contracts import CONTRACTS, contract_of
from schemas.contracts.billing import ACCOUNT, BILL_ITEM
from schemas.entities import ENTITIES

SPECIFICATION = (Path(__file__).parents[2] / "docs" / "interfaces.md").read_text(encoding="utf-8")


def _overview() -> dict[str, list[str]]:
    """Feed id → the cells of its row in the first table."""
    rows = re.findall(r"^\| `(\w+\.\w+)` \| (.+) \|$", SPECIFICATION, re.MULTILINE)
    return {feed: [cell.strip() for cell in cells.split("|")] for feed, cells in rows}


def test_every_feed_of_the_specification_has_its_contract_and_no_other() -> None:
    assert set(_overview()) == set(CONTRACTS)


@pytest.mark.parametrize("feed_id", sorted(CONTRACTS))
def test_unit_period_mode_and_version_are_as_specified(feed_id: str) -> None:
    unit, period, mode, _, version = _overview()[feed_id]
    contract = contract_of(feed_id)
    assert (contract.unit, contract.period) == (unit, period)
    assert mode.startswith(contract.mode.value)
    assert (contract.version is not None) == (version == "`updated_at`")


@pytest.mark.parametrize("feed_id", ["billing.account", "billing.bill", "billing.bill_item", "billing.payment"])
def test_file_columns_stand_in_the_specified_order_and_width(feed_id: str) -> None:
    section = SPECIFICATION.split(f"### `{feed_id}`", 1)[1].split("###", 1)[0]
    rows = re.findall(r"^\| \d+ \| (\w+) \|(?: (\d+) \|)?", section, re.MULTILINE)
    specified = [(name, int(width) if width else None) for name, width in rows]
    assert [(column.source, column.width) for column in contract_of(feed_id).columns] == specified


def test_code_tables_are_the_specified_ones() -> None:
    section = SPECIFICATION.split("## Code tables", 1)[1]
    specified = {
        table: dict(re.findall(r"(\w+) [^\s,|]+ `(\w+)`", codes))
        for table, codes in re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.MULTILINE)
    }
    assert {name: {code: entry.value for code, entry in table.items()} for name, table in CODE_TABLES.items()} == specified


def test_record_error_is_unit_column_class() -> None:
    assert BILL_ITEM.record_error("amount_fen", ErrorClass.TYPE) == "01003104"
    assert BILL_ITEM.record_error(None, ErrorClass.PRIMARY_KEY) == "01003001"


def test_fixed_width_contracts_give_every_width() -> None:
    assert sum(column.width or 0 for column in ACCOUNT.columns) == 330
    assert all(column.width for column in ACCOUNT.columns)


def test_a_rule_on_an_unknown_column_is_refused() -> None:
    facts = ACCOUNT.model_dump()
    facts["version"] = "changed_at"
    with pytest.raises(ValidationError, match="changed_at"):
        Contract.model_validate(facts)


def test_a_key_column_is_required() -> None:
    facts = ACCOUNT.model_dump()
    facts["key"] = ("customer_name",)
    with pytest.raises(ValidationError, match="required"):
        Contract.model_validate(facts)


def test_an_unknown_feed_is_told_with_the_known_ones() -> None:
    with pytest.raises(NotFound, match=r"crm\.customer"):
        contract_of("crm.customers")


def test_entities_hold_every_column_of_their_feeds_but_the_removal_flag() -> None:
    for contract in CONTRACTS.values():
        held = {column.name for column in ENTITIES[contract.entity].columns}
        assert {c.name for c in contract.columns} - held == {contract.deleted_flag} - {None}


def test_every_label_is_in_both_languages() -> None:
    labels = [column.label for contract in CONTRACTS.values() for column in contract.columns]
    labels += [contract.label for contract in CONTRACTS.values()]
    assert all(label.en.isascii() and not label.zh.isascii() for label in labels)


def test_money_columns_say_their_unit() -> None:
    for contract in CONTRACTS.values():
        assert all(column.name.endswith("_fen") for column in contract.columns if column.type.is_money)
        assert all(column.type in (Type.FEN, Type.YUAN) for column in contract.columns if column.name.endswith("_fen"))
