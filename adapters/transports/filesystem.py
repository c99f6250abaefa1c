"""A drop seen as a flat directory, local or over SFTP. Foreign exceptions become the hub's errors here, and only here."""

from __future__ import annotations

import base64
import binascii
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from typing import Protocol, TypeVar

import paramiko

from adapters.transports.patience import Patience
from hub.errors import FixConnection, HubError, RetryLater
from hub.settings import Connection

PIECE = 1 << 22
# The largest read every SFTP server answers in one piece; a window of them is kept in flight, and no more in memory.
SFTP_PIECE = 1 << 15

Result = TypeVar("Result")


class FileSystem(Protocol):
    """`sizes` maps the name of every regular file to its bytes; `read` yields a file's bytes from `offset`, in pieces of at
    most 4 MiB. Both raise RetryLater or FixConnection; FileNotFoundError only where that one file is gone."""

    def sizes(self) -> dict[str, int]: ...

    def read(self, name: str, offset: int = 0) -> Iterator[bytes]: ...

    def close(self) -> None: ...


def open_file_system(connection: Connection, patience: Patience) -> FileSystem:
    """`file` or `sftp`, by the connection's type; its schema is the directory's path."""
    if not connection.schema:
        raise FixConnection(f"{connection} names no directory (schema)", conn_id=connection.conn_id)
    if connection.conn_type == "file":
        return LocalFiles(connection)
    if connection.conn_type == "sftp":
        return SftpFiles(connection, patience)
    raise FixConnection(f"{connection}: conn_type must be file or sftp", conn_id=connection.conn_id)


class LocalFiles:
    def __init__(self, connection: Connection) -> None:
        self._root = Path(connection.schema)
        self._where = f"{connection.conn_id} ({self._root})"

    def __str__(self) -> str:
        return self._where

    def sizes(self) -> dict[str, int]:
        try:
            with os.scandir(self._root) as entries:
                return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}
        except OSError as error:
            raise self._error(error, "list") from None

    def read(self, name: str, offset: int = 0) -> Iterator[bytes]:
        try:
            with (self._root / name).open("rb", buffering=0) as file:
                file.seek(offset)
                while piece := file.read(PIECE):
                    yield piece
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self._error(error, f"read {name}") from None

    def close(self) -> None:
        """Nothing is held open."""

    def _error(self, error: OSError, what: str) -> HubError:
        wrong = {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM}
        kind = FixConnection if error.errno in wrong else RetryLater
        return kind(f"{self._where}: cannot {what}: {os.strerror(error.errno or 0)}", where=self._where, errno=error.errno)


