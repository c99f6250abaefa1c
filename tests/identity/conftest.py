from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

for _name in ("scene", "worlds", "linkage", "nightly", "played"):
    if _name not in sys.modules:
        _spec = importlib.util.spec_from_file_location(_name, Path(__file__).parent / f"{_name}.py")
        assert _spec
        assert _spec.loader
        sys.modules[_name] = importlib.util.module_from_spec(_spec)
        _spec.loader.exec_module(sys.modules[_name])


@pytest.fixture
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty DuckDB in memory, in Shanghai's time zone."""
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    connection.execute("set timezone = 'Asia/Shanghai'")
    yield connection
    connection.close()
