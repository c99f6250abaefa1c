"""The group system's SOAP server, met by zeep and by plain HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import requests
import zeep
import zeep.exceptions
import zeep.transports

from simulator.servers.faults import Fault, FaultBoard, FaultKind
from simulator.servers.rudeness import Rudeness
from simulator.servers.soap import GroupServer
from simulator.servers.tokens import Login

NIGHT = "20260305"
START = datetime(2026, 3, 1)  # noqa: DTZ001 - the interface speaks Shanghai time without a zone
LOGINS = {"gd": Login("hub-gd", "s3cret-gd"), "js": Login("hub-js", "s3cret-js")}
POLITE = Rudeness.none()


class World:
    """207 groups in gd, with every character XML minds; none in js."""

    def rows(self, feed: str, province: str, night: str) -> list[dict[str, Any]]:
        count = 207 if (feed, province) == ("group.group_customer", "gd") else 0
        return [
            {
                "groupId": f"G{n:04}",
                "groupName": f"<甲&乙>\x07\r{n}",
                "uscc": None,
                "updatedAt": f"{START + timedelta(minutes=n):%Y-%m-%d %H:%M:%S}",
            }
            for n in range(count)
        ]


class Client:
    def __init__(self, port: int, province: str = "gd", timeout: float = 20) -> None:
        self.address = f"http://127.0.0.1:{port}/{province}/services/GroupCustomerService"
        self.http = requests.Session()
        self.http.trust_env = False
        transport = zeep.transports.Transport(session=self.http, timeout=timeout, operation_timeout=timeout)  # type: ignore[no-untyped-call]
        self.service = zeep.Client(self.address + "?wsdl", transport=transport).service  # type: ignore[no-untyped-call]
        self.login = LOGINS[province]

    def ask(self, operation: str = "queryGroupCustomer", password: str | None = None, **query: object) -> Any:
        fields = {"updatedSince": "", "updatedBefore": "", "pageNo": 1, "pageSize": 100, **query}
        detail = "".join(
            f"<fieldInfo><fieldChName/><fieldEnName>{name}</fieldEnName><fieldContent>{value}</fieldContent></fieldInfo>"
            for name, value in fields.items()
            if value is not None
        )
        return self.service[operation](
            serSupplier="EOMS",
            serCaller=self.login.name,
            callerPwd=password or self.login.password,
            callTime="2026-03-05 01:00:00",
            opDetail=f"<opDetail><recordInfo>{detail}</recordInfo></opDetail>",
        )


@contextmanager
def group(rudeness: Rudeness = POLITE) -> Iterator[tuple[Client, FaultBoard, GroupServer]]:
    board = FaultBoard()
    server = GroupServer(World(), LOGINS, rudeness, board)
    server.show(NIGHT)
    server.start()
    try:
        yield Client(server.port), board, server
    finally:
        server.stop()


def page(answer: Any) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Page information, and the records by English field name."""
    assert answer.result == "0"
    root = ET.fromstring(answer.opDetail)
    info = {each.tag: each.text or "" for each in root.iterfind("pageInfo/*")}
    records = [
        {each.findtext("fieldEnName") or "": each.findtext("fieldContent") or "" for each in record}
        for record in root.iterfind("recordInfo")
    ]
    return info, records


def test_pages_to_the_last_give_every_record_once() -> None:
    with group() as (client, _, _):
        pages = [page(client.ask(pageNo=number)) for number in (1, 2, 3, 4)]
    assert [info["total"] for info, _ in pages] == ["207"] * 4
    assert [info["pageCount"] for info, _ in pages] == ["3"] * 4
    assert [len(records) for _, records in pages] == [100, 100, 7, 0]
    assert [record["groupId"] for _, records in pages for record in records] == [f"G{n:04}" for n in range(207)]


def test_text_survives_and_absent_values_are_empty() -> None:
    with group() as (client, _, _):
        _, records = page(client.ask(pageSize=1))
        root = ET.fromstring(client.ask(pageSize=1).opDetail)
    assert records[0]["groupName"] == "<甲&乙>\ufffd\r0"
    assert records[0]["uscc"] == ""
    assert root.findtext("recordInfo/fieldInfo/fieldChName") == "集团编号"


