"""The embedded server: shared, left when the last user leaves, and found again after a crash."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from hub.settings import Settings
from store.server import EmbeddedServer, _running, embedded_server, ensure_databases, store_server
from tests.conftest import THROWAWAY_CONFIG

pytestmark = pytest.mark.postgres


@pytest.fixture
def root() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="bsshub-server-"))
    yield path
    shutil.rmtree(path)


def answer(url: str, query: str) -> object:
    engine = create_engine(url)
    with engine.connect() as connection:
        value = connection.execute(text(query)).scalar()
    engine.dispose()
    return value


def test_a_named_server_is_taken_as_it_is(root: Path) -> None:
    with store_server(Settings(root, "postgresql+psycopg://elsewhere/x", "file:///nowhere")) as url:
        assert url == "postgresql+psycopg://elsewhere/x"
    assert list(root.iterdir()) == []


def test_two_users_share_one_server_and_the_last_one_stops_it(root: Path) -> None:
    with embedded_server(root, THROWAWAY_CONFIG) as first:
        with embedded_server(root, THROWAWAY_CONFIG) as second:
            assert second == first
        assert answer(first.url("postgres"), "select 1") == 1
    assert _running(root) is None


def test_a_killed_user_leaves_a_server_that_the_next_one_takes_over_and_stops(root: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from store.server import embedded_server\n"
        "with embedded_server(Path(sys.argv[1])) as server:\n"
        "    print(server.port, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(root)], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    with embedded_server(root, THROWAWAY_CONFIG) as server:
        assert server.port == int(done.stdout)
    assert _running(root) is None


def test_a_killed_server_leaves_a_pid_file_that_does_not_stop_the_next_start(root: Path) -> None:
    with embedded_server(root, THROWAWAY_CONFIG):
        pid = int((root / "data" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGKILL)
    with embedded_server(root, THROWAWAY_CONFIG) as server:
        assert answer(server.url("postgres"), "select 1") == 1


def test_databases_sort_by_bytes_in_utf8_and_are_made_once(pg_server: EmbeddedServer) -> None:
    ensure_databases(pg_server.url("postgres"), ["sorted_by_bytes"])
    ensure_databases(pg_server.url("postgres"), ["sorted_by_bytes"])
    query = "select datcollate || ' ' || pg_encoding_to_char(encoding) from pg_database where datname = 'sorted_by_bytes'"
    assert answer(pg_server.url("sorted_by_bytes"), query) == "C UTF8"


def test_loopback_asks_for_the_password(pg_server: EmbeddedServer) -> None:
    assert answer(pg_server.tcp_url("postgres"), "select 1") == 1
    without = f"postgresql+psycopg://postgres:wrong@127.0.0.1:{pg_server.port}/postgres"
    with pytest.raises(Exception, match="password authentication failed"):
        answer(without, "select 1")


def test_the_socket_is_closed_to_other_users(pg_server: EmbeddedServer) -> None:
    assert pg_server.socket_dir.stat().st_mode & 0o077 == 0
