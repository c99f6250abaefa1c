"""An extract is staged while it lands, for the gate to take: the same verdict whether it is still there or not."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from adapters.staging import Staged
from adapters.transports.patience import Patience
from hub.errors import RetryLater
from pipeline import Hub, gate, load, pull
from pipeline import staging as pipeline_staging
from simulator.servers.faults import Fault, FaultKind
from tests.e2e.conftest import BuildRig
from tests.e2e.spoilt import assert_sound, batches, quarantined, state_of
from tests.e2e.world import Rig

pytestmark = [pytest.mark.postgres, pytest.mark.e2e]
FEED, PROVINCE, NIGHT = "orders.product_order", "gd", "20260304"


@dataclass(frozen=True)
class Pulled:
    rig: Rig
    hub: Hub
    batch_ids: list[int]

    def copy(self) -> Hub:
        return self.rig.copy_of(self.hub)


@pytest.fixture(scope="module")
def pulled(build_rig: BuildRig) -> Pulled:
    rig = build_rig(customers=60)
    rig.play(NIGHT)
    hub = rig.new_hub()
    return Pulled(rig, hub, pull(hub, FEED, PROVINCE, NIGHT))


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


def said(hub: Hub, batch_ids: list[int]) -> object:
    """What the gate said, and what came of it."""
    load(hub, batch_ids)
    assert_sound(hub)
    [batch] = batches(hub.engine)
    return batch.account, batch.counts, quarantined(hub.engine), state_of(hub.engine, FEED, PROVINCE)


def test_the_gate_judges_what_was_staged_ahead_as_what_it_stages_itself(pulled: Pulled, staged_anew: list[Path]) -> None:
    with_it, without = pulled.copy(), pulled.copy()
    shutil.rmtree(without.settings.stage_dir)
    gate(with_it, pulled.batch_ids)
    assert (staged_anew, ahead_of(with_it)) == ([], [])
    gate(without, pulled.batch_ids)
    assert len(staged_anew) == 1
    assert said(with_it, pulled.batch_ids) == said(without, pulled.batch_ids)
    assert quarantined(with_it.engine)


def test_what_another_program_staged_is_not_taken(
    pulled: Pulled, staged_anew: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A contract, or what a field means, may have been put right since."""
    hub = pulled.copy()
    monkeypatch.setattr(pipeline_staging, "program_digest", lambda *_: "f" * 64)
    gate(hub, pulled.batch_ids)
    assert len(staged_anew) == 1


def test_a_gate_that_comes_again_stages_from_landing(pulled: Pulled, staged_anew: list[Path]) -> None:
    hub = pulled.copy()
    first, again = gate(hub, pulled.batch_ids), gate(hub, pulled.batch_ids)
    assert first == again
    assert len(staged_anew) == 1


def test_only_its_owner_reads_what_was_staged_ahead(pulled: Pulled) -> None:
    for folder in (pulled.hub.settings.stage_dir / "ahead").iterdir():
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_pull_that_fails_leaves_nothing_staged(pulled: Pulled, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = pulled.copy()
    monkeypatch.setattr("adapters.feeds.Patience", partial(Patience, attempts=1))
    pulled.rig.simulation.fault(Fault(FaultKind.DROP_CONNECTION, "orders", PROVINCE, None, times=None, after_bytes=12_000))
    try:
        with pytest.raises(RetryLater):
            pull(hub, FEED, PROVINCE, NIGHT)
    finally:
        pulled.rig.simulation.clear_faults()
    assert ahead_of(hub) == []


def test_what_no_gate_came_for_goes_after_a_day(pulled: Pulled) -> None:
    hub = pulled.copy()
    old, young = (hub.settings.stage_dir / "ahead" / name for name in ("old", "young"))
    for folder in (old, young):
        folder.mkdir()
        (folder / "rows-00000.parquet").touch()
    yesterday = time.time() - pipeline_staging.AHEAD_LIFETIME.total_seconds() - 60
    os.utime(old, (yesterday, yesterday))
    pull(hub, "orders.work_order", PROVINCE, NIGHT)
    assert (old.exists(), young.exists()) == (False, True)
