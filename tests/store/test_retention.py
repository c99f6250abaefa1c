"""Landed bytes go by decision only, and never those that a batch still has to be loaded from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from hub.errors import NotAllowed, RetryLater
from hub.periods import now
from schemas.batch import Delivery, Kind, Layout
from store import retention
from store.finding import Finding
from store.landing import Landing
from store.retention import due, expire, hold
from store.verify import verify
from tests.store.conftest import TestStore, account_row, at

pytestmark = pytest.mark.postgres
LI_SI = {"by": "Li Si", "reason": "contract over"}


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
    """The periods of what is due that landed so many days ago or earlier, each once."""
    return list(dict.fromkeys(row["period"] for row in due(store.engine, store.landing, now() - timedelta(days=days))))


def findings(store: TestStore) -> list[Finding]:
    return verify(store.engine, store.landing, lambda batch, folder: store.staged[batch.batch_id].rows)


def stones(store: TestStore) -> set[str]:
    with store.engine.connect() as connection:
        return set(connection.execute(text("select reason from hub.tombstone")).scalars())


def delivered(store: TestStore, period: str) -> Delivery:
    with store.engine.connect() as connection:
        manifest = connection.execute(text(f"select delivery from hub.batch where period = '{period}'")).scalar_one()
    return Delivery.model_validate(manifest)


def test_what_landed_before_the_day_is_due(store: TestStore) -> None:
    assert periods(store) == ["20260301", "20260302", "20260303"]
    change(store, "landed_at = landed_at - interval '100 days'", "20260302")
    assert periods(store, days=90) == ["20260302"]


def test_no_day_to_come_is_taken(store: TestStore) -> None:
    with pytest.raises(NotAllowed, match="has not begun"):
        due(store.engine, store.landing, now() + timedelta(days=1))


@pytest.mark.parametrize("state", ["landed", "gated"])
def test_what_is_still_to_be_loaded_stays(store: TestStore, state: str) -> None:
    change(store, f"state = '{state}'", "20260302")
    assert periods(store) == ["20260301", "20260303"]


def test_bytes_of_two_batches_stay_until_both_are_due(store: TestStore) -> None:
    change(store, "landed_at = landed_at - interval '100 days'", "20260301")
    change(store, "delivery = (select delivery from hub.batch where period = '20260303')", "20260301")
    assert periods(store, days=90) == []


@pytest.mark.parametrize("at_once", [1, 500])
def test_expired_bytes_are_gone_and_nothing_is_missed(store: TestStore, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", at_once)
    gone = expire(store.engine, store.landing, now(), **LI_SI)
    assert gone
    assert not any(store.landing.holds(row["sha256"]) for row in gone)
    assert due(store.engine, store.landing, now()) == []
    assert (stones(store), findings(store)) == ({"Li Si: contract over"}, [])


def test_bytes_that_landed_again_are_missed_when_they_are_taken_away_by_hand(store: TestStore) -> None:
    """Their tombstone speaks of those before them."""
    gone = {row["sha256"] for row in expire(store.engine, store.landing, now(), **LI_SI)}
    store.put("billing.account", "20260303", [account_row(1, at(3))], resend=1)
    [again] = (sha256 for sha256 in gone if store.landing.holds(sha256))
    assert findings(store) == []
    store.landing.remove(again)
    assert {found.detail for found in findings(store)} == {"its bytes are gone, and no tombstone says why"}


def test_what_lands_while_it_expires_stays(store: TestStore, monkeypatch: pytest.MonkeyPatch) -> None:
    found = due(store.engine, store.landing, now())
    monkeypatch.setattr(retention, "due", lambda *_: found)
    change(store, "state = 'gated'", "20260302")
    gone = expire(store.engine, store.landing, now(), **LI_SI)
    assert {row["period"] for row in gone} == {"20260301", "20260303"}
    assert all(store.landing.holds(item.sha256) for item in delivered(store, "20260302").objects)


def test_a_delivery_whose_bytes_expired_before_the_ledger_knew_of_it_is_pulled_again(store: TestStore) -> None:
    item = store.landing.put("a.dat", [b"bytes that land"])
    delivery = Delivery(kind=Kind.FULL, resend=0, layout=Layout.DELIMITED, objects=(item,))
    with store.engine.begin() as connection:
        hold(connection, store.landing, delivery)
    store.landing.remove(item.sha256)
    with store.engine.begin() as connection, pytest.raises(RetryLater, match="pull it again"):
        hold(connection, store.landing, delivery)


def test_a_kill_between_tombstone_and_bytes_is_made_good(store: TestStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(Landing, "remove", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            expire(store.engine, store.landing, now(), **LI_SI)
    assert (periods(store), findings(store)) == (["20260301", "20260302", "20260303"], [])
    expire(store.engine, store.landing, now(), by="Zhang San", reason="again")
    assert (periods(store), findings(store), stones(store)) == ([], [], {"Zhang San: again"})


@pytest.mark.parametrize("said", [{"by": " ", "reason": "contract over"}, {"by": "Li Si", "reason": ""}])
def test_nothing_goes_without_a_name_and_a_reason(store: TestStore, said: dict[str, str]) -> None:
    with pytest.raises(NotAllowed, match="reason"):
        expire(store.engine, store.landing, now(), **said)
    assert len(periods(store)) == 3
