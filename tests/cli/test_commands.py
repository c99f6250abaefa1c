"""Every command as a person or a program uses it: what it prints, its JSON, its exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer.main
from sqlalchemy import text

from cli.main import app
from hub.periods import starts_at
from quality.rules import checks_of
from schemas.codes import CODE_TABLES, Code
from schemas.contract import Contract
from schemas.contracts import CONTRACTS
from simulator import faults
from simulator.layouts import BILL_ITEM
from store import journal, retention
from tests.cli.conftest import Run, environment, runner, runner_of
from tests.e2e.published import Published
from tests.e2e.spoilt import MONTH, NIGHT, batches, personal_values, private_drop, quarantined
from tests.e2e.tampering import Tamper, tampered

pytestmark = pytest.mark.postgres

# What people touch (ARCHITECTURE): fixed names.
COMMANDS = {
    "feeds", "check", "pull", "cycle", "batches", "quarantine", "breaks", "customers", "explain", "verify", "report", "url",
    "identity", "reconcile", "periods", "sim", "steward", "expire",
}  # fmt: skip
LISTINGS: dict[str, set[str]] = {
    "feeds": {"feed", "province", "transport", "due", "expected_period", "last_period", "state"},
    "batches": {"batch_id", "feed", "province", "period", "state", "refusal", "received", "accepted", "quarantined", "duplicate"},
    "quarantine": {"batch_id", "feed", "row_no", "reason", "rule_id", "object_name", "byte_offset", "byte_length", "meaning"},
    "breaks": {"break_id", "rule", "severity", "subject", "money_fen", "state", "owner", "first_seen", "last_seen", "reopened"},
    "customers": {"customer_id", "customer_name", "uscc", "parent_customer_id", "address", "phone", "source_ids"},
}


def test_the_commands_are_those_that_were_promised() -> None:
    assert set(getattr(typer.main.get_command(app), "commands")) == COMMANDS  # noqa: B009 (a group, which click's type hides)


@pytest.mark.parametrize("command", LISTINGS)
def test_a_listing_is_json_with_the_same_keys_in_every_row(command: str, bsshub: Run) -> None:
    result = bsshub(command, "--json")
    assert result.exit_code == 0
    rows = json.loads(result.stdout)
    assert rows
    assert all(set(row) == set(rows[0]) for row in rows)
    assert LISTINGS[command] <= set(rows[0])


@pytest.mark.parametrize("words", [(command,) for command in LISTINGS] + [("explain", "BC00000001")], ids=" ".join)
def test_what_is_shown_holds_no_personal_value(words: tuple[str, ...], bsshub: Run, published: Published) -> None:
    result = bsshub(*words)
    assert result.exit_code == 0
    shown = result.stdout + bsshub(*words, "--json").stdout
    assert not [value for value in personal_values(published.rig.world) if value in shown]


def test_listings_are_filtered(bsshub: Run) -> None:
    accounts = json.loads(bsshub("batches", "--feed", "billing.account", "--json").stdout)
    assert [(row["feed"], row["state"]) for row in accounts] == [("billing.account", "loaded")] * 2
    [one] = json.loads(bsshub("batches", "--limit", "1", "--json").stdout)
    assert one["batch_id"] == accounts[0]["batch_id"]
    found = json.loads(bsshub("quarantine", "--feed", "billing.bill_item", "--json").stdout)
    assert {row["feed"] for row in found} == {"billing.bill_item"}
    customer = json.loads(bsshub("customers", "BC00000001", "--json").stdout)
    assert [row["customer_id"] for row in customer] == ["BC00000001"]


def test_explain_names_system_batch_file_and_row_of_each_attribute(bsshub: Run) -> None:
    explained = json.loads(bsshub("explain", "BC00000001", "--json").stdout)
    assert explained["customer_id"] == "BC00000001"
    assert {"customer_name", "province"} <= {cell["attribute"] for cell in explained["cells"]}
    for cell in explained["cells"]:
        assert cell["system"] in {"crm", "billing", "group", "orders"}
        assert cell["batch_id"] > 0 < cell["row_no"]
        assert cell["file"].endswith((".dat", ".csv", ".json", ".xml"))


WRONG: dict[tuple[str, ...], str] = {
    ("pull", "billing.nothing", "--period", MONTH): "known: billing.account, billing.bill,",
    ("pull", "billing.bill", "--period", NIGHT): f"period {NIGHT} is not monthly",
    ("pull", "billing.account", "--period", MONTH): f"period {MONTH} is not daily",
    ("pull", "billing.bill", "--period", "2026"): "neither a day YYYYMMDD nor a month YYYYMM",
    ("pull", "billing.bill", "--period", "202613"): "neither a day YYYYMMDD nor a month YYYYMM",
    ("pull", "billing.bill", "--period", MONTH, "--province", "bj"): "known: gd, js",
    ("pull", "crm.customer", "--period", NIGHT, "--province", "js"): "set AIRFLOW_CONN_BSS_CRM_JS",
    ("pull", "billing.bill", "--period", "203001", "--province", "gd"): "no data file yet",
    ("cycle", "--night", MONTH): f"period {MONTH} is not daily",
    ("check", "nothing"): "known: billing, orders, crm, group",
    ("explain", "BC99999999"): "no customer BC99999999",
    ("quarantine", "replay", "--batch", "9999"): "no batch 9999",
    ("quarantine", "--batch", "9999"): "no batch 9999",
    ("quarantine", "show", "1", "99999999"): "batch 1 has no row 99999999 in quarantine",
}


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_a_wrong_word_is_answered_with_what_was_allowed(words: tuple[str, ...], bsshub: Run) -> None:
    result = bsshub(*words)
    assert result.exit_code == 1
    assert WRONG[words] in result.stderr
    assert "Traceback" not in result.stderr


UNKNOWN: dict[tuple[str, ...], str] = {
    ("batches", "--feed", "x.y"): "'x.y'; allowed: billing.account, billing.bill,",
    ("batches", "--province", "bj"): "'bj'; allowed: gd, js",
    ("batches", "--period", "2026"): "neither a day YYYYMMDD nor a month YYYYMM",
    ("batches", "--state", "nope"): "'nope'; allowed: landed, gated, refused, loaded, superseded",
    ("quarantine", "--feed", "x.y"): "'x.y'; allowed: billing.account, billing.bill,",
}


@pytest.mark.parametrize("words", UNKNOWN, ids=" ".join)
def test_a_filter_that_can_match_nothing_is_a_wrong_word(words: tuple[str, ...], bsshub: Run) -> None:
    result = bsshub(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert UNKNOWN[words] in " ".join(result.stderr.replace("│", " ").split())


def test_check_tells_what_is_well_and_ends_with_one_where_something_is_not(bsshub: Run) -> None:
    result = bsshub("check", "crm", "--json")
    assert result.exit_code == 1
    states = {(row["feed"], row["province"]): row["state"] for row in json.loads(result.stdout)}
    assert {state for (_, province), state in states.items() if province == "gd"} == {"ok"}
    assert {state for (_, province), state in states.items() if province == "js"} == {"not configured"}


def test_pull_of_one_province_is_one_batch_and_again_the_same(bsshub: Run) -> None:
    words = ("pull", "billing.bill", "--period", MONTH, "--province", "gd", "--json")
    [first], [second] = json.loads(bsshub(*words).stdout), json.loads(bsshub(*words).stdout)
    assert first == second
    assert (first["feed"], first["province"], first["state"], first["error"]) == ("billing.bill", "gd", "loaded", "")


def test_verify_ends_with_one_and_names_what_it_found(bsshub: Run, published: Published) -> None:
    sound = bsshub("verify", "--json")
    assert (sound.exit_code, json.loads(sound.stdout)) == (0, [])
    change = Tamper(
        "core.bill", "select min(source_key) from core.bill", "update core.bill set tax_fen = tax_fen + 1 where"
        " source_key = '{key}'", "core.bill billing gd {key}", "tax_fen",
    )  # fmt: skip
    with tampered(published.hub.engine, [change]) as [(subject, detail)]:
        found = bsshub("verify", "--json")
        shown = bsshub("verify")
    assert (found.exit_code, shown.exit_code) == (1, 1)
    assert [row for row in json.loads(found.stdout) if row["subject"].startswith(subject) and detail in row["detail"]]
    assert subject in " ".join(shown.stdout.split())


def test_expired_bytes_are_gone_by_decision_and_the_store_is_sound(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = published.rig.copy_of(published.hub)
    bsshub = runner(environment(hub, published.rig.connections))
    words = ("expire", "--before", "20991231", "--by", "Li Si", "--reason", "contract over", "--json")
    assert "has not begun" in bsshub(*words).stderr
    monkeypatch.setattr(retention, "now", lambda: starts_at("21000101"))
    would = json.loads(bsshub(*words, "--dry-run").stdout)
    assert would
    assert all(hub.landing.holds(row["sha256"]) for row in would)
    assert json.loads(bsshub(*words).stdout) == would
    assert not any(hub.landing.holds(row["sha256"]) for row in would)
    sound = bsshub("verify", "--json")
    assert (sound.exit_code, json.loads(sound.stdout)) == (0, [])
    assert json.loads(bsshub(*words).stdout) == []
    wrong = bsshub("expire", "--before", "202603", "--by", "Li Si", "--reason", "contract over")
    assert (wrong.exit_code, "is not daily" in wrong.stderr) == (1, True)


def test_report_is_written_where_asked(bsshub: Run, tmp_path: Path) -> None:
    result = bsshub("report", "--out", str(tmp_path / "pages"))
    assert result.exit_code == 0
    assert result.stdout.strip() == str(tmp_path / "pages" / "index.html")
    assert (tmp_path / "pages" / "index.html").stat().st_size > 1000


def test_url_is_the_stores(bsshub: Run, published: Published) -> None:
    assert bsshub("url").stdout.strip() == published.hub.settings.store_url


def test_a_quarantined_row_of_any_feed_is_explained_in_words(bsshub: Run, published: Published) -> None:
    rows = json.loads(bsshub("quarantine", "--limit", "100000", "--json").stdout)
    one_a_rule = {(row["feed"], row["rule_id"]): row for row in rows}
    assert len({feed for feed, _ in one_a_rule}) > 5
    personal = personal_values(published.rig.world)
    for (feed, rule_id), row in one_a_rule.items():
        words = ("quarantine", "show", str(row["batch_id"]), str(row["row_no"]))
        told = json.loads(bsshub(*words, "--json").stdout)
        assert (told["feed"], told["rule_id"], told["object_name"]) == (feed, rule_id, row["object_name"])
        assert any(_names_fault(CONTRACTS[feed], rule_id, fault) for fault in told["faults"]), (feed, rule_id, told["faults"])
        shown = bsshub(*words).stdout
        assert told["faults"][0] in " ".join(shown.split())
        assert not [value for value in personal if value in shown]


def _names_fault(contract: Contract, rule_id: str, fault: str) -> bool:
    """The sentence is about the rule's column; about the record, or another row, where the rule has none."""
    column = next((check.column for check in checks_of(contract) if check.rule_id == rule_id), None)
    return bool(fault) if column is None or rule_id == "key_unique" else fault.startswith(f"{column} (")


