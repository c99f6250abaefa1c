"""A small threaded HTTP/1.1 server that can also answer badly: cut a body short, or never answer."""

from __future__ import annotations

import logging
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

log = logging.getLogger("simulator")


@dataclass(frozen=True)
class Request:
    """`headers` by lower-case name."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Manner(Enum):
    WHOLE = "whole"
    CUT = "cut"  # all headers, half the body, then the connection ends
    SILENT = "silent"  # nothing, until the client gives up or the server stops


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    manner: Manner = Manner.WHOLE


App = Callable[[Request], Reply]


class WebServer:
    """`app` answers each request in a thread of its own. Listens from the start on a free port of `bind`."""

    def __init__(self, app: App, bind: str = "127.0.0.1") -> None:
        self.stopping = threading.Event()
        self._listener = _Listener((bind, 0), app, self.stopping)
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._listener.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends every open connection too: a keep-alive client must not be served by a stopped system."""
        self.stopping.set()
        if self._thread.is_alive():
            self._listener.shutdown()
            self._thread.join()
        self._listener.server_close()
        self._listener.close_connections()


class _Listener(socketserver.ThreadingTCPServer):
    # Not http.server.HTTPServer: that one asks the name service for the machine's name when it binds.
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], app: App, stopping: threading.Event) -> None:
        self.app = app
        self.stopping = stopping
        self._open: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                log.debug("connection was closed already")

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        # A client that goes away (a timeout under test) is no error of the server's.
        log.debug("connection ended")


class _Handler(BaseHTTPRequestHandler):
    server: _Listener
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one segment
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Quiet: request lines are not for the simulator's log."""

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        request = Request(self.command, parts.path, query, {name.lower(): value for name, value in self.headers.items()}, body)
        try:
            reply = self.server.app(request)
        except Exception:
            log.exception("the simulator itself failed on %s %s", request.method, request.path)
            reply = Reply(500, b'{"error": "simulator_bug"}')
        self._send(reply)

    def _send(self, reply: Reply) -> None:
        if reply.manner is Manner.SILENT:
            self.server.stopping.wait()
            self.close_connection = True
            return
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if reply.manner is Manner.CUT:
            self.wfile.write(reply.body[: len(reply.body) // 2])
            self.close_connection = True
            return
        self.wfile.write(reply.body)
