"""A TCP proxy before a database, so that a scripted fault can end a connection amid a read."""

from __future__ import annotations

import socket
import socketserver
import threading
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL, make_url

from simulator.servers.faults import FaultBoard

_CHUNK = 262_144


def database_address(url: str) -> tuple[str, int] | Path:
    """Where the database of a URL listens: host and port, or PostgreSQL's socket file. Raises ValueError where it has neither."""
    parsed = make_url(url)
    query_host = parsed.query.get("host")
    host = parsed.host or (query_host if isinstance(query_host, str) else "")
    port = parsed.port or int(str(parsed.query.get("port") or 5432))
    if not host:
        raise ValueError(f"a {parsed.drivername} URL without a host cannot be proxied")
    return Path(host) / f".s.PGSQL.{port}" if host.startswith("/") else (host, port)


class DatabaseProxy:
    """Forwards a free port of `bind` to the database of `url` (its host is used as given). `proxied` is the URL through it."""

    def __init__(self, url: str, board: FaultBoard, *, system: str = "orders", province: str, bind: str = "127.0.0.1") -> None:
        self._url = make_url(url)
        self._listener = _Listener((bind, 0), _Line(database_address(url), board, system, province))
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True)
        self.port = int(self._listener.server_address[1])

    def proxied(self, host: str = "127.0.0.1") -> URL:
        kept = {name: value for name, value in self._url.query.items() if name not in ("host", "port")}
        return self._url.set(host=host, port=self.port, query=kept)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._listener.shutdown()
            self._thread.join()
        self._listener.server_close()
        self._listener.line.end_all()


class _Line:
    """Where to forward to, and the connections that are open."""

    def __init__(self, address: tuple[str, int] | Path, board: FaultBoard, system: str, province: str) -> None:
        self._address = address
        self._board = board
        self._system = system
        self._province = province
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def connect(self) -> socket.socket:
        if isinstance(self._address, tuple):
            return socket.create_connection(self._address, timeout=None)
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.connect(str(self._address))
        return server

    def serve(self, client: socket.socket) -> None:
        """Returns when either side has ended the connection, or a fault has."""
        try:
            server = self.connect()
        except OSError:
            return
        with self._lock:
            self._open |= {client, server}
        upward = threading.Thread(target=_pump, args=(client, server), daemon=True)
        upward.start()
        self._pump_down(server, client)
        _end(client)
        _end(server)
        upward.join()
        server.close()
        with self._lock:
            self._open -= {client, server}

    def end_all(self) -> None:
        with self._lock:
            for each in self._open:
                _end(each)

    def _pump_down(self, server: socket.socket, client: socket.socket) -> None:
        received, judged = 0, set[int]()
        try:
            while chunk := server.recv(_CHUNK):
                received += len(chunk)
                if self._board.strike_stream(self._system, self._province, received, judged):
                    client.sendall(chunk[: len(chunk) // 2])
                    return
                client.sendall(chunk)
        except OSError:
            return


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: tuple[str, int], line: _Line) -> None:
        self.line = line
        super().__init__(address, _Connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Quiet: a client that goes away is no error of the proxy's."""


class _Connection(socketserver.BaseRequestHandler):
    server: _Listener

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server.line.serve(self.request)


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while chunk := source.recv(_CHUNK):
            target.sendall(chunk)
    except OSError:
        return
    finally:
        _end(target)


def _end(side: socket.socket) -> None:
    try:
        side.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