def test_window_is_half_open_and_an_empty_feed_has_no_pages() -> None:
    with group() as (client, _, server):
        window = {"updatedSince": "2026-03-01 00:10:00", "updatedBefore": "2026-03-01 00:12:00"}
        assert [record["groupId"] for record in page(client.ask(**window))[1]] == ["G0010", "G0011"]
        info, records = page(Client(server.port, "js").ask("queryProductionJob"))
    assert (info, records) == ({"total": "0", "pageNo": "1", "pageCount": "0"}, [])


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda client: client.ask(password="wrong"), "调用方或密码错误"),
        (lambda client: client.ask(pageNo=None), "缺少字段：pageNo"),
        (lambda client: client.ask(pageSize=201), "字段格式错误：pageSize"),
        (lambda client: client.ask(updatedSince="2026-03-01T00:00:00"), "字段格式错误：updatedSince"),
        (lambda client: client.service.queryGroupCustomer("EOMS", "", "", "", ""), "缺少字段：serCaller"),
    ],
)
def test_a_bad_call_is_answered_by_a_message(ask: Callable[[Client], Any], message: str) -> None:
    with group() as (client, _, _):
        answer = ask(client)
    assert (answer.result, answer.opDetail) == (message, None)


def test_what_is_no_call_is_a_soap_fault() -> None:
    with group() as (client, _, _):
        answers = [client.http.post(client.address, data=body, timeout=20) for body in (b"not xml", b"<a/>")]
    assert [answer.status_code for answer in answers] == [500, 500]
    assert all(b"<faultcode>soap:Client</faultcode>" in answer.content for answer in answers)


def test_busy_and_fault_on_order() -> None:
    with group() as (client, board, _):
        board.add(Fault(FaultKind.BUSY, "group"))
        assert client.ask().result == "系统忙，请稍后重试"
        board.add(Fault(FaultKind.SERVER_ERROR, "group"))
        with pytest.raises(zeep.exceptions.Fault, match="系统内部错误"):
            client.ask()
        board.add(Fault(FaultKind.REFUSE_LOGIN, "group"))
        assert client.ask().result == "调用方或密码错误"
        assert client.ask().result == "0"


def test_rudeness_comes_at_its_rate() -> None:
    def results() -> list[str]:
        seen = []
        with group(replace(Rudeness.none(), busy_rate=0.3, fail_rate=0.2)) as (client, _, _):
            for _ in range(60):
                try:
                    seen.append(client.ask(pageSize=1).result)
                except zeep.exceptions.Fault as fault:
                    seen.append(str(fault))
        return seen

    first = results()
    assert set(first) == {"0", "系统忙，请稍后重试", "系统内部错误"}
    assert first == results()


def test_pages_can_lie() -> None:
    with group() as (client, board, _):
        board.add(Fault(FaultKind.REPEAT_PAGE, "group", skip=1))
        pages = [page(client.ask(pageNo=number)) for number in (1, 2, 2)]
        assert pages[1][0]["pageNo"] == "2"
        assert pages[0][1] == pages[1][1] != pages[2][1]
        board.add(Fault(FaultKind.RENAME_FIELD, "group", field="uscc", value="creditCode"))
        board.add(Fault(FaultKind.WRONG_TOTAL, "group", value="100"))
        info, records = page(client.ask())
    assert (info["total"], info["pageCount"]) == ("307", "4")
    assert set(records[0]) == {"groupId", "groupName", "creditCode", "updatedAt"}


def test_connection_ends_amid_an_answer_and_a_silent_server_times_out() -> None:
    with group() as (_, board, server):
        client = Client(server.port, timeout=0.5)
        board.add(Fault(FaultKind.DROP_CONNECTION, "group"))
        with pytest.raises(requests.exceptions.RequestException):
            client.ask()
        board.add(Fault(FaultKind.HANG, "group"))
        with pytest.raises(requests.exceptions.ReadTimeout):
            client.ask()
        assert client.ask().result == "0"