def test_payments_are_told_by_how_they_settle_each_once(bsshub: Run, published: Published) -> None:
    told = json.loads(bsshub("reconcile", "payments", "--json").stdout)
    with published.hub.engine.connect() as connection:
        shown = connection.execute(text("select count(*), sum(amount_fen)::bigint from portal_v1.payment")).one()
    assert (sum(row["payments"] for row in told["ways"]), sum(row["amount_fen"] for row in told["ways"])) == tuple(shown)
    assert "named" in {row["how"] for row in told["ways"]}
    assert "Payments by how they settle" in bsshub("reconcile", "payments").stdout


def test_a_suggested_payment_is_assigned_once_by_a_person_who_may_take_it_back(published: Published) -> None:
    hub = published.rig.copy_of(published.hub)
    with hub.engine.begin() as store:
        # A payment loses the bill it names and nearly all of its amount, and its account owes one more bill.
        [(province, payment, account, bill)] = store.execute(text("""
            update core.payment set bill_no = null, amount_fen = 1 from (
                select province, payment_no, bill_no from portal_v1.payment
                join portal_v1.bill using (province, bill_no, account_no) where amount_fen > 1 order by 1, 2 limit 1) named
            where (payment.province, payment.payment_no) = (named.province, named.payment_no) and recorded_to is null
            returning payment.province, payment.payment_no, account_no, named.bill_no""")).all()  # fmt: skip
        last = "select max(bill_no) from core.bill where province = :gd"
        store.execute(
            text(f"update core.bill set account_no = :account where bill_no = ({last})"), {"account": account, "gd": province}
        )
    bsshub = runner(environment(hub, published.rig.connections))

    def assign(*words: str, of: str = payment) -> Any:
        return bsshub("reconcile", "assign", of, *words, "--province", province, "--by", "Li Si", "--why", "the payer said so")

    def offered() -> set[tuple[str, str | None]]:
        rows = json.loads(bsshub("reconcile", "payments", "--json").stdout)["suggested"]
        of_it = [row for row in rows if (row["province"], row["payment_no"]) == (province, payment)]
        return {(row["bill_no"], row["asked_bill"]) for row in of_it}

    assert len(offered()) == 2
    assert "waits for a person" in assign(bill, of="P0").stderr
    assert f"account {account} owes no bill 'B0'" in assign("B0").stderr
    [asked] = json.loads(assign(bill, "--json").stdout)
    assert {said for _, said in offered()} == {bill}
    assert "already" in assign(bill).stderr
    [request, *_] = json.loads(bsshub("breaks", "requests", "--json").stdout)
    assert (request["outbox_id"], request["target_system"], request["state"]) == (asked["outbox_id"], "billing", "pending")
    assert request["payload"]["change"] == {"bill_no": bill}

    def unassign(of: str = payment) -> Any:
        return bsshub("reconcile", "unassign", of, "--province", province, "--by", "Wang Wu", "--why", "it was another payer")

    assert unassign().exit_code == 0
    assert {said for _, said in offered()} == {None}
    [withdrawn, *_] = json.loads(bsshub("breaks", "requests", "--json").stdout)
    assert (withdrawn["outbox_id"], withdrawn["state"]) == (asked["outbox_id"], "withdrawn")
    assert withdrawn["payload"]["withdrawn_by"] == "Wang Wu"
    assert "no request about payment" in unassign().stderr
    [again] = json.loads(assign(bill, "--json").stdout)
    assert {said for _, said in offered()} == {bill}
    with hub.engine.begin() as store:
        keys = store.execute(
            text("select count(distinct idempotency_key) from hub.outbox where outbox_id in (:one, :other)"),
            {"one": asked["outbox_id"], "other": again["outbox_id"]},
        ).scalar_one()
        store.execute(text("update hub.outbox set state = 'sent' where outbox_id = :id"), {"id": again["outbox_id"]})
        journal.record(store, "request sent", "outbox", again["outbox_id"])
    assert keys == 2, "what billing may have seen is not asked otherwise by the same key"
    assert "waits to be sent" in unassign().stderr
    assert {said for _, said in offered()} == {bill}
    assert "outbox" not in bsshub("verify", "--json").stdout, "what was withdrawn stands in the journal as it is"


