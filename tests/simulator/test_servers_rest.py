"""CRM's REST server, met by a real HTTP client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from simulator.servers.faults import Fault, FaultBoard, FaultKind
from simulator.servers.rest import CrmServer
from simulator.servers.rudeness import Rudeness
from simulator.servers.tokens import Login

NIGHT = "20260305"
START = datetime.fromisoformat("2026-03-01T00:00:00+08:00")
LOGINS = {"gd": Login("hub-gd", "s3cret-gd"), "js": Login("hub-js", "s3cret-js")}
TIMEOUT = 20
POLITE = Rudeness.none()


class World:
    """1,003 customers in gd, three to a second, so that page ends fall between equal times; 5 in js."""

    def rows(self, feed: str, province: str, night: str) -> list[dict[str, Any]]:
        count = {"gd": 1003, "js": 5}[province] if feed == "crm.customer" else 0
        return [
            {
                "customer_id": f"C{n:05}",
                "name": f"客户|{n}",
                "status": "1",
                "updated_at": (START + timedelta(seconds=n // 3)).isoformat(),
            }
            for n in range(count + (night > NIGHT))
        ]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Client:
    """What a caller of the interface does, without any retry."""

    def __init__(self, port: int, province: str = "gd") -> None:
        self.base = f"http://127.0.0.1:{port}/{province}"
        self.session = requests.Session()
        self.session.trust_env = False
        self.login = LOGINS[province]
        self.token = ""
        self.timeout: float = TIMEOUT

    def ask_token(self, password: str | None = None) -> requests.Response:
        answer = self.session.post(
            f"{self.base}/oauth/token",
            data={"grant_type": "client_credentials"},
            auth=(self.login.name, password or self.login.password),
            timeout=TIMEOUT,
        )
        if answer.ok:
            self.token = answer.json()["access_token"]
        return answer

    def get(self, **query: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.session.get(f"{self.base}/api/v1/customers", params=query, headers=headers, timeout=self.timeout)

    def pages(self, **query: str) -> Iterator[dict[str, Any]]:
        cursor: str | None = None
        while True:
            answer = self.get(**query, **({"cursor": cursor} if cursor else {}))
            answer.raise_for_status()
            yield answer.json()
            cursor = answer.json()["next_cursor"]
            if cursor is None:
                return


@contextmanager
def crm(rudeness: Rudeness = POLITE, clock: Clock | None = None) -> Iterator[tuple[Client, FaultBoard, CrmServer]]:
    board = FaultBoard()
    server = CrmServer(World(), LOGINS, rudeness, board, clock=clock or Clock())
    server.show(NIGHT)
    server.start()
    try:
        client = Client(server.port)
        client.ask_token()
        yield client, board, server
    finally:
        server.stop()


def ids(pages: list[dict[str, Any]]) -> list[str]:
    return [row["customer_id"] for page in pages for row in page["data"]]


def test_pages_to_the_last_give_every_row_once_and_the_total() -> None:
    with crm() as (client, _, _):
        pages = list(client.pages(limit="500"))
    assert [len(page["data"]) for page in pages] == [500, 500, 3]
    assert {page["total"] for page in pages} == {1003}
    assert ids(pages) == [f"C{n:05}" for n in range(1003)]
    assert pages[0]["data"][7]["name"] == "客户|7"


def test_provinces_are_apart_and_so_are_their_tokens() -> None:
    with crm() as (gd, _, server):
        js = Client(server.port, "js")
        js.token = gd.token
        assert js.get().status_code == 401
        js.ask_token()
        assert js.get().json()["total"] == 5
        assert js.get().json()["data"][0]["customer_id"] == gd.get().json()["data"][0]["customer_id"]


def test_window_is_half_open() -> None:
    with crm() as (client, _, _):
        since, before = START + timedelta(seconds=10), START + timedelta(seconds=12)
        page = client.get(updated_since=since.isoformat(), updated_before=before.isoformat()).json()
    assert ids([page]) == [f"C{n:05}" for n in range(30, 36)]
    assert page["total"] == 6
    assert page["next_cursor"] is None


def test_a_running_pull_keeps_the_snapshot_of_its_first_page() -> None:
    with crm() as (client, _, server):
        pages = client.pages(limit="500")
        first = next(pages)
        server.show("20260306")
        assert ids([first, *pages]) == [f"C{n:05}" for n in range(1003)]
        assert client.get().json()["total"] == 1004


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "501"},
        {"limit": "0"},
        {"cursor": "bm90IG91cnM="},
        {"cursor": "%%%"},
        {"updated_since": "2026-03-01T00:00:00"},
        {"since": "2026-03-01T00:00:00+08:00"},
    ],
)
def test_what_the_interface_does_not_allow_is_400(query: dict[str, str]) -> None:
    with crm() as (client, _, _):
        assert client.get(**query).status_code == 400


def test_a_cursor_may_not_change_its_window() -> None:
    with crm() as (client, _, _):
        cursor = client.get().json()["next_cursor"]
        assert client.get(cursor=cursor, updated_since=START.isoformat()).status_code == 400


def test_answers_differ_where_they_mean_nothing() -> None:
    with crm() as (client, _, _):
        one, two = client.get().json(), client.get().json()
    assert one["request_id"] != two["request_id"]
    assert one["data"] == two["data"]


def test_wrong_secret_and_no_token_are_401() -> None:
    with crm() as (client, _, _):
        assert client.ask_token("wrong").json() == {"error": "invalid_client"}
        client.token = ""
        assert client.get().status_code == 401


def test_a_token_expires_by_time() -> None:
    clock = Clock()
    with crm(replace(Rudeness.none(), token_life_s=30), clock) as (client, _, _):
        assert client.ask_token().json()["expires_in"] == 30
        assert client.get().ok
        clock.now = 30.0
        assert client.get().status_code == 401
        client.ask_token()
        assert client.get().ok


def test_a_token_expires_by_use_amid_a_pull() -> None:
    with crm(replace(Rudeness.none(), token_uses=2)) as (client, _, _):
        answers = [client.get(limit="10").status_code for _ in range(3)]
    assert answers == [200, 200, 401]


def test_429_shuts_the_lane_until_retry_after_has_passed() -> None:
    clock = Clock()
    with crm(clock=clock) as (client, board, _):
        board.add(Fault(FaultKind.BUSY, "crm"))
        refused = client.get()
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
        assert client.get().status_code == 429
        clock.now = 1.0
        assert client.get().ok


def answers(rudeness: Rudeness, count: int) -> list[int]:
    clock = Clock()
    with crm(rudeness, clock) as (client, _, _):
        codes = []
        for _ in range(count):
            clock.now += 1
            codes.append(client.get(limit="1").status_code)
        return codes


def test_rudeness_is_the_same_for_a_seed_at_the_stated_rates_and_never_three_times_running() -> None:
    rude = replace(Rudeness.none(), busy_rate=0.3, fail_rate=0.3)
    codes = answers(rude, 300)
    assert codes == answers(rude, 300)
    assert codes != answers(replace(rude, seed=2), 300)
    assert 0.35 < sum(code != 200 for code in codes) / 300 < 0.65
    assert {200, 429, 503} == set(codes)
    assert all(200 in codes[n : n + 3] for n in range(298))


def test_a_client_of_three_attempts_gets_every_row_from_a_rude_system() -> None:
    clock = Clock()
    met: set[int] = set()
    rows: list[dict[str, Any]] = []
    cursor: str | None = None
    with crm(replace(Rudeness(), busy_rate=0.1, fail_rate=0.1), clock) as (client, _, _):
        while cursor is not None or not rows:
            query = {"limit": "10"} | ({"cursor": cursor} if cursor else {})
            for _ in range(4):  # an expired token is not an attempt
                answer = client.get(**query)
                met.add(answer.status_code)
                if answer.ok:
                    break
                clock.now += int(answer.headers.get("Retry-After", 0))
                if answer.status_code == 401:
                    client.ask_token()
            rows += answer.json()["data"]
            cursor = answer.json()["next_cursor"]
    assert met == {200, 401, 429, 503}
    assert [row["customer_id"] for row in rows] == [f"C{n:05}" for n in range(1003)]


def test_a_system_without_rudeness_serves_every_request() -> None:
    assert set(answers(Rudeness.none(), 200)) == {200}


def test_a_repeated_page_hides_behind_a_right_total() -> None:
    with crm() as (client, board, _):
        number = board.add(Fault(FaultKind.REPEAT_PAGE, "crm", "gd", "crm.customer", skip=1))
        pages = list(client.pages(limit="500"))
        assert pages[1]["data"] == pages[0]["data"]
        assert len(ids(pages)) == pages[0]["total"]
        assert board.struck(number) == 1
        assert ids(list(client.pages(limit="500"))) == [f"C{n:05}" for n in range(1003)]


def test_a_stuck_cursor_never_ends() -> None:
    with crm() as (client, board, _):
        board.add(Fault(FaultKind.STUCK_CURSOR, "crm", times=None, skip=1))
        pages = client.pages(limit="500")
        seen = [ids([next(pages)]) for _ in range(5)]
    assert seen[1] == seen[2] == seen[3] == seen[4] != seen[0]


def test_500_half_way_once_and_for_ever() -> None:
    with crm() as (client, board, _):
        board.add(Fault(FaultKind.SERVER_ERROR, "crm", skip=1))
        assert [client.get().status_code for _ in range(3)] == [200, 500, 200]
        number = board.add(Fault(FaultKind.SERVER_ERROR, "crm", times=None))
        assert [client.get().status_code for _ in range(3)] == [500, 500, 500]
        assert board.struck(number) == 3
        board.clear()
        assert client.get().ok


def test_expired_token_amid_a_pull() -> None:
    with crm() as (client, board, _):
        board.add(Fault(FaultKind.EXPIRE_TOKEN, "crm", skip=1))
        assert [client.get().status_code for _ in range(3)] == [200, 401, 401]
        client.ask_token()
        assert client.get().ok


def test_fields_and_total_can_lie() -> None:
    with crm() as (client, board, _):
        board.add(Fault(FaultKind.RENAME_FIELD, "crm", field="status", value="state"))
        board.add(Fault(FaultKind.NEW_FIELD, "crm", field="vip", value="Y"))
        board.add(Fault(FaultKind.SET_FIELD, "crm", field="name", value="?"))
        board.add(Fault(FaultKind.WRONG_TOTAL, "crm", value="-3"))
        page, good = client.get().json(), client.get().json()
    assert page["total"] == 1000
    assert [set(row) for row in page["data"]] == [{"customer_id", "name", "state", "updated_at", "vip"}] * 100
    assert [row["name"] for row in page["data"][:2]] == ["?", "客户|1"]
    assert set(good["data"][0]) == {"customer_id", "name", "status", "updated_at"}


def test_connection_ends_amid_a_body_and_a_silent_server_times_out() -> None:
    with crm() as (client, board, server):
        impatient = Client(server.port)
        impatient.token, impatient.timeout = client.token, 0.2
        board.add(Fault(FaultKind.DROP_CONNECTION, "crm"))
        with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
            client.get()
        board.add(Fault(FaultKind.HANG, "crm"))
        with pytest.raises(requests.exceptions.ReadTimeout):
            impatient.get()
        assert client.get().ok


def test_refused_login_passes_and_faults_keep_to_their_province() -> None:
    with crm() as (client, board, server):
        board.add(Fault(FaultKind.REFUSE_LOGIN, "crm", "gd"))
        assert Client(server.port, "js").ask_token().ok
        assert [client.ask_token().status_code for _ in range(2)] == [401, 200]


def test_a_stopped_server_serves_no_open_connection() -> None:
    with crm() as (client, _, server):
        assert client.get().ok
        server.stop()
        with pytest.raises(requests.exceptions.ConnectionError):
            client.get()


def test_a_fault_that_cannot_be_read_says_what_is_allowed() -> None:
    with pytest.raises(ValueError, match="repeat_page"):
        Fault.parse({"kind": "explode", "system": "crm"})
    with pytest.raises(ValueError, match="after_bytes"):
        Fault.parse({"kind": "busy", "system": "crm", "when": "now"})
    assert Fault.parse({"kind": "busy", "system": "crm", "skip": 2}) == Fault(FaultKind.BUSY, "crm", skip=2)
