"""What the gate decides of a batch as a whole, what it accounts for, and that no personal value leaves it."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.staging import stage
from hub.errors import InvariantBroken
from quality import Verdict, findings, judge
from schemas.batch import ControlTotals, Delivery, Kind, Layout
from schemas.contract import Between, Contract, Severity
from schemas.contracts import contract_of
from tests.landed import landed
from tests.quality.render import verdict_rows

ITEM = contract_of("billing.bill_item")
PHONE = "13800009999"


def line(number: int = 1, **change: object) -> str:
    fields = {
        "item_no": f"IT{number:06d}",
        "bill_no": "BL1",
        "account_no": "A1",
        "product_id": "P1",
        "item_code": "1001",
        "item_name": "月租费",
        "service_no": PHONE,
        "quantity": 1,
        "price_fen": 100,
        "amount_fen": 100,
        "tax_fen": 6,
        "charged_from": "20260201",
        "charged_to": "20260228",
    }
    return "|".join(str(value) for value in {**fields, **change}.values())


def judged(tmp_path: Path, lines: list[str], contract: Contract = ITEM, **facts: object) -> Verdict:
    content = "".join(f"{text}\r\n" for text in lines).encode("gb18030")
    files = landed(tmp_path / "landed", content)
    staged = stage(contract, "202602", Layout.DELIMITED, files, tmp_path / "rows")
    delivery = Delivery.model_validate(
        {"kind": Kind.FULL, "resend": 0, "layout": Layout.DELIMITED, "objects": [file.object for file in files], **facts}
    )
    return judge(contract, "202602", staged, delivery, tmp_path / "gate")


def test_a_good_batch_is_accepted_whole(tmp_path: Path) -> None:
    verdict = judged(tmp_path, [line(i) for i in range(3)], declared_rows=3, control=ControlTotals(rows=3, amount_fen=300))
    assert (verdict.decision, verdict.code, verdict.account.accepted, verdict.account.accepted_fen) == ("accepted", None, 3, 300)
    assert verdict_rows(verdict.verdict_file) == []


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"declared_rows": 4}, "rows"),
        ({"control": {"rows": 2, "amount_fen": 300}}, "control_rows"),
        ({"control": {"rows": 3, "amount_fen": 301}}, "control_amount"),
    ],
)
def test_the_senders_own_sums_must_hold(facts: dict[str, object], code: str, tmp_path: Path) -> None:
    verdict = judged(tmp_path, [line(i) for i in range(3)], **facts)
    assert (verdict.decision, verdict.code) == ("refused", code)
    assert (verdict.account.refused, verdict.account.refused_fen, verdict.account.accepted) == (3, 300, 0)


def test_an_amount_nobody_can_read_suspends_the_check_of_the_sum(tmp_path: Path) -> None:
    lines = [line(1), line(2, amount_fen="x")]
    verdict = judged(tmp_path, lines, control=ControlTotals(rows=2, amount_fen=777))
    assert (verdict.decision, verdict.account.unreadable, verdict.account.received_fen) == ("accepted", 1, 100)


def test_too_few_rows_refuse_a_delivery_but_no_correction(tmp_path: Path) -> None:
    assert judged(tmp_path, []).code == "too_few_rows"
    assert judged(tmp_path, [], kind=Kind.CORRECTION_DELETE).decision == "accepted"


def test_many_bad_rows_are_the_senders_fault_and_a_few_are_not(tmp_path: Path) -> None:
    bad = [line(i, quantity=-1) for i in range(20)]
    assert judged(tmp_path / "many", [*bad, *(line(i) for i in range(20, 60))]).code == "mass_failure"
    few = judged(tmp_path / "few", [*bad[:19], line(100)])
    assert (few.decision, few.account.quarantined) == ("accepted", 19)


def test_a_critical_rule_refuses_the_batch_and_a_warning_only_warns(tmp_path: Path) -> None:
    for severity, decision in ((Severity.CRITICAL, "refused"), (Severity.WARNING, "accepted")):
        rule = Between(name="quantity_range", column="quantity", low=0, severity=severity)
        contract = ITEM.model_copy(update={"rules": (rule,)})
        verdict = judged(tmp_path / severity, [line(1), line(2, quantity=-1)], contract)
        assert verdict.decision == decision
        assert verdict.account.quarantined == 0
    assert verdict.warnings == ("quantity_range: 1 rows",)


def test_money_and_rows_are_conserved_through_faults_repeats_and_shared_keys(tmp_path: Path) -> None:
    lines = [line(1, amount_fen=1), line(1, amount_fen=1), line(2, amount_fen=10), line(2, amount_fen=20), line(2, amount_fen=20)]
    lines += [line(3, amount_fen=100, quantity=-1), line(3, amount_fen=100, quantity=-1), line(4, amount_fen=1000), "half a line"]
    account = judged(tmp_path, lines).account
    assert (account.received, account.accepted, account.quarantined, account.duplicate) == (9, 2, 5, 2)
    assert (account.accepted_fen, account.quarantined_fen, account.duplicate_fen) == (1001, 230, 21)


def test_of_one_key_the_versions_live_and_only_a_tie_is_kept_out(tmp_path: Path) -> None:
    customer = contract_of("crm.customer")
    row = '{{"customer_id": "C{}", "name": "{}", "status": "1", "updated_at": "2026-02-0{}T10:00:00+08:00"}}'
    sent = [("0001", "old", 1), ("0001", "new", 2), ("0002", "one", 1), ("0002", "other", 1), ("0002", "later", 2)]
    page = '{"data": [' + ",".join(row.format(*facts) for facts in sent) + "]}"
    files = landed(tmp_path / "landed", page.encode())
    staged = stage(customer, "20260202", Layout.JSON_PAGE, files, tmp_path / "rows")
    delivery = Delivery(kind=Kind.INCREMENTAL, resend=0, layout=Layout.JSON_PAGE, objects=(files[0].object,))
    verdict = judge(customer, "20260202", staged, delivery, tmp_path / "gate")
    assert [row[:4] for row in verdict_rows(verdict.verdict_file)] == [
        (3, "quarantined", "03001011", "key_unique"),
        (4, "quarantined", "03001011", "key_unique"),
    ]


def test_predicate_and_referee_that_disagree_stop_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "broken_rules", lambda *_: "0::BIGINT")
    with pytest.raises(InvariantBroken, match="quantity_range: 0 by SQL, 1 by GX"):
        judged(tmp_path, [line(1, quantity=-1), line(2)])


def test_a_shared_key_that_the_predicates_miss_is_found_by_the_referee(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "_find_repeats", lambda connection, *_: connection.execute(NO_REPEATS))
    with pytest.raises(InvariantBroken, match="key_unique: 0 by SQL, 2 by GX"):
        judged(tmp_path, [line(1), line(1, amount_fen=7), line(2)])


NO_REPEATS = """
    CREATE TABLE repeats (_row_no BIGINT, fen BIGINT, outcome VARCHAR, first_row BIGINT);
    CREATE VIEW candidates AS SELECT item_no FROM staged"""


def test_no_personal_value_reaches_a_result_a_page_or_the_verdict(tmp_path: Path) -> None:
    contract = ITEM.model_copy(update={"rules": (*ITEM.rules, Between(name="tax_low", column="tax_fen", high=1))})
    verdict = judged(tmp_path, [line(1, quantity=-1), line(1), line(1, item_name="x"), f"broken|{PHONE}"], contract)
    told = [verdict.validation_json.read_text(), verdict.docs_page.read_text(), verdict.model_dump_json()]
    assert not any(PHONE in text or "月租费" in text for text in [*told, str(verdict_rows(verdict.verdict_file))])
    assert "tax_low" in told[0]
    assert "tax_low" in told[1]


def test_judging_again_leaves_the_same_and_nothing_else(tmp_path: Path) -> None:
    lines = [line(1), line(2, quantity=-1), line(1)]
    first = judged(tmp_path, lines)
    before = first.verdict_file.read_bytes()
    again = judged(tmp_path, lines)
    assert (again, again.verdict_file.read_bytes()) == (first, before)
    assert sorted(path.name for path in (tmp_path / "gate").iterdir()) == ["index.html", "validation.json", "verdict.parquet"]
