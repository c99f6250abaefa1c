"""Landed bytes go by decision only, and never those that a batch still has to be loaded from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from hub.errors import NotAllowed
from hub.periods import now
from store.landing import Landing
from store.retention import due, expire
from store.verify import verify
from tests.store.conftest import TestStore, account_row, at

pytestmark = pytest.mark.postgres


@pytest.fixture
def store(store_engine: Engine, tmp_path: Path) -> Iterator[TestStore]:
    """Three nights of accounts."""
    store = TestStore(store_engine, tmp_path, Landing((tmp_path / "landing").as_uri()))
    for day in (1, 2, 3):
        store.put("billing.account", f"2026030{day}", [account_row(1, at(day))])
    return store


def change(store: TestStore, assignment: str, period: str) -> None:
    with store.engine.begin() as connection:
        connection.execute(text(f"update hub.batch set {assignment} where period = '{period}'"))


def periods(store: TestStore, *, days: int = 0) -> list[str]:
    return [row["period"] for row in due(store.engine, store.landing, now() - timedelta(days=days))]


def test_what_landed_before_the_day_is_due(store: TestStore) -> None:
    assert periods(store) == ["20260301", "20260302", "20260303"]
    change(store, "landed_at = landed_at - interval '100 days'", "20260302")
    assert periods(store, days=90) == ["20260302"]


@pytest.mark.parametrize("state", ["landed", "gated"])
def test_what_is_still_to_be_loaded_stays(store: TestStore, state: str) -> None:
    change(store, f"state = '{state}'", "20260302")
    assert periods(store) == ["20260301", "20260303"]


def test_bytes_of_two_batches_stay_until_both_are_due(store: TestStore) -> None:
    change(store, "landed_at = landed_at - interval '100 days'", "20260301")
    change(store, "delivery = (select delivery from hub.batch where period = '20260303')", "20260301")
    assert periods(store, days=90) == []


def test_expired_bytes_are_gone_and_doing_it_again_changes_nothing(store: TestStore) -> None:
    gone = [row["sha256"] for row in due(store.engine, store.landing, now())]
    for _ in range(2):
        expire(store.engine, store.landing, gone, "contract over")
        assert not any(store.landing.holds(sha256) for sha256 in gone)
        assert due(store.engine, store.landing, now()) == []
    with store.engine.connect() as connection:
        events = connection.execute(text("select count(*) from hub.journal where event = 'object expired'")).scalar()
    assert events == 3
    assert verify(store.engine, store.landing, lambda batch, folder: store.staged[batch.batch_id].rows) == []


def test_a_kill_between_tombstone_and_bytes_is_made_good(store: TestStore, monkeypatch: pytest.MonkeyPatch) -> None:
    (first, *_) = [row["sha256"] for row in due(store.engine, store.landing, now())]
    with monkeypatch.context() as killed:
        killed.setattr(Landing, "remove", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            expire(store.engine, store.landing, [first], "contract over")
    assert store.landing.holds(first)
    again = [row["sha256"] for row in due(store.engine, store.landing, now())]
    expire(store.engine, store.landing, again, "contract over")
    assert not store.landing.holds(first)


def test_nothing_goes_without_a_reason(store: TestStore) -> None:
    gone = [row["sha256"] for row in due(store.engine, store.landing, now())]
    with pytest.raises(NotAllowed, match="reason"):
        expire(store.engine, store.landing, gone, " ")
    assert all(store.landing.holds(sha256) for sha256 in gone)
