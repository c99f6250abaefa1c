"""A real SFTP server (asyncssh) on a loopback port, in a thread of its own, with faults to switch on."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import asyncssh

BREAKS_AT = 4096  # bytes into the file


class SftpServer:
    """Serves `root` as `/`. `refuse` connections are dropped at once; a read of the file `break_in` breaks once, 4096
    bytes into it; with `hang` no read is answered, with `forbid` no directory is listed."""

    def __init__(self, root: Path, user: str, password: str) -> None:
        self.refuse = 0
        self.break_in = ""
        self.hang = False
        self.forbid = False
        self.first_reads: Counter[str] = Counter()
        key = asyncssh.generate_private_key("ssh-ed25519")
        self.host_key = " ".join(key.export_public_key().decode().split()[:2])
        self._root, self._user, self._password, self._key = root, user, password, key
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._acceptor = self._run(self._listen())
        self.port: int = self._acceptor.get_port()

    def stop(self) -> None:
        if self._loop.is_running():
            self._run(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self) -> Any:
        return await asyncssh.create_server(
            lambda: _Door(self), "127.0.0.1", 0, server_host_keys=[self._key], sftp_factory=lambda channel: _Files(self, channel)
        )

    async def _close(self) -> None:
        self._acceptor.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    def accepts(self, user: str, password: str) -> bool:
        return (user, password) == (self._user, self._password)

    @property
    def root(self) -> Path:
        return self._root


class _Door(asyncssh.SSHServer):
    def __init__(self, outer: SftpServer) -> None:
        self._outer = outer

    def connection_made(self, conn: Any) -> None:
        if self._outer.refuse > 0:
            self._outer.refuse -= 1
            conn.abort()

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return self._outer.accepts(username, password)


class _Files(asyncssh.SFTPServer):
    def __init__(self, outer: SftpServer, channel: Any) -> None:
        super().__init__(channel, chroot=str(outer.root).encode())
        self._outer = outer

    def scandir(self, path: bytes) -> Any:
        if self._outer.forbid:
            raise PermissionError(errno.EACCES, "closed to this login")
        return super().scandir(path)

    async def read(self, file_obj: Any, offset: int, size: int) -> bytes:
        name = Path(file_obj.name).name if isinstance(file_obj.name, str) else Path(file_obj.name.decode()).name
        if self._outer.hang:
            await asyncio.Event().wait()
        self._outer.first_reads[name] += offset == 0
        if offset >= BREAKS_AT and name == self._outer.break_in:
            self._outer.break_in = ""
            self.connection.abort()
        file_obj.seek(offset)
        content: bytes = file_obj.read(size)
        return content
