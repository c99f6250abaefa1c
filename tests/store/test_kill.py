"""A load killed at any instant and run again leaves the store of an undisturbed run (invariant 2)."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from schemas.batch import Kind
from store.checksums import checksums
from tests.store.conftest import TestStore, account_row, at, item_row

pytestmark = pytest.mark.postgres

# The child loads the batch and dies by SIGKILL before (or after) the named step.
CHILD = """
import importlib, os, signal, sys
from pathlib import Path
from sqlalchemy import create_engine
from store.loading import load_batch
from store.staged import StagedRows
url, batch, rows, verdict, module, step, when = sys.argv[1:]
room = importlib.import_module(module)
real = getattr(room, step)
def dying(*args, **options):
    if when == "after":
        real(*args, **options)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(room, step, dying)
load_batch(create_engine(url), int(batch), StagedRows(rows, Path(verdict)))
"""

STATE_STEPS = [
    ("store.merge", "state_rows", "before"),
    ("store.merge", "held_rows", "before"),
    ("store.sequence", "advance", "after"),
    ("store.ledger", "record_load", "before"),
    ("store.ledger", "record_load", "after"),
    ("store.work", "clear_orphans", "after"),
]
FACT_STEPS = [
    ("store.facts", "build_key", "before"),
    ("store.facts", "build_key", "after"),
    ("store.facts", "attach", "before"),
    ("store.facts", "attach", "after"),
    ("store.ledger", "record_superseded", "after"),
    ("store.ledger", "record_load", "after"),
]


def kill(store: TestStore, batch_id: int, module: str, step: str, when: str) -> None:
    staged = store.staged[batch_id]
    url = store.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", CHILD, url, str(batch_id), staged.rows, str(staged.verdict), module, step, when]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def at_rest(store: TestStore) -> dict[str, str]:
    assert store.value("select count(*) from pg_tables where schemaname = 'work'") == 0
    return checksums(store.engine)


def test_a_killed_merge_run_again(store: TestStore) -> None:
    store.put("billing.account", "20260301", [account_row(n, at(1)) for n in (1, 2)])
    batch = store.deliver("billing.account", "20260302", [account_row(1, at(2)), account_row(3, at(2))])
    before = at_rest(store)
    for module, step, when in STATE_STEPS:
        kill(store, batch, module, step, when)
        assert checksums(store.engine) == before
    counts = store.load(batch)
    assert (counts.updated, counts.inserted, counts.vanished) == (1, 1, 1)
    after = at_rest(store)
    assert store.load(batch) == counts
    assert at_rest(store) == after


def test_a_killed_partition_run_again(store: TestStore) -> None:
    month = "billing.bill_item"
    store.put(month, "202602", [item_row(n) for n in (1, 2)])
    store.put(month, "202602", [item_row(1)], kind=Kind.CORRECTION_DELETE)
    batch = store.deliver(month, "202602", [item_row(n) for n in (1, 2, 3)], resend=1)
    before = at_rest(store)
    for module, step, when in FACT_STEPS:
        kill(store, batch, module, step, when)
        assert checksums(store.engine) == before
    counts = store.load(batch)
    assert (counts.inserted, counts.stale) == (2, 1)
    assert store.value("select state from hub.batch where batch_id = 1") == "superseded"
    at_rest(store)
