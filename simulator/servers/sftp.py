"""Billing's SFTP server: password login, shut in one directory, a host key of its own that clients can verify."""

from __future__ import annotations

import asyncio
import logging
import threading
from pathlib import Path

import asyncssh

from simulator.servers.faults import FaultBoard, FaultKind
from simulator.servers.tokens import Login

KEY_TYPE = "ssh-ed25519"


class SftpServer:
    """Serves `root` as `/`, from a thread with its own event loop. Listens from `start` on a free port of `bind`."""

    def __init__(
        self,
        root: Path,
        login: Login,
        board: FaultBoard,
        *,
        system: str = "billing",
        province: str = "js",
        bind: str = "127.0.0.1",
    ) -> None:
        self._root = root
        self._guard = _Guard(login, board, system, province)
        self._bind = bind
        self._key = asyncssh.generate_private_key(KEY_TYPE)
        self._running: tuple[asyncio.AbstractEventLoop, threading.Thread] | None = None
        self._acceptor: asyncssh.SSHAcceptor | None = None

    @property
    def port(self) -> int:
        """Raises RuntimeError before `start`."""
        if self._acceptor is None:
            raise RuntimeError("the SFTP server is not started")
        return int(self._acceptor.get_port())

    @property
    def host_key(self) -> str:
        """The public key, `ssh-ed25519 AAAA…`, for the client's known hosts."""
        kind, body, *_ = self._key.export_public_key("openssh").decode().split()
        return f"{kind} {body}"

    def start(self) -> None:
        logging.getLogger("asyncssh").setLevel(logging.ERROR)
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        self._running = loop, thread
        thread.start()
        self._acceptor = asyncio.run_coroutine_threadsafe(self._listen(), loop).result(timeout=30)

    def stop(self) -> None:
        if self._running is None:
            return
        (loop, thread), self._running = self._running, None
        asyncio.run_coroutine_threadsafe(self._close(), loop).result(timeout=30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    async def _listen(self) -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            self._bind,
            0,
            server_factory=lambda: _Door(self._guard),
            server_host_keys=[self._key],
            sftp_factory=lambda channel: _Files(channel, self._root, self._guard),
        )

    async def _close(self) -> None:
        if self._acceptor is not None:
            self._acceptor.close()
        for connection in list(self._guard.connections):
            connection.abort()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class _Guard:
    """What the server's connections share; used only in the server's event loop."""

    def __init__(self, login: Login, board: FaultBoard, system: str, province: str) -> None:
        self.login = login
        self.board = board
        self.system = system
        self.province = province
        self.connections: set[asyncssh.SSHServerConnection] = set()

    def met(self, kind: FaultKind) -> bool:
        return bool(self.board.strike(self.system, self.province, "", [kind]))


class _Door(asyncssh.SSHServer):
    def __init__(self, guard: _Guard) -> None:
        self._guard = guard
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._guard.connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self._connection is not None:
            self._guard.connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:  # noqa: ARG002
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        refused = self._guard.met(FaultKind.REFUSE_LOGIN)
        return self._guard.login.accepts(username, password) and not refused


class _Files(asyncssh.SFTPServer):
    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], root: Path, guard: _Guard) -> None:
        super().__init__(channel, chroot=bytes(root))
        self._guard = guard
        self._sent = 0
        self._judged: set[int] = set()

    async def read(self, file_obj: object, offset: int, size: int) -> bytes:
        if self._guard.met(FaultKind.HANG):
            await asyncio.get_running_loop().create_future()
        data = super().read(file_obj, offset, size)
        assert isinstance(data, bytes), "the local file server reads at once"
        self._sent += len(data)
        board, system, province = self._guard.board, self._guard.system, self._guard.province
        if board.strike_stream(system, province, self._sent, self._judged):
            self.connection.abort()
            raise asyncssh.SFTPConnectionLost("scripted fault")
        return data
