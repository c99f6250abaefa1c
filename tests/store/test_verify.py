"""`verify` passes an untouched store, and names whatever was touched: bytes, ledger rows, published rows."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from hub.periods import now
from schemas.batch import Kind
from store import sequence
from store.landing import Landing
from store.ledger import Batch
from store.publication import candidate, publish
from store.retention import expire
from store.verify import Finding, verify
from tests.store.conftest import TestStore, account_row, at, item_row
from tests.store.test_publication import BREAK, CROSSWALK, GOLDEN, derive

pytestmark = pytest.mark.postgres


def findings(store: TestStore) -> list[Finding]:
    def restage(batch: Batch, folder: Path) -> str:
        return store.staged[batch.batch_id].rows

    return verify(store.engine, store.landing, restage)


@pytest.fixture(scope="module")
def made(new_database: Callable[..., str], store_template: str, tmp_path_factory: pytest.TempPathFactory) -> TestStore:
    """Three nights of accounts, a month of items with corrections and a resend, a golden customer and a break, published."""
    folder = tmp_path_factory.mktemp("made")
    engine = create_engine(new_database(store_template))
    store = TestStore(engine, folder, Landing((folder / "landing").as_uri()))
    store.put("billing.account", "20260301", [account_row(n, at(1)) for n in (1, 2, 3)], quarantined=[3])
    store.put("billing.account", "20260302", [account_row(1, at(2), arrears_fen=5)])
    store.put("billing.account", "20260303", [account_row(1, at(2), arrears_fen=5), account_row(2, at(1))])
    store.put("billing.bill_item", "202602", [item_row(n) for n in (1, 2, 3)])
    store.put("billing.bill_item", "202602", [item_row(2, amount_fen=1), item_row(3), item_row(4)], kind=Kind.CORRECTION_INSERT)
    store.put("billing.bill_item", "202602", [item_row(1), item_row(9)], kind=Kind.CORRECTION_DELETE)
    store.put("billing.bill_item", "202602", [item_row(n) for n in (1, 2, 3, 5)], resend=1)
    derive(store, GOLDEN, id="BC00000001", name="客户", parent=None)
    derive(store, CROSSWALK, key="CU0001", id="BC00000001")
    derive(store, BREAK, id="b1")
    publish(store.engine, candidate(store.engine, "20260303"))
    engine.dispose()
    return store


@pytest.fixture
def full(made: TestStore, new_database: Callable[..., str], tmp_path: Path) -> Iterator[TestStore]:
    """A copy of `made`, to be touched."""
    engine = create_engine(new_database(str(made.engine.url.database)))
    shutil.copytree(made.folder / "landing", tmp_path / "landing")
    yield TestStore(engine, tmp_path, Landing((tmp_path / "landing").as_uri()), made.staged)
    engine.dispose()


def test_an_untouched_store_passes(full: TestStore) -> None:
    assert findings(full) == []


TOUCHED = [
    # the ledger
    ("update hub.batch set resend = 1 where batch_id = 2", 5, "hub.batch 2"),
    ("update hub.batch set accepted = accepted + 1, received = received + 1 where batch_id = 2", 1, "batch 2"),
    ("update hub.feed_state set watermark = now() where feed = 'account'", 5, "hub.feed_state billing/account/gd"),
    ("update hub.feed_state set last_period = '20260302' where feed = 'account'", 3, "feed billing.account gd"),
    ("update hub.journal set body = replace(body, 'landed', 'handed') where seq = 1", 5, "hub.journal entry 1"),
    ("delete from hub.journal where seq = 3", 5, "hub.journal entry 4"),
    ("update hub.gate_result set failed_sql = 0 where batch_id = 1", 5, "batch 1"),
    ("update hub.quarantine set raw = 'bytez' where batch_id = 1", 5, "batch 1"),
    ("delete from hub.quarantine", 1, "batch 1"),
    ("insert into hub.quarantine values (99, 1, 'quarantined', '', '', null, 0, 0, 0, '')", 1, "hub.quarantine batch 99"),
    ("insert into hub.tombstone values ('abc', 'mine', now())", 5, "hub.tombstone abc"),
    ("update hub.publication set cycle = '20260304'", 5, "hub.publication 1"),
    ("delete from hub.publication_batch where batch_id = 7", 4, "publication 1 (20260303) batch 7"),
    # state rows
    ("update core.account set arrears_fen = 6 where arrears_fen = 5", 5, "core.account billing gd AC0001 (batch 2, row 1)"),
    ("update core.account set row_hash = 'x' where arrears_fen = 5", 5, "core.account billing gd AC0001 (batch 2, row 1)"),
    ("update core.account set recorded_to = 9 where arrears_fen = 5", 2, "core.account billing gd AC0001 at 2"),
    ("update core.account set address = 'x' where is_deleted", 5, "core.account billing gd AC0002 at 2"),
    ("update core.account set is_deleted = true where arrears_fen = 5", 5, "core.account billing gd AC0001 at 2"),
    ("update core.account set batch_id = 99 where arrears_fen = 5", 1, "core.account batch 99"),
    ("delete from core.account where arrears_fen = 5", 1, "core.account batch 2"),
    # facts
    (
        "update core.bill_item set tax_fen = 1 where batch_id = 7 and row_no = 4",
        5,
        "core.bill_item billing gd IT000005 (batch 7, row 4)",
    ),
    ("update core.bill_item set recorded_to = 7 where batch_id = 7 and row_no = 4", 2, "core.bill_item batch 7"),
    ("update core.bill_item set recorded_to = null where batch_id = 7 and row_no = 1", 3, "core.bill_item billing gd IT000001"),
    ("update core.bill_item set recorded_to = null where batch_id = 6 and row_no = 2", 2, "core.bill_item batch 6"),
    ("update core.bill_item set recorded_to = null where batch_id = 7 and row_no = 2", 2, "core.bill_item billing gd IT000002"),
    ("delete from core.bill_item where batch_id = 7 and row_no = 4", 1, "core.bill_item batch 7"),
    # derived and published
    ("update core.golden_customer set customer_name = '客戸'", 5, "core.golden_customer in publication 1 (20260303)"),
    ("update core.crosswalk set customer_key = 'CU0002'", 5, "core.crosswalk in publication 1 (20260303)"),
    ("update recon.breaks set money_fen = 1", 5, "recon.breaks in publication 1 (20260303)"),
]


@pytest.mark.parametrize(("statement", "invariant", "subject"), TOUCHED, ids=[case[0][:70] for case in TOUCHED])
def test_a_touched_row_is_named(full: TestStore, statement: str, invariant: int, subject: str) -> None:
    full.execute(statement)
    assert (invariant, subject) in {(finding.invariant, finding.subject) for finding in findings(full)}


def landed(store: TestStore) -> tuple[str, Path]:
    digest = store.value("select delivery #>> '{objects,0,sha256}' from hub.batch where batch_id = 2")
    return digest, store.folder / "landing" / "sha256" / digest[:2] / digest[2:]


def test_one_changed_byte_of_a_landed_object_is_named(full: TestStore) -> None:
    digest, path = landed(full)
    path.write_bytes(path.read_bytes().replace(b"AC0001", b"AC0002"))
    (found,) = findings(full)
    assert found.subject == f"landed object full_20260302_00.dat {digest[:12]}… of batch 2 (billing.account gd 20260302)"
    assert "changed" in found.detail


def test_bytes_that_are_gone_are_a_finding_unless_retention_took_them(full: TestStore) -> None:
    _, path = landed(full)
    kept = path.read_bytes()
    path.unlink()
    (found,) = findings(full)
    assert "no tombstone" in found.detail
    path.write_bytes(kept)
    expire(full.engine, full.landing, now(), by="Li Si", reason="older than the contract keeps")
    assert not path.exists()
    assert findings(full) == []


def test_a_second_set_of_derived_rows_after_publication_is_no_finding(full: TestStore) -> None:
    with full.engine.begin() as connection:
        seq = sequence.advance(connection)
        connection.execute(text("update recon.breaks set recorded_to = :seq"), {"seq": seq})
    assert findings(full) == []
