"""A TCP door in front of a server, which can refuse, break or fall silent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress


class Door:
    """Listens on a free loopback port and passes bytes to `connect()`'s socket and back.

    `refuse` connections are closed at once; `break_after` bytes from the server end a connection (`breaks` times);
    `silent_after` bytes from the server nothing more is passed on.
    """

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.refuse = 0
        self.break_after: int | None = None
        self.breaks = 0
        self.silent_after: int | None = None
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for each in (self._listener, *self._open):
            _end(each)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refuse > 0:
                self.refuse -= 1
                client.close()
                continue
            server = self._connect()
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open += [client, server]
            threading.Thread(target=self._pass_on, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(server, client, True), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, from_server: bool) -> None:
        passed = 0
        with suppress(OSError):
            while piece := source.recv(1 << 14):
                passed += len(piece)
                if from_server and self.silent_after is not None and passed > self.silent_after:
                    continue
                if from_server and self.breaks > 0 and self.break_after is not None and passed > self.break_after:
                    self.breaks -= 1
                    break
                target.sendall(piece)
        _end(source)
        _end(target)


def _end(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
