"""Every feed of both provinces, fetched from the simulated systems at their rudest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.feeds import FEEDS, PROVINCES, open_source
from adapters.protocol import PullRequest
from adapters.transports.patience import Patience
from hub.periods import ends_at, period_for_cycle
from hub.settings import connection_id, environment_connection
from schemas.batch import Layout, Window
from schemas.contract import Mode
from simulator.servers.rudeness import Rudeness
from simulator.simulation import Simulation
from simulator.world import BASE_NIGHT, World
from tests.adapters.sinks import DirectorySink

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def simulation(tmp_path_factory: pytest.TempPathFactory, new_database: Callable[..., str]) -> Iterator[Simulation]:
    urls = {province: new_database() for province in PROVINCES}
    rude = replace(Rudeness(), soap_delay_s=0.0)
    with Simulation(tmp_path_factory.mktemp("simulated"), World(seed=3, customers=60), urls, rude) as running:
        running.play(BASE_NIGHT)
        yield running


@pytest.mark.parametrize("province", PROVINCES)
@pytest.mark.parametrize("feed_id", list(FEEDS))
def test_a_feed_is_fetched_and_probed(
    simulation: Simulation, feed_id: str, province: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in simulation.connections().items():
        monkeypatch.setenv(name, value)
    contract = FEEDS[feed_id].contract
    period = period_for_cycle(BASE_NIGHT, contract.period)
    window = Window(since=None, before=ends_at(period)) if contract.mode is Mode.INCREMENTAL else None
    connection = environment_connection(connection_id(contract.system, province))
    source = open_source(feed_id, province, connection, Patience(attempts=8, sleep=lambda _seconds: None))
    sink = DirectorySink(tmp_path)
    assert "agreed" in (detail := source.probe(contract).detail) or "not among" in detail
    base, *_ = source.fetch(PullRequest(contract, province, period, window), sink)
    source.close()
    assert base.declared_rows
    if base.layout in {Layout.FIXED, Layout.DELIMITED}:
        assert sum(content.count(b"\r\n") for content in sink.contents(base)) == base.declared_rows
    assert base.objects
    assert base.window == window
