"""The DuckDB session everything on staged batches runs in: in memory, in Shanghai's time, nothing loaded from outside."""

from __future__ import annotations

import duckdb


def session(threads: int) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(
        config={"threads": threads, "autoinstall_known_extensions": False, "allow_unsigned_extensions": False}
    )
    connection.execute("SET TimeZone = 'Asia/Shanghai'")
    return connection


def typing_session() -> duckdb.DuckDBPyConnection:
    """In which rows come back from `typing_sql.typed_rows` in their order: no list of values becomes a join."""
    connection = session(threads=1)
    connection.execute("SET disabled_optimizers = 'in_clause'")
    return connection