class SftpFiles:
    """Connects when first asked, and anew after a failure.

    The server's key must be the connection's extra `host_key` (`ssh-ed25519 AAAA…`). Extra `no_host_key_check: true` takes
    any key; `key_file` is a private key's path, used beside the password.
    """

    def __init__(self, connection: Connection, patience: Patience) -> None:
        self._connection = connection
        self._patience = patience
        self._where = str(connection)
        self._client: paramiko.SSHClient | None = None
        self._channel: paramiko.SFTPClient | None = None

    def __str__(self) -> str:
        return self._where

    def sizes(self) -> dict[str, int]:
        def listed() -> dict[str, int]:
            entries = self._sftp().listdir_iter(self._connection.schema)
            return {entry.filename: entry.st_size or 0 for entry in entries if S_ISREG(entry.st_mode or 0)}

        return self._mapped(listed, "list")

    def read(self, name: str, offset: int = 0) -> Iterator[bytes]:
        path = f"{self._connection.schema.rstrip('/')}/{name}"
        file, size = self._mapped(lambda: self._open(path), f"open {name}", one_file=True)
        try:
            while offset < size:
                window = _windows(offset, min(offset + PIECE, size))
                piece = self._mapped(lambda window=window: b"".join(file.readv(window)), f"read {name}")  # type: ignore[misc]
                if not piece:
                    raise RetryLater(f"{self._where}: {name} ended at byte {offset} of {size}", where=self._where, file=name)
                offset += len(piece)
                yield piece
        finally:
            with suppress(OSError, EOFError, paramiko.SSHException):
                file.close()

    def close(self) -> None:
        client, self._client, self._channel = self._client, None, None
        if client is not None:
            client.close()

    def _open(self, path: str) -> tuple[paramiko.SFTPFile, int]:
        file = self._sftp().open(path, "rb")
        return file, file.stat().st_size or 0

    def _sftp(self) -> paramiko.SFTPClient:
        if self._channel is None:
            self._client = self._connect()
            channel = self._client.open_sftp()
            channel.get_channel().settimeout(self._patience.read_seconds)  # type: ignore[union-attr]
            self._channel = channel
        return self._channel

    def _connect(self) -> paramiko.SSHClient:
        connection, seconds = self._connection, self._patience.connect_seconds
        port = connection.port or 22
        client = paramiko.SSHClient()
        if connection.extra.get("host_key"):
            key = _host_key(connection)
            name = connection.host if port == 22 else f"[{connection.host}]:{port}"
            client.get_host_keys().add(name, key.get_name(), key)
        elif str(connection.extra.get("no_host_key_check", "")).lower() == "true":
            client.set_missing_host_key_policy(paramiko.AutoAddPolicy())  # noqa: S507 - by the connection's explicit wish
        else:
            raise FixConnection(f"{self._where}: extra host_key is missing, so the server cannot be told from an impostor")
        try:
            client.connect(
                connection.host,
                port,
                username=connection.login,
                password=connection.password.get_secret_value() or None,
                key_filename=str(connection.extra["key_file"]) if "key_file" in connection.extra else None,
                timeout=seconds,
                banner_timeout=seconds,
                auth_timeout=seconds,
                channel_timeout=seconds,
                allow_agent=False,
                look_for_keys=False,
            )
        except BaseException:
            client.close()
            raise
        return client

    def _mapped(self, action: Callable[[], Result], what: str, *, one_file: bool = False) -> Result:
        try:
            return action()
        except HubError:
            raise
        except FileNotFoundError:
            if one_file:
                raise
            raise self._directory_error(what, errno.ENOENT, "is not there") from None
        except PermissionError:
            if one_file:
                raise self._error(FixConnection, what, "permission denied", errno=errno.EACCES) from None
            raise self._directory_error(what, errno.EACCES, "is not readable for this login") from None
        except paramiko.BadHostKeyException:
            raise self._failed(FixConnection, what, "the server's key is not the connection's host_key") from None
        except paramiko.AuthenticationException:
            raise self._failed(FixConnection, what, "the server refuses the login") from None
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise self._failed(RetryLater, what, f"cannot connect, or the connection broke ({type(error).__name__})") from None

    def _failed(self, kind: type[HubError], what: str, why: str) -> HubError:
        self.close()
        return self._error(kind, what, why)

    def _directory_error(self, what: str, number: int, why: str) -> HubError:
        return self._error(FixConnection, what, f"the directory {self._connection.schema} {why}", errno=number)

    def _error(self, kind: type[HubError], what: str, why: str, **facts: object) -> HubError:
        return kind(f"{self._where}: cannot {what}: {why}", where=self._where, **facts)


def _host_key(connection: Connection) -> paramiko.PKey:
    parts = str(connection.extra["host_key"]).split()
    try:
        return paramiko.PKey.from_type_string(parts[0], base64.b64decode(parts[1], validate=True))
    except (IndexError, binascii.Error, paramiko.SSHException, ValueError):
        raise FixConnection(f"{connection}: extra host_key is no `ssh-ed25519 AAAA…`", conn_id=connection.conn_id) from None


def _windows(start: int, end: int) -> list[tuple[int, int]]:
    return [(at, min(SFTP_PIECE, end - at)) for at in range(start, end, SFTP_PIECE)]
