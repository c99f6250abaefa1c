"""DuckDB beside the store: reads staged Parquet, writes to PostgreSQL by binary COPY through the postgres extension."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from sqlalchemy import URL

from hub.errors import FixConnection, RetryLater
from hub.logging import redact

ATTACHED = "store"


@contextmanager
def session(url: URL, *, threads: int = 1, memory: str = "384MB", read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB session with the store attached as `store`. Tables made after this begins are not seen by it.

    Nothing is installed or loaded from outside; what does not fit in `memory` spills to a folder that goes with the session.
    Raises RetryLater where the store does not answer.
    """
    with tempfile.TemporaryDirectory(prefix="bsshub-duck-") as folder:
        connection = duckdb.connect(
            config={
                "threads": threads,
                "memory_limit": memory,
                "temp_directory": folder,
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
        )
        try:
            connection.execute("set TimeZone = 'Asia/Shanghai'")
            _load_extension(connection, Path(folder))
            _attach(connection, url, read_only=read_only)
            yield connection
        finally:
            connection.close()


def _load_extension(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """DuckDB finds an extension's entry point by the file's name, which the wheel shortens; hence the link."""
    spec = importlib.util.find_spec("duckdb_extension_postgres")
    if spec is None or spec.origin is None:
        raise FixConnection("the package duckdb-extension-postgres is not installed")
    file = Path(spec.origin).parent / "extensions" / f"v{duckdb.__version__}" / "postgres.duckdb_extension"
    link = folder / "postgres_scanner.duckdb_extension"
    link.symlink_to(file)
    connection.execute(f"load {literal(link)}")


def _attach(connection: duckdb.DuckDBPyConnection, url: URL, *, read_only: bool) -> None:
    options = {
        "host": url.host or url.query.get("host"),
        "port": url.port or url.query.get("port"),
        "user": url.username,
        "password": url.password,
        "database": url.database,
    }
    given = ", ".join(f"{key} {literal(value)}" for key, value in options.items() if value is not None)
    mode = ", read_only" if read_only else ""
    try:
        # A secret, not a connection string: DuckDB quotes the string in its errors.
        connection.execute(f"create secret store_login (type postgres, {given})")
        connection.execute(f"attach '' as {ATTACHED} (type postgres, secret store_login{mode})")
    except duckdb.Error as error:
        raise RetryLater(f"the store does not answer: {redact(str(error))[:500]}") from None


def literal(value: object) -> str:
    """The value as an SQL string literal."""
    return "'" + str(value).replace("'", "''") + "'"
