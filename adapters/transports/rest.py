"""REST over HTTP: OAuth2 client credentials, cursor pages (docs/interfaces.md, "REST")."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from requests.auth import HTTPBasicAuth

from adapters.drift import Carries, check_columns
from adapters.file_codes import FileCode
from adapters.protocol import LandingSink, Probe, PullRequest
from adapters.transports.http import Call, Endpoint
from adapters.transports.paging import Inconsistent, Page, PagedFetch
from adapters.transports.patience import Patience
from hub.errors import FixConnection, FixContract, RetryLater
from hub.periods import SHANGHAI
from hub.settings import Connection
from schemas.batch import Delivery, Layout, Window
from schemas.contract import Contract

PAGE_ROWS = 500
PROBE_ROWS = 50
# A token is renewed this long before it expires, and a short-lived one after nine tenths of its life.
RENEW_BEFORE_SECONDS = 30.0


class RestSource:
    """One resource of one server. `clock` counts seconds and tells when the token is due."""

    def __init__(
        self, connection: Connection, resource: str, patience: Patience, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._endpoint = Endpoint(connection, patience)
        self._login = HTTPBasicAuth(connection.login.encode(), connection.password.get_secret_value().encode())
        self._resource = resource
        self._patience = patience
        self._clock = clock
        self._token = ""
        self._token_until = 0.0
        self._where = f"{self._endpoint} {resource}"

    def probe(self, contract: Contract) -> Probe:
        """One page. A field no record of it carries may still exist, so `columns` is None then, and `detail` names it."""
        answer = self._get({"limit": str(PROBE_ROWS)})
        records, total = _records(answer, self._where), answer["total"]
        if not records:
            return Probe(None, "reached; the resource is empty, so its fields cannot be told")
        seen = dict.fromkeys(name for record in records for name in record)
        check_columns(contract, seen, where=self._where, carries=Carries.REQUIRED)
        unseen = [column.source for column in contract.columns if column.source not in seen]
        if unseen:
            return Probe(None, f"{total} rows; not among the first {len(records)}: {', '.join(unseen)}")
        return Probe(tuple(seen), f"{total} rows; fields as agreed")

    def fetch(self, request: PullRequest, sink: LandingSink) -> Sequence[Delivery]:
        params = _window(request.window) | {"limit": str(PAGE_ROWS)}
        paged = PagedFetch(self._where, Layout.JSON_PAGE, "json", lambda: self._pages(params))
        return [paged.fetch(request, sink)]

    def close(self) -> None:
        self._endpoint.close()

    def _pages(self, params: dict[str, str]) -> Iterator[Page]:
        cursors: set[str] = set()
        cursor: str | None = None
        while True:
            body, answer = self._get_page(params if cursor is None else params | {"cursor": cursor})
            records = _records(answer, self._where)
            digest = hashlib.sha256(json.dumps(records, sort_keys=True).encode()).digest()
            yield Page(body, len(records), answer["total"], frozenset().union(*records), digest)
            cursor = answer["next_cursor"]
            if cursor is None:
                return
            if cursor in cursors or not records:
                raise Inconsistent(FileCode.REPEATED_PAGE, "a cursor came twice, or after an empty page")
            cursors.add(cursor)

    def _get(self, params: dict[str, str]) -> dict[str, Any]:
        return self._get_page(params)[1]

    def _get_page(self, params: dict[str, str]) -> tuple[bytes, dict[str, Any]]:
        """A page's bytes and what they say, tried again while the failure may pass."""

        def once() -> tuple[bytes, dict[str, Any]]:
            body = self._get_authorised(params)
            return body, _answer(body, self._where)

        return self._patience.call(once)

    def _get_authorised(self, params: dict[str, str]) -> bytes:
        try:
            return self._endpoint.exchange(self._page_call(params))
        except FixConnection as error:
            if error.facts.get("status") != 401:
                raise
        # The server may have forgotten the token before its time. A fresh one that it refuses too is a refusal.
        self._token = ""
        return self._endpoint.exchange(self._page_call(params))

    def _page_call(self, params: dict[str, str]) -> Call:
        headers = {"Authorization": f"Bearer {self._fresh_token()}", "Accept": "application/json"}
        return Call("GET", f"/api/v1/{self._resource}", f"page of {self._resource}", params=params, headers=headers)

    def _fresh_token(self) -> str:
        if not self._token or self._clock() >= self._token_until:
            call = Call("POST", "/oauth/token", "token request", form={"grant_type": "client_credentials"}, auth=self._login)
            answer = _json_object(self._endpoint.exchange(call), f"{self._endpoint} token")
            token, life = answer.get("access_token"), answer.get("expires_in")
            if not isinstance(token, str) or not isinstance(life, int | float):
                raise FixConnection(f"{self._endpoint}: the token answer holds no access_token or expires_in")
            self._token = token
            self._token_until = self._clock() + max(life - RENEW_BEFORE_SECONDS, life * 0.9 if life < 300 else 0.0)
        return self._token


def _window(window: Window | None) -> dict[str, str]:
    if window is None:
        return {}
    bounds = {"updated_since": window.since, "updated_before": window.before}
    return {name: moment.astimezone(SHANGHAI).isoformat() for name, moment in bounds.items() if moment is not None}


def _json_object(body: bytes, where: str) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        raise RetryLater(f"{where}: the answer is broken JSON ({len(body)} bytes)", where=where) from None
    if not isinstance(answer, dict):
        raise FixContract(f"{where}: the answer is no JSON object", where=where)
    return answer


def _answer(body: bytes, where: str) -> dict[str, Any]:
    answer = _json_object(body, where)
    wrong = [name for name in ("data", "next_cursor", "total") if name not in answer]
    if wrong or not isinstance(answer["data"], list) or not isinstance(answer["total"], int):
        raise FixContract(f"{where}: the answer is no page; missing {wrong or 'nothing, but data or total is of another type'}")
    return answer


def _records(answer: dict[str, Any], where: str) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = answer["data"]
    if not all(isinstance(record, dict) for record in records):
        raise FixContract(f"{where}: a record is no JSON object", where=where)
    return records
