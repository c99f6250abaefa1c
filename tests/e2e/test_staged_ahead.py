"""A delivery is staged while it lands, for the gate to take: the same verdict whether it is still there or not."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.staging import Staged
from adapters.staging.ahead import LIFETIME
from hub.errors import RetryLater
from pipeline import Hub, gate, load, pull
from pipeline import staging as pipeline_staging
from pipeline.staging import workspace
from simulator import billing
from tests.e2e.conftest import BuildRig
from tests.e2e.spoilt import assert_sound, batches, quarantined, state_of
from tests.e2e.world import Rig

pytestmark = [pytest.mark.postgres, pytest.mark.e2e]
PROVINCE, NIGHT, MONTH = "gd", "20260304", "202602"
EXTRACT, FILES = ("orders.product_order", NIGHT), ("billing.bill_item", MONTH)


@dataclass(frozen=True)
class Pulled:
    rig: Rig
    hub: Hub
    feed_id: str
    period: str
    batch_ids: list[int]

    def copy(self) -> Hub:
        return self.rig.copy_of(self.hub)


@pytest.fixture(scope="module")
def rig(build_rig: BuildRig) -> Rig:
    rig = build_rig(customers=60)
    rig.play(NIGHT)
    names = billing.deliver_month(rig.world, MONTH, PROVINCE, rig.simulation.drop_directory(PROVINCE), resend=1, split_rows=500)
    assert sum("_01003_" in name for name in names) > 3, "a month in several files"
    return rig


@pytest.fixture(scope="module", params=[EXTRACT, FILES], ids=["extract", "files"])
def pulled(rig: Rig, request: pytest.FixtureRequest) -> Pulled:
    hub, (feed_id, period) = rig.new_hub(), request.param
    return Pulled(rig, hub, feed_id, period, pull(hub, feed_id, PROVINCE, period))


@pytest.fixture
def staged_anew(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Where the gate staged from landing."""
    real, seen = pipeline_staging.stage, []

    def watched(*arguments: object) -> Staged:
        seen.append(Path(str(arguments[-1])))
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline_staging, "stage", watched)
    return seen


def ahead_of(hub: Hub) -> list[Path]:
    return [path for path in (hub.settings.stage_dir / "ahead").rglob("*") if path.is_file()]


def said(pulled: Pulled, hub: Hub) -> object:
    """What the gate said, and what came of it."""
    load(hub, pulled.batch_ids)
    assert_sound(hub)
    [batch] = batches(hub.engine)
    return batch.account, batch.counts, quarantined(hub.engine), state_of(hub.engine, pulled.feed_id, PROVINCE)


def test_the_gate_judges_what_was_staged_ahead_as_what_it_stages_itself(pulled: Pulled, staged_anew: list[Path]) -> None:
    with_it, without = pulled.copy(), pulled.copy()
    shutil.rmtree(without.settings.stage_dir)
    gate(with_it, pulled.batch_ids)
    assert (staged_anew, ahead_of(with_it)) == ([], [])
    gate(without, pulled.batch_ids)
    assert len(staged_anew) == 1
    assert said(pulled, with_it) == said(pulled, without)
    assert quarantined(with_it.engine)


def test_what_another_program_staged_is_not_taken(
    pulled: Pulled, staged_anew: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A contract, or what a field means, may have been put right since."""
    hub = pulled.copy()
    monkeypatch.setattr(pipeline_staging, "_PROGRAM", "another")
    gate(hub, pulled.batch_ids)
    assert len(staged_anew) == 1


def test_a_gate_that_comes_again_stages_from_landing(pulled: Pulled, staged_anew: list[Path]) -> None:
    hub = pulled.copy()
    first, again = gate(hub, pulled.batch_ids), gate(hub, pulled.batch_ids)
    assert first == again
    assert len(staged_anew) == 1


def test_only_its_owner_reads_what_is_staged(pulled: Pulled) -> None:
    assert ahead_of(pulled.hub)
    assert (pulled.hub.settings.stage_dir / "ahead").stat().st_mode & 0o777 == 0o700
    hub = pulled.copy()
    gate(hub, pulled.batch_ids)
    assert workspace(hub, pulled.batch_ids[0]).stat().st_mode & 0o777 == 0o700


def test_a_pull_that_fails_after_landing_leaves_nothing_staged(pulled: Pulled, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = pulled.rig.new_hub()

    def unreachable(*_: object) -> None:
        raise RetryLater("the store does not answer")

    monkeypatch.setattr("store.ledger.receive", unreachable)
    with pytest.raises(RetryLater, match="the store"):
        pull(hub, pulled.feed_id, PROVINCE, pulled.period)
    assert list((hub.settings.home / "landing").rglob("*"))
    assert ahead_of(hub) == []


def test_any_pull_sweeps_what_no_gate_came_for(pulled: Pulled) -> None:
    hub = pulled.copy()
    [kept] = (hub.settings.stage_dir / "ahead").iterdir()
    pull(hub, "crm.contact", PROVINCE, NIGHT)
    assert kept.exists()
    yesterday = time.time() - LIFETIME.total_seconds() - 60
    os.utime(kept, (yesterday, yesterday))
    pull(hub, "crm.contact", PROVINCE, NIGHT)
    assert not kept.exists()
