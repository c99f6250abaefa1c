"""What is drift, by what a source promises to show."""

from __future__ import annotations

import pytest

from adapters.drift import Carries, check_columns
from hub.errors import FixContract
from schemas.contract import Contract, Label, Mode
from schemas.contracts.columns import text

CONTRACT = Contract(
    system="crm",
    feed="note",
    unit="09999",
    entity="note",
    period="daily",
    mode=Mode.FULL,
    label=Label(en="Notes", zh="备注"),
    owner="crm@operator",
    columns=(text("note_no", "Number", "编号", required=True), text("note_text", "Text", "内容", source="text")),
    key=("note_no",),
    ignored=("etag",),
)
WHOLE = ["note_no", "text"]


@pytest.mark.parametrize("carries", Carries)
def test_what_was_agreed_and_what_is_ignored_by_name_is_no_drift(carries: Carries) -> None:
    check_columns(CONTRACT, [*WHOLE, "etag"], where="here", carries=carries)


@pytest.mark.parametrize("carries", Carries)
def test_a_column_nobody_declared_is_drift_everywhere(carries: Carries) -> None:
    with pytest.raises(FixContract, match=r"here: .* crm\.note: new surprise$") as caught:
        check_columns(CONTRACT, [*WHOLE, "surprise"], where="here", carries=carries)
    assert caught.value.facts["new"] == ("surprise",)


@pytest.mark.parametrize(
    ("seen", "carries", "missing"),
    [
        (["note_no"], Carries.ALL, ("text",)),
        (["note_no"], Carries.REQUIRED, ()),
        (["text"], Carries.REQUIRED, ("note_no",)),
        (["text"], Carries.ANY, ()),
    ],
)
def test_what_is_missing_depends_on_what_must_be_there(seen: list[str], carries: Carries, missing: tuple[str, ...]) -> None:
    found: object = ()
    try:
        check_columns(CONTRACT, seen, where="here", carries=carries)
    except FixContract as error:
        found = error.facts["missing"]
    assert found == missing


def test_a_column_that_comes_twice_is_drift_where_each_must_come_once() -> None:
    with pytest.raises(FixContract, match=r"repeated text$") as caught:
        check_columns(CONTRACT, [*WHOLE, "text"], where="here", carries=Carries.ALL)
    assert caught.value.facts["repeated"] == ("text",)
