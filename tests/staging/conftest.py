"""A landing for tests that need no store."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.adapters.sinks import DirectorySink


@pytest.fixture
def landing(tmp_path: Path) -> DirectorySink:
    return DirectorySink(tmp_path / "landing")
