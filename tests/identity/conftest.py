from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

_SPEC = importlib.util.spec_from_file_location("scene", Path(__file__).parent / "scene.py")
assert _SPEC
assert _SPEC.loader
if "scene" not in sys.modules:
    sys.modules["scene"] = importlib.util.module_from_spec(_SPEC)
    _SPEC.loader.exec_module(sys.modules["scene"])


@pytest.fixture
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty DuckDB in memory, in Shanghai's time zone."""
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    connection.execute("set timezone = 'Asia/Shanghai'")
    yield connection
    connection.close()