def test_a_new_code_lets_quarantined_rows_in_by_replay(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender uses a code nobody agreed on; a person adds it to the table; the batch is judged again from its landed bytes."""
    drop = private_drop(published.rig.new_hub(), published.rig.simulation.drop_directory("gd"), tmp_path / "drop")
    for path in drop.path.glob("*_99999_*"):
        path.unlink()  # control totals of the file as it was
    faults.unknown_code(drop.file("01003"), 7, BILL_ITEM, "item_code", code="1099", verf=drop.file("01003", ".verf"))
    run = runner_of(drop, published.rig.connections)
    [pulled] = json.loads(run("pull", "billing.bill_item", "--period", MONTH, "--province", "gd", "--json").stdout)
    mine = [row for row in quarantined(drop.hub.engine) if row.row_no == 7]
    assert [row.rule_id for row in mine] == ["charge_item_codes"]

    monkeypatch.setitem(CODE_TABLES["charge_item"], "1099", Code("roaming", "漫游费"))
    result = run("quarantine", "replay", "--batch", str(pulled["batch_id"]), "--json")
    assert result.exit_code == 0, result.stderr
    [replayed] = json.loads(result.stdout)
    assert replayed["replay_of"] == pulled["batch_id"]
    assert replayed["quarantined_now"] == replayed["quarantined_before"] - 1
    first, again = batches(drop.hub.engine)
    assert (first.state, again.state, again.delivery.replay_of) == ("superseded", "loaded", first.batch_id)
    assert _held(drop.hub, "roaming") == 1
    assert (run("verify", "--json").exit_code, len(quarantined(drop.hub.engine))) == (0, 2 * pulled["quarantined"] - 1)


def _held(hub: Any, charge_item: str) -> int:
    with hub.engine.connect() as connection:
        statement = (
            "select count(*) from core.bill_item join hub.batch using (batch_id) where state = 'loaded' and charge_item = "
        )
        return int(connection.exec_driver_sql(statement + f"'{charge_item}'").scalar_one())
