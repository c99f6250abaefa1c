"""Values that a system may be asked to write, by the type of their column."""

from __future__ import annotations

import pytest

from hub.errors import NotAllowed
from reconcile.corrections import check_change
from schemas.contract import Type
from schemas.entities import ENTITIES

COLUMNS = {
    column.type: (entity.name, column.name)
    for entity in ENTITIES.values() for column in entity.columns if not column.personal and not column.required
}  # fmt: skip
FITS = {
    Type.TEXT: ("abc", "专线"), Type.INTEGER: ("0", "-12"), Type.FEN: ("0", "-12300"), Type.YUAN: ("12300",),
    Type.DATE: ("2026-02-28",), Type.TIMESTAMP: ("2026-02-28 23:59", "2026-02-28T23:59:59+08:00"),
}  # fmt: skip
DOES_NOT = {
    Type.TEXT: ("x" * 201,), Type.INTEGER: ("1.5", "１", "1" * 19), Type.FEN: ("abc", "123.00", "1e3"), Type.YUAN: ("123.00",),
    Type.DATE: ("20260228", "2026-02-30", "soon"), Type.TIMESTAMP: ("2026-02-28", "2026-02-28 25:00"), Type.CODE: ("banana",),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in FITS.items() for value in (*values, "")])
def test_a_value_that_its_column_can_have_is_taken(kind: Type, value: str) -> None:
    entity, column = COLUMNS[kind]
    check_change({entity}, {column: value})


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in DOES_NOT.items() for value in values])
def test_any_other_value_is_answered_with_what_is_allowed(kind: Type, value: str) -> None:
    entity, column = COLUMNS[kind]
    with pytest.raises(NotAllowed, match=f"{column} cannot be .*; allowed: ."):
        check_change({entity}, {column: value})


def test_a_code_is_one_of_its_table() -> None:
    check_change({"product"}, {"product_status": "suspended"})
    with pytest.raises(NotAllowed, match="allowed: active, suspended, terminated, pendingActive"):
        check_change({"product"}, {"product_status": "banana"})
