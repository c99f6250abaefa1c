"""Worlds small enough to look through whole."""

from __future__ import annotations

import pytest

from simulator.dirt import DirtRates
from simulator.world import World


@pytest.fixture(scope="session")
def small_world() -> World:
    return World(customers=300)


@pytest.fixture(scope="session")
def default_world() -> World:
    return World()


@pytest.fixture(scope="session")
def clean_world() -> World:
    return World(customers=300, dirt=DirtRates.clean())
