"""A loopback HTTP server whose answers are a function, with the faults every paged transport must stand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Told:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False  # the body ends before its declared length
    hang: bool = False  # nothing is answered


class HttpServer:
    def __init__(self, answer: Callable[[Asked], Told]) -> None:
        outer = self
        self._gone = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                told = answer(Asked(self.command, self.path, dict(self.headers), self.rfile.read(length)))
                if told.hang:
                    outer._gone.wait()
                    self.close_connection = True
                    return
                self.send_response(told.status)
                for name, value in told.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(told.body)))
                self.end_headers()
                self.wfile.write(told.body[: len(told.body) // 2] if told.cut else told.body)
                self.close_connection = self.close_connection or told.cut

            do_GET = do_POST = _serve  # noqa: N815 - the library's names

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        self._gone.set()
        self._server.shutdown()
        self._server.server_close()
