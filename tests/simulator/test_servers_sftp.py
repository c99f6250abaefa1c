"""Billing's SFTP server, met by paramiko."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko
import pytest

from simulator.servers.faults import Fault, FaultBoard, FaultKind
from simulator.servers.sftp import SftpServer
from simulator.servers.tokens import Login

LOGIN = Login("billing", "s3cret")
BIG = b"0123456789" * 100_000


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[SftpServer, FaultBoard]]:
    (tmp_path / "outside.txt").write_text("not yours")
    drop = tmp_path / "root" / "drop"
    drop.mkdir(parents=True)
    (drop / "i_js_20260305_01001_00_001.dat").write_bytes(BIG)
    (drop / "empty.dat").write_bytes(b"")
    board = FaultBoard()
    server = SftpServer(tmp_path / "root", LOGIN, board)
    server.start()
    try:
        yield server, board
    finally:
        server.stop()


@contextmanager
def connected(server: SftpServer, password: str = LOGIN.password, host_key: str | None = None) -> Iterator[paramiko.SFTPClient]:
    """Accepts no other host key than the one the server shows."""
    kind, body = (host_key or server.host_key).split()
    client = paramiko.SSHClient()
    client.get_host_keys().add(f"[127.0.0.1]:{server.port}", kind, paramiko.PKey.from_type_string(kind, base64.b64decode(body)))
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    with client:
        client.connect(
            "127.0.0.1", server.port, LOGIN.name, password, allow_agent=False, look_for_keys=False, timeout=20, auth_timeout=20
        )
        yield client.open_sftp()


def read(sftp: paramiko.SFTPClient, timeout: float = 20) -> bytes:
    sftp.get_channel().settimeout(timeout)  # type: ignore[union-attr]
    with sftp.open("/drop/i_js_20260305_01001_00_001.dat", "rb") as file:
        return file.read()


def test_files_are_listed_read_and_answered(served: tuple[SftpServer, FaultBoard]) -> None:
    with connected(served[0]) as sftp:
        assert sorted(sftp.listdir("/drop")) == ["empty.dat", "i_js_20260305_01001_00_001.dat"]
        assert read(sftp) == BIG
        with sftp.open("/drop/f_reply.tmp", "wb") as reply:
            reply.write(b"00")
        sftp.rename("/drop/f_reply.tmp", "/drop/f_reply.dat")
        assert sftp.stat("/drop/f_reply.dat").st_size == 2


def test_nothing_outside_the_drop_can_be_reached(served: tuple[SftpServer, FaultBoard]) -> None:
    with connected(served[0]) as sftp:
        assert sftp.listdir("/") == ["drop"]
        with pytest.raises(FileNotFoundError):
            sftp.stat("/../outside.txt")


def test_wrong_password_and_another_host_key_are_refused(served: tuple[SftpServer, FaultBoard], tmp_path: Path) -> None:
    server, _ = served
    with pytest.raises(paramiko.AuthenticationException), connected(server, password="wrong"):
        pass
    other_key = SftpServer(tmp_path, LOGIN, FaultBoard()).host_key
    with pytest.raises(paramiko.BadHostKeyException), connected(server, host_key=other_key):
        pass


def test_refused_login_passes(served: tuple[SftpServer, FaultBoard]) -> None:
    server, board = served
    board.add(Fault(FaultKind.REFUSE_LOGIN, "billing", "js"))
    with pytest.raises(paramiko.AuthenticationException), connected(server):
        pass
    with connected(server) as sftp:
        assert sftp.listdir("/") == ["drop"]


def test_connection_ends_amid_a_file_once(served: tuple[SftpServer, FaultBoard]) -> None:
    server, board = served
    number = board.add(Fault(FaultKind.DROP_CONNECTION, "billing", after_bytes=300_000))
    with pytest.raises((OSError, EOFError, paramiko.SSHException)), connected(server) as sftp:
        read(sftp)
    assert board.struck(number) == 1
    with connected(server) as sftp:
        assert read(sftp) == BIG


def test_a_silent_server_times_out(served: tuple[SftpServer, FaultBoard]) -> None:
    server, board = served
    board.add(Fault(FaultKind.HANG, "billing"))
    with connected(server) as sftp, pytest.raises(TimeoutError):
        read(sftp, timeout=0.3)


def test_stopping_ends_open_connections(served: tuple[SftpServer, FaultBoard]) -> None:
    with connected(served[0]) as sftp:
        served[0].stop()
        with pytest.raises((OSError, EOFError, paramiko.SSHException)):
            sftp.listdir("/drop")
