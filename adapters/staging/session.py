"""The DuckDB session everything on staged batches runs in: in memory, in Shanghai's time, nothing loaded from outside."""

from __future__ import annotations

import duckdb


def session(threads: int) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(
        config={"threads": threads, "autoinstall_known_extensions": False, "allow_unsigned_extensions": False}
    )
    connection.execute("SET TimeZone = 'Asia/Shanghai'")
    return connection
