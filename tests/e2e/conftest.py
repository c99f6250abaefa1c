"""Rigs for tests of the whole road."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.e2e.world import NewDatabase, Rig, running_rig

BuildRig = Callable[..., Rig]


@pytest.fixture(scope="module")
def build_rig(tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase, store_template: str) -> Iterator[BuildRig]:
    """Starts a rig of its own with the keywords of `running_rig`; all end with the module."""
    with ExitStack() as running:

        def build(**options: object) -> Rig:
            home = tmp_path_factory.mktemp("rig")
            return running.enter_context(running_rig(home, new_database, store_template, **options))  # type: ignore[arg-type]

        yield build
