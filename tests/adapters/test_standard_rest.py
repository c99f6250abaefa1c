"""REST passes the standard suite, and what only REST can get wrong."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from adapters.feeds import open_source
from adapters.protocol import PullRequest, Source
from adapters.transports.patience import Patience
from adapters.transports.rest import RestSource
from hub.errors import FixConnection, HubError, RefuseDelivery, RetryLater
from hub.settings import Connection
from schemas.batch import Delivery, Window
from schemas.contracts.crm import CONTACT
from tests.adapters.http_rig import Asked, HttpServer, Told
from tests.adapters.sinks import DirectorySink
from tests.adapters.standard import ATTEMPTS, SECRET, AdapterStandard, assert_no_secret, patient

PAGE = 7
WINDOW = Window(since=datetime(2026, 1, 31, 16, tzinfo=UTC), before=datetime(2026, 2, 1, 16, tzinfo=UTC))


def contact(number: int) -> dict[str, Any]:
    record = {"contact_id": f"CT{number:04d}", "customer_id": "CU1", "name": "王伟", "role": "BIZ", "phone": "13012345678"}
    return record | {"email": "a@b.cn", "deleted": False, "updated_at": "2026-02-01T08:00:00+08:00"}


class RestRig:
    cannot: frozenset[str] = frozenset()
    resumes = True
    cut_short_error: type[HubError] = RetryLater
    request = PullRequest(CONTACT, "gd", "20260201", WINDOW)

    def __init__(self) -> None:
        self.records = [contact(number) for number in range(3 * PAGE + 2)]
        self.keys = [record["contact_id"] for record in self.records]
        self.server = HttpServer(self.answer)
        self.full_reads = 0
        self.asked: list[dict[str, str]] = []
        self.tokens = 0
        self.failures = 0
        self.fault = ""
        self.extra_total = 0
        self.refused_tokens: set[str] = set()
        self.password = SECRET
        self.expires_in: float = 600

    def connection(self) -> Connection:
        return Connection(
            "bss_crm_gd", "http", "127.0.0.1", self.server.port, "hub", SecretStr(self.password), "", {"prefix": "/gd"}
        )

    def source(self, patience: Patience) -> Source:
        return open_source("crm.contact", "gd", self.connection(), patience)

    def keys_of(self, delivery: Delivery, sink: DirectorySink) -> list[str]:
        return [record["contact_id"] for body in sink.contents(delivery) for record in json.loads(body)["data"]]

    def answer(self, asked: Asked) -> Told:
        parts = urlsplit(asked.path)
        if parts.path == "/gd/oauth/token":
            return self._token(asked)
        assert parts.path == "/gd/api/v1/contacts"
        if asked.headers.get("Authorization") != f"Bearer T{self.tokens}" or f"T{self.tokens}" in self.refused_tokens:
            return Told(401)
        return self._page({name: values[0] for name, values in parse_qs(parts.query).items()})

    def _token(self, asked: Asked) -> Told:
        expected = "Basic " + base64.b64encode(f"hub:{SECRET}".encode()).decode()
        if asked.headers.get("Authorization") != expected or asked.body != b"grant_type=client_credentials":
            return Told(401, b'{"error": "invalid_client"}')
        self.tokens += 1
        return Told(
            200, json.dumps({"access_token": f"T{self.tokens}", "token_type": "Bearer", "expires_in": self.expires_in}).encode()
        )

    def _page(self, query: dict[str, str]) -> Told:
        self.asked.append(query)
        if self.failures > 0:
            self.failures -= 1
            return Told(503)
        start = int(query.get("cursor", "0"))
        if start == 0:
            self.full_reads += 1
        if self.fault == "midway" and start == 2 * PAGE:
            self.fault = ""
            return Told(500)
        if self.fault == "throttle":
            self.fault = ""
            return Told(429, headers={"Retry-After": "7"})
        if self.fault == "silent":
            return Told(200, hang=True)
        served = 0 if self.fault == "same page" else start
        body: dict[str, Any] = {"data": self.records[served : served + PAGE], "total": len(self.records) + self.extra_total}
        after = PAGE if self.fault == "same cursor" else start + PAGE
        body["next_cursor"] = str(after) if after < len(self.records) else None
        return Told(200, json.dumps(body, ensure_ascii=False).encode(), cut=self.fault == "cut")

    def fail(self, times: int) -> None:
        self.failures = times

    def break_midway(self) -> None:
        self.fault = "midway"

    def refuse_login(self) -> None:
        self.password = SECRET + "-wrong"

    def add_column(self) -> None:
        self.records[1]["surprise"] = "1"

    def rename_column(self) -> None:
        for record in self.records:
            record["surprise"] = record.pop("customer_id")

    def cut_short(self) -> None:
        self.fault = "cut"

    def miscount(self) -> None:
        self.extra_total = 1

    def fall_silent(self) -> None:
        self.fault = "silent"

    def stop(self) -> None:
        self.server.stop()


@pytest.fixture
def rig() -> Iterator[RestRig]:
    rig = RestRig()
    yield rig
    rig.stop()


class TestRest(AdapterStandard):
    pass


@pytest.fixture
def sink(tmp_path: Path) -> DirectorySink:
    return DirectorySink(tmp_path / "landing")


def test_the_window_is_asked_for_in_shanghai_time(rig: RestRig, sink: DirectorySink) -> None:
    rig.source(patient([])).fetch(rig.request, sink)
    assert rig.asked[0]["updated_since"] == "2026-02-01T00:00:00+08:00"
    assert rig.asked[0]["updated_before"] == "2026-02-02T00:00:00+08:00"
    assert rig.asked[0]["limit"] == "500"
    assert len(rig.asked) == 4


def test_a_full_feed_asks_for_no_window(rig: RestRig, sink: DirectorySink) -> None:
    rig.source(patient([])).fetch(PullRequest(CONTACT, "gd", "20260201"), sink)
    assert rig.asked[0].keys() == {"limit"}


def test_retry_after_is_kept(rig: RestRig, sink: DirectorySink) -> None:
    rig.fault = "throttle"
    waits: list[float] = []
    rig.source(patient(waits)).fetch(rig.request, sink)
    assert waits == [7.0]


def test_a_long_retry_after_is_left_to_the_scheduler(rig: RestRig, sink: DirectorySink) -> None:
    rig.fault = "throttle"
    waits: list[float] = []
    impatient = Patience(longest_wait=5, sleep=waits.append)
    with pytest.raises(RetryLater) as caught:
        rig.source(impatient).fetch(rig.request, sink)
    assert caught.value.facts["retry_after"] == 7.0
    assert waits == []


@pytest.mark.parametrize("fault", ["same page", "same cursor"])
def test_a_repeated_page_is_read_anew_once_and_then_refused(rig: RestRig, sink: DirectorySink, fault: str) -> None:
    rig.fault = fault
    with pytest.raises(RefuseDelivery) as caught:
        rig.source(patient([])).fetch(rig.request, sink)
    assert caught.value.code == "repeated_page"
    assert rig.full_reads == 2
    assert isinstance(caught.value.facts["delivery"], Delivery)


def test_a_token_the_server_forgot_is_renewed_once(rig: RestRig, sink: DirectorySink) -> None:
    source = rig.source(patient([]))
    source.fetch(rig.request, sink)
    rig.refused_tokens.add("T1")
    source.fetch(rig.request, sink)
    assert rig.tokens == 2


def test_a_server_that_refuses_every_token_is_not_asked_for_ever(rig: RestRig, sink: DirectorySink) -> None:
    rig.refused_tokens.update(f"T{number}" for number in range(1, 100))
    with pytest.raises(FixConnection) as caught:
        rig.source(patient([])).fetch(rig.request, sink)
    assert rig.tokens == 2
    assert_no_secret(caught.value)


def test_a_token_is_renewed_before_it_expires(rig: RestRig, sink: DirectorySink) -> None:
    rig.expires_in = 100
    now = [0.0]
    source = RestSource(rig.connection(), "contacts", patient([]), clock=lambda: now[0])
    source.fetch(rig.request, sink)
    now[0] = 95.0
    source.fetch(rig.request, sink)
    assert rig.tokens == 2


def test_an_empty_answer_is_an_empty_delivery(rig: RestRig, sink: DirectorySink) -> None:
    rig.records.clear()
    (delivery,) = rig.source(patient([])).fetch(rig.request, sink)
    assert (delivery.declared_rows, len(delivery.objects)) == (0, 1)


def test_pages_are_landed_as_they_came(rig: RestRig, sink: DirectorySink) -> None:
    (delivery,) = rig.source(patient([])).fetch(rig.request, sink)
    assert [landed.name for landed in delivery.objects] == [f"page-{number:05d}.json" for number in range(1, 5)]
    assert "王伟".encode() in sink.contents(delivery)[0]
    assert delivery.window == WINDOW


def test_a_broken_answer_is_tried_again(rig: RestRig, sink: DirectorySink) -> None:
    rig.cut_short()
    waits: list[float] = []
    with pytest.raises(RetryLater):
        rig.source(patient(waits)).fetch(rig.request, sink)
    assert len(waits) == ATTEMPTS - 1
