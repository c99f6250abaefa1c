"""CRM's REST interface (docs/interfaces.md, REST)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from simulator.servers.faults import FaultBoard, FaultKind
from simulator.servers.pages import Struck, manner_under, offset_under, rows_under, total_under
from simulator.servers.rudeness import Mood, Rudeness, Temper
from simulator.servers.snapshots import Row, Snapshot, Snapshots, SourceWorld
from simulator.servers.tokens import Login, TokenDesk, basic_login
from simulator.servers.web import Reply, Request, WebServer

FEEDS = {
    "customers": "crm.customer",
    "contacts": "crm.contact",
    "contracts": "crm.contract",
    "product-instances": "crm.product_instance",
    "resources": "crm.resource",
}
DEFAULT_LIMIT, MAX_LIMIT = 100, 500
LOGIN_FAULTS = (FaultKind.REFUSE_LOGIN, FaultKind.HANG)
PAGE_FAULTS = tuple(kind for kind in FaultKind if kind is not FaultKind.REFUSE_LOGIN)


class _RefusedError(Exception):
    def __init__(self, status: int, error: str, **headers: str) -> None:
        super().__init__(error)
        self.reply = _json(status, {"error": error}, {name.replace("_", "-"): value for name, value in headers.items()})


@dataclass(frozen=True)
class _Query:
    """What a cursor continues: always the snapshot of the night on which the first page was asked for."""

    night: str
    feed: str
    since: str
    before: str
    offset: int


class CrmServer:
    """One server, an instance a province under `/{province}`. `show` moves it to a night."""

    def __init__(
        self,
        world: SourceWorld,
        logins: Mapping[str, Login],
        rudeness: Rudeness,
        board: FaultBoard,
        *,
        bind: str = "127.0.0.1",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._snapshots = Snapshots(world, lambda row: datetime.fromisoformat(row["updated_at"]))
        self._rudeness = rudeness
        self._board = board
        self._provinces = tuple(logins)
        self._desk = TokenDesk(logins, rudeness, clock)
        self._temper = Temper(rudeness)
        self._limiter = _Limiter(rudeness.retry_after_s, clock)
        self._cursors = _Cursors()
        self._night = ""
        self._server = WebServer(self._answer, bind)
        self.port = self._server.port
        self.start = self._server.start
        self.stop = self._server.stop

    def show(self, night: str) -> None:
        self._night = night

    def _answer(self, request: Request) -> Reply:
        try:
            return self._route(request)
        except _RefusedError as refused:
            return refused.reply

    def _route(self, request: Request) -> Reply:
        match (request.method, *request.path.strip("/").split("/")):
            case ("POST", province, "oauth", "token") if province in self._provinces:
                return self._token(province, request)
            case ("GET", province, "api", "v1", resource) if province in self._provinces and resource in FEEDS:
                return self._page(province, FEEDS[resource], request)
        raise _RefusedError(404, "no_such_path")

    def _token(self, province: str, request: Request) -> Reply:
        struck = self._board.strike("crm", province, "token", LOGIN_FAULTS)
        if parse_qs(request.body.decode("latin-1")).get("grant_type") != ["client_credentials"]:
            raise _RefusedError(400, "unsupported_grant_type")
        token = self._desk.issue(province, *basic_login(request.headers.get("authorization", "")))
        if token is None or FaultKind.REFUSE_LOGIN in struck:
            raise _RefusedError(401, "invalid_client", WWW_Authenticate="Basic")
        grant = {"access_token": token, "token_type": "Bearer", "expires_in": int(self._rudeness.token_life_s)}
        return _json(200, grant, {"Cache-Control": "no-store"}, struck)

    def _page(self, province: str, feed: str, request: Request) -> Reply:
        struck = self._board.strike("crm", province, feed, PAGE_FAULTS)
        self._admit(province, request, struck)
        self._be_rude(province, feed, struck)
        query, limit = self._query(feed, request.query)
        snapshot = self._snapshots.get(feed, province, query.night)
        return _json(200, self._body(snapshot, query, limit, struck), {}, struck)

    def _admit(self, province: str, request: Request, struck: Struck) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if FaultKind.EXPIRE_TOKEN in struck:
            self._desk.revoke(token)
        if scheme.lower() != "bearer" or not self._desk.admit(province, token):
            raise _RefusedError(401, "invalid_token", WWW_Authenticate='Bearer error="invalid_token"')

    def _be_rude(self, province: str, feed: str, struck: Struck) -> None:
        lane = f"crm.{province}.{feed}"
        too_early = self._limiter.holds(lane)
        mood = Mood.SERVE if too_early else self._temper.mood(lane)
        if too_early or mood is Mood.BUSY or FaultKind.BUSY in struck:
            if not too_early:
                self._limiter.hold(lane)
            raise _RefusedError(429, "too_many_requests", Retry_After=str(self._rudeness.retry_after_s))
        if FaultKind.SERVER_ERROR in struck:
            raise _RefusedError(500, "internal_error")
        if mood is Mood.FAIL or not self._night:
            raise _RefusedError(503, "unavailable")

    def _query(self, feed: str, asked: Mapping[str, str]) -> tuple[_Query, int]:
        unknown = set(asked) - {"updated_since", "updated_before", "cursor", "limit"}
        limit = asked.get("limit", str(DEFAULT_LIMIT))
        if unknown or not limit.isdecimal() or not 1 <= int(limit) <= MAX_LIMIT:
            raise _RefusedError(400, "invalid_parameter")
        since, before = asked.get("updated_since", ""), asked.get("updated_before", "")
        for bound in (since, before):
            _moment(bound)  # a bad time is refused on every page, not only when the window is made
        if "cursor" not in asked:
            return _Query(self._night, feed, since, before, 0), int(limit)
        query = self._cursors.read(asked["cursor"])
        same = query.feed == feed and since in ("", query.since) and before in ("", query.before)
        if not same:
            raise _RefusedError(400, "invalid_cursor")
        return query, int(limit)

    def _body(self, snapshot: Snapshot, query: _Query, limit: int, struck: Struck) -> dict[str, Any]:
        matched = snapshot.window(_moment(query.since), _moment(query.before))
        shown = matched[offset_under(struck, query.offset, limit) :][:limit]
        rows: list[Row] = [snapshot.rows[position] for position in shown]
        following = query.offset + (0 if FaultKind.STUCK_CURSOR in struck else limit)
        more = following < len(matched)
        return {
            "data": rows_under(struck, rows),
            "next_cursor": self._cursors.write(query, following) if more else None,
            "total": total_under(struck, len(matched)),
            "served_at": datetime.now().astimezone().isoformat(),
            "request_id": str(uuid.uuid4()),
        }


class _Limiter:
    """After a 429 a lane stays shut for Retry-After seconds, so that a client that does not wait gains nothing."""

    def __init__(self, seconds: int, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    def hold(self, lane: str) -> None:
        with self._lock:
            self._until[lane] = self._clock() + self._seconds

    def holds(self, lane: str) -> bool:
        with self._lock:
            return self._clock() < self._until.get(lane, float("-inf"))


class _Cursors:
    """Signed, so that a client cannot make its own and a cursor of another server is refused."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)

    def write(self, query: _Query, offset: int) -> str:
        packed = json.dumps([query.night, query.feed, query.since, query.before, offset]).encode()
        return base64.urlsafe_b64encode(self._sign(packed) + packed).decode()

    def read(self, cursor: str) -> _Query:
        try:
            raw = base64.urlsafe_b64decode(cursor.encode())
        except (binascii.Error, ValueError):
            raise _RefusedError(400, "invalid_cursor") from None
        signature, packed = raw[:8], raw[8:]
        if not hmac.compare_digest(signature, self._sign(packed)):
            raise _RefusedError(400, "invalid_cursor")
        return _Query(*json.loads(packed))

    def _sign(self, packed: bytes) -> bytes:
        return hashlib.blake2b(packed, digest_size=8, key=self._key).digest()


def _moment(text: str) -> datetime | None:
    """RFC 3339 with its offset; an empty bound does not bind."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _RefusedError(400, "invalid_time") from None
    if moment.tzinfo is None:
        raise _RefusedError(400, "invalid_time")
    return moment


def _json(status: int, body: Mapping[str, Any], headers: Mapping[str, str], struck: Struck | None = None) -> Reply:
    packed = json.dumps(body, ensure_ascii=False).encode()
    return Reply(status, packed, "application/json; charset=utf-8", headers, manner_under(struck or {}))
