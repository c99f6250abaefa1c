"""Whatever is changed behind the hub's back, `verify` finds it by name; put back, it is content again."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from pipeline import Hub, verify_store
from store.finding import Finding
from tests.e2e.conftest import BuildRig
from tests.e2e.published import publish_twice
from tests.e2e.spoilt import batches
from tests.e2e.tampering import Tamper, landed_path, one_byte_changed, tampered

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def hub(build_rig: BuildRig) -> Hub:
    return publish_twice(build_rig).hub


def _named(findings: list[Finding], subject: str, detail: str) -> bool:
    return any(finding.subject.startswith(subject) and detail in finding.detail for finding in findings)


def _batch(feed: str, more: str = "") -> str:
    return f"select max(batch_id) from hub.batch where feed = '{feed}' {more}"


UNLIKE_LANDING = "differs from its landed bytes in"
NOT_AS_SAID = "it is not what the journal last said of it"
UNBALANCED = "does not hold the rows and the money"
NOT_AS_PUBLISHED = "is not what was published"
GATE_CHANGED = "its gate results or its quarantine were changed"
LINEAGE = "its batch did not write it"

LEDGER = (
    Tamper(
        "hub.batch",
        _batch("payment"),
        "update hub.batch set received = received + 1, accepted = accepted + 1 where batch_id = {key}",
        "hub.batch {key}",
        NOT_AS_SAID,
    ),
    Tamper(
        "hub.batch",
        _batch("contact"),
        "update hub.batch set inserted = inserted + 1, unchanged = unchanged - 1 where batch_id = {key}",
        "hub.batch {key}",
        NOT_AS_SAID,
    ),
    Tamper(
        "hub.batch",
        _batch("resource"),
        "update hub.batch set landed_at = landed_at + interval '1 second' where batch_id = {key}",
        "hub.batch {key}",
        NOT_AS_SAID,
    ),
    Tamper(
        "hub.feed_state",
        "select feed from hub.feed_state where feed = 'production_job'",
        "update hub.feed_state set last_period = '20260304' where feed = '{key}'",
        "hub.feed_state group/{key}/gd",
        NOT_AS_SAID,
    ),
    Tamper(
        "hub.missing_feed",
        "select feed from hub.missing_feed where system = 'crm' order by 1 limit 1",
        "delete from hub.missing_feed where system = 'crm' and feed = '{key}'",
        "hub.missing_feed crm/{key}/js",
        "but it is gone",
    ),
    Tamper(
        "hub.attempt",
        "select min(attempt_id) from hub.attempt where outcome = 'failed'",
        "update hub.attempt set outcome = 'done' where attempt_id = {key}",
        "hub.attempt {key}",
        NOT_AS_SAID,
    ),
    Tamper(
        "hub.tombstone",
        "select repeat('a', 64)",
        "insert into hub.tombstone values ('{key}', 'retention', now())",
        "hub.tombstone {key}",
        "it is in no entry of the journal",
    ),
    Tamper(
        "hub.gate_result",
        _batch("bill"),
        "update hub.gate_result set failed_sql = failed_sql + 1 where batch_id = {key} and rule_id = 'record_whole'",
        "batch {key}",
        GATE_CHANGED,
    ),
    Tamper(
        "hub.quarantine",
        _batch("work_order"),
        "insert into hub.quarantine select {key}, 999999, outcome, reason, rule_id, detail, object_no, byte_offset, byte_length,"
        " raw from hub.quarantine limit 1",
        "batch {key}",
        GATE_CHANGED,
    ),
    Tamper(
        "hub.quarantine",
        _batch("bill_item"),
        "delete from hub.quarantine where (batch_id, row_no) in"
        " (select batch_id, max(row_no) from hub.quarantine where batch_id = {key} and outcome = 'quarantined' group by 1)",
        "batch {key}",
        "its quarantine does not hold as many rows",
    ),
)
RAW = (
    Tamper(
        "hub.quarantine",
        _batch("bill_item"),
        "update hub.quarantine set raw = set_byte(raw, 0, get_byte(raw, 0) # 1) where (batch_id, row_no) in"
        " (select batch_id, min(row_no) from hub.quarantine where batch_id = {key} group by 1)",
        "batch {key}",
        GATE_CHANGED,
    ),
    Tamper(
        "hub.journal",
        "select max(seq) from hub.journal where event = 'batch landed'",
        "update hub.journal set body = replace(body, '20260305', '20260306') where seq = {key}",
        "hub.journal entry {key}",
        "the chain is broken here",
    ),
    Tamper(
        "hub.publication",
        "select min(publication_id) from hub.publication",
        "update hub.publication set missing = '[]' where publication_id = {key}",
        "hub.publication {key}",
        NOT_AS_SAID,
    ),
    Tamper(
        "hub.publication_batch",
        "select max(publication_id) from hub.publication",
        "delete from hub.publication_batch where publication_id = {key} and batch_id in (select min(batch_id) from"
        " hub.publication_batch where publication_id = {key})",
        "publication {key}",
        "the batches it names were changed",
    ),
    Tamper(
        "hub.current_publication",
        "select min(publication_id) from hub.publication",
        "update hub.current_publication set publication_id = {key}",
        "hub.current_publication",
        NOT_AS_SAID,
    ),
)
TRUNCATED = (
    Tamper(
        "hub.clock",
        "select seq from hub.clock",
        "update hub.clock set seq = seq - 1",
        "hub.clock",
        "was given",
    ),
    Tamper(
        "hub.journal",
        "select subject from hub.journal order by seq desc limit 1",
        "delete from hub.journal where seq = (select max(seq) from hub.journal)",
        "hub.attempt",
        NOT_AS_SAID,
    ),
)
REWRITTEN = (
    Tamper(
        "hub.journal",
        "select 5",
        "delete from hub.journal where seq = {key}",
        "hub.journal entry 6",
        "the chain is broken here",
    ),
    Tamper(
        "recon.rule_run",
        "select max(rule_id) from recon.rule_run",
        "update recon.rule_run set subjects = subjects + 1 where rule_id = '{key}'",
        "recon.rule_run in publication",
        NOT_AS_PUBLISHED,
    ),
)


def _current(entity: str, place: int) -> str:
    where = "recorded_to is null and row_no > 0"
    return f"select source_key from core.{entity} where {where} order by source_key offset {place} limit 1"


CORE = (
    Tamper(
        "core.customer",
        _current("customer", 1).replace("where", "where system = 'crm' and"),
        "update core.customer set customer_name = customer_name || '.' where system = 'crm' and source_key = '{key}'",
        "core.customer crm gd {key}",
        f"{UNLIKE_LANDING} customer_name",
    ),
    Tamper(
        "core.customer",
        _current("customer", 3).replace("where", "where system = 'crm' and"),
        "update core.customer set recorded_to = recorded_from + 1 where system = 'crm' and source_key = '{key}'",
        "core.customer crm gd {key}",
        "its versions do not follow each other",
    ),
    Tamper(
        "core.contact",
        _current("contact", 2),
        "update core.contact set batch_id = batch_id + 1 where source_key = '{key}'",
        "core.contact crm gd {key}",
        LINEAGE,
    ),
    Tamper(
        "core.product",
        _batch("product_instance"),
        "delete from core.product where ctid = (select min(ctid) from core.product)",
        "core.product batch {key}",
        UNBALANCED,
    ),
    Tamper(
        "core.agreement",
        _current("agreement", 1),
        'insert into core.agreement select (jsonb_populate_record(a, \'{"source_key": "HT99999999", "row_no": 99999}\')).*'
        " from core.agreement a where source_key = '{key}'",
        "core.agreement crm gd HT99999999",
        "its landed bytes hold no such row",
    ),
    Tamper(
        "core.bill_item",
        _current("bill_item", 4),
        "update core.bill_item set amount_fen = amount_fen + 1 where source_key = '{key}'",
        "core.bill_item billing gd {key}",
        f"{UNLIKE_LANDING} amount_fen",
    ),
    Tamper(
        "core.bill",
        _current("bill", 4),
        "update core.bill set due_on = due_on + 1 where source_key = '{key}'",
        "core.bill billing gd {key}",
        f"{UNLIKE_LANDING} due_on",
    ),
    Tamper(
        "core.account",
        _current("account", 0),
        "update core.account set arrears_fen = arrears_fen - 1 where source_key = '{key}' and recorded_to is not null",
        "core.account billing gd {key}",
        f"{UNLIKE_LANDING} arrears_fen",
    ),
    Tamper(
        "core.crosswalk",
        "select max(publication_id) from hub.publication",
        "update core.crosswalk set customer_id = (select max(customer_id) from core.crosswalk)"
        " where customer_key = (select min(customer_key) from core.crosswalk where system = 'crm') and system = 'crm'",
        "core.crosswalk in publication {key}",
        NOT_AS_PUBLISHED,
    ),
    Tamper(
        "core.golden_customer",
        "select max(publication_id) from hub.publication",
        "update core.golden_customer set customer_name = customer_name || '.' where customer_id = 'BC00000001'",
        "core.golden_customer in publication {key}",
        NOT_AS_PUBLISHED,
    ),
    Tamper(
        "core.golden_provenance",
        "select max(publication_id) from hub.publication",
        "update core.golden_provenance set row_no = row_no + 1 where customer_id = 'BC00000001' and attribute = 'customer_name'",
        "core.golden_provenance in publication {key}",
        NOT_AS_PUBLISHED,
    ),
    Tamper(
        "recon.breaks",
        "select max(publication_id) from hub.publication",
        "update recon.breaks set state = 'closed' where break_id = (select min(break_id) from recon.breaks)",
        "recon.breaks in publication {key}",
        NOT_AS_PUBLISHED,
    ),
)
FACTS = (
    Tamper(
        "core.bill_item",
        _batch("bill_item"),
        "delete from core.bill_item where source_key = (select max(source_key) from core.bill_item)",
        "core.bill_item batch {key}",
        UNBALANCED,
    ),
    Tamper(
        "core.work_order",
        _current("work_order", 2),
        'insert into core.work_order select (jsonb_populate_record(w, \'{"source_key": "W99999"}\')).* from core.work_order w'
        " where source_key = '{key}'",
        "core.work_order orders gd W99999",
        f"{UNLIKE_LANDING} source_key",
    ),
    Tamper(
        "core.payment",
        _current("payment", 0),
        "update core.payment set is_deleted = true, valid_to = source_version where source_key = '{key}'",
        "core.payment billing gd {key}",
        f"{UNLIKE_LANDING} is_deleted",
    ),
    Tamper(
        "core.golden_customer",
        "select max(publication_id) from hub.publication",
        "delete from core.golden_customer where customer_id = 'BC00000002'",
        "core.golden_customer in publication {key}",
        NOT_AS_PUBLISHED,
    ),
    Tamper(
        "recon.breaks",
        "select max(publication_id) from hub.publication",
        "delete from recon.breaks where break_id = (select max(break_id) from recon.breaks)",
        "recon.breaks in publication {key}",
        NOT_AS_PUBLISHED,
    ),
)
ROUNDS = {
    "ledger": LEDGER,
    "quarantined bytes and publications": RAW,
    "journal cut off": TRUNCATED,
    "journal rewritten": REWRITTEN,
    "core and golden": CORE,
    "rows taken and forged": FACTS,
}


@pytest.mark.parametrize("changes", ROUNDS.values(), ids=ROUNDS)
def test_every_changed_row_is_found_by_name(changes: tuple[Tamper, ...], hub: Hub) -> None:
    with tampered(hub.engine, changes) as expected:
        findings = verify_store(hub)
    missed = [(subject, detail) for subject, detail in expected if not _named(findings, subject, detail)]
    assert not missed, findings


def test_one_byte_of_any_landed_object_is_found_by_its_name(hub: Hub) -> None:
    """A file, its check file, control totals, an extract, a page of each kind: one of each layout, and all at once."""
    by_layout = {batch.delivery.layout: batch for batch in batches(hub.engine)}
    objects = {
        item.sha256: item for batch in by_layout.values() for item in (*batch.delivery.objects, *batch.delivery.companions)
    }
    with ExitStack() as changed:
        for item in objects.values():
            changed.enter_context(one_byte_changed(landed_path(hub, item)))
        findings = verify_store(hub)
    assert len(by_layout) == 5
    assert [
        item.name
        for item in objects.values()
        if not _named(findings, f"landed object {item.name} {item.sha256[:12]}", "its bytes were changed")
    ] == []


def test_a_landed_object_taken_away_is_found_by_its_name(hub: Hub) -> None:
    batch = batches(hub.engine)[0]
    [item] = batch.delivery.objects
    path = landed_path(hub, item)
    content = path.read_bytes()
    path.unlink()
    findings = verify_store(hub)
    path.write_bytes(content)
    assert _named(findings, f"landed object {item.name}", "its bytes are gone")


def test_findings_hold_no_value(hub: Hub) -> None:
    """Nobody's name or number is told by telling that it was changed."""
    secret = "13800001111"
    change = Tamper(
        "core.contact",
        _current("contact", 2),
        f"update core.contact set phone = '{secret}' where source_key = '{{key}}'",
        "core.contact crm gd {key}",
        UNLIKE_LANDING,
    )
    with tampered(hub.engine, [change]) as [(subject, detail)]:
        findings = verify_store(hub)
    assert _named(findings, subject, detail)
    assert not [finding for finding in findings if secret in f"{finding}"]


def test_put_back_as_it_was_the_store_is_sound(hub: Hub) -> None:
    """Last in this file: what every test before it changed, it put back."""
    assert verify_store(hub) == []
