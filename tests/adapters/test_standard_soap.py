"""SOAP passes the standard suite, and what only SOAP can get wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from lxml import etree
from pydantic import SecretStr

from adapters.feeds import open_source
from adapters.protocol import PullRequest, Source
from adapters.transports.patience import Patience
from hub.errors import FixConnection, FixContract, HubError, RefuseDelivery, RetryLater
from hub.settings import Connection
from schemas.batch import Delivery, Window
from schemas.contracts.group import PRODUCTION_JOB
from tests.adapters.http_rig import Asked, HttpServer, Told
from tests.adapters.sinks import DirectorySink
from tests.adapters.standard import SECRET, AdapterStandard, assert_no_secret, patient

PAGE = 7
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
EOMS = "http://eoms.bss/group"
WINDOW = Window(since=datetime(2026, 1, 31, 16, tzinfo=UTC), before=datetime(2026, 2, 1, 16, tzinfo=UTC))


def job(number: int) -> dict[str, str]:
    record = {
        "jobNo": f"J{number:04d}",
        "groupId": "G1",
        "orderNo": "PO1",
        "productId": "P1",
        "jobName": "专线<开通>",
        "team": "一组",
    }
    times = {"plannedOn": "2026-02-01", "finishedOn": "", "updatedAt": "2026-02-01 08:00:00"}
    return record | {"leaderName": "李娜", "state": "10", "abortReason": ""} | times


def fault() -> bytes:
    inner = "<soap:Fault><faultcode>soap:Server</faultcode><faultstring>系统内部错误</faultstring></soap:Fault>"
    return f'<soap:Envelope xmlns:soap="{SOAP}"><soap:Body>{inner}</soap:Body></soap:Envelope>'.encode()


class SoapRig:
    cannot: frozenset[str] = frozenset()
    resumes = True
    cut_short_error: type[HubError] = RetryLater
    request = PullRequest(PRODUCTION_JOB, "gd", "20260201", WINDOW)

    def __init__(self) -> None:
        self.records = [job(number) for number in range(3 * PAGE + 2)]
        self.keys = [record["jobNo"] for record in self.records]
        self.server = HttpServer(self.answer)
        self.full_reads = 0
        self.asked: list[dict[str, str]] = []
        self.failures = 0
        self.fault = ""
        self.message = ""
        self.extra_total = 0
        self.password = SECRET

    def source(self, patience: Patience) -> Source:
        extra: dict[str, object] = {"prefix": "/gd"}
        connection = Connection("bss_group_gd", "http", "127.0.0.1", self.server.port, "hub", SecretStr(self.password), "", extra)
        return open_source("group.production_job", "gd", connection, patience)

    def keys_of(self, delivery: Delivery, sink: DirectorySink) -> list[str]:
        keys = []
        for body in sink.contents(delivery):
            detail = etree.fromstring(body).findtext(f".//{{{EOMS}}}opDetail")
            keys += [
                record.findtext("fieldInfo[fieldEnName='jobNo']/fieldContent")
                for record in etree.fromstring(detail).iter("recordInfo")
            ]
        return keys

    def answer(self, asked: Asked) -> Told:
        assert (asked.method, asked.path) == ("POST", "/gd/services/GroupCustomerService")
        call = etree.fromstring(asked.body).find(f"{{{SOAP}}}Body/{{{EOMS}}}queryProductionJob")
        given = {etree.QName(each).localname: each.text or "" for each in call}
        assert list(given) == ["serSupplier", "serCaller", "callerPwd", "callTime", "opDetail"]
        assert all(given.values())
        fields = etree.fromstring(given["opDetail"]).iter("fieldInfo")
        query = {each.findtext("fieldEnName"): each.findtext("fieldContent") for each in fields}
        self.asked.append(query)
        if (given["serCaller"], given["callerPwd"]) != ("hub", SECRET):
            return self._told(f"调用方或密码错误：{given['callerPwd']}", "")
        if self.failures > 0:
            self.failures -= 1
            return self._told("系统忙，请稍后重试", "")
        return self._told(self.message, "") if self.message else self._page(int(query["pageNo"]))

    def _page(self, number: int) -> Told:
        if number == 1:
            self.full_reads += 1
        if self.fault == "midway" and number == 3:
            self.fault = ""
            return Told(500, fault())
        if self.fault == "silent":
            return Told(200, hang=True)
        served = 1 if self.fault == "same page" else number
        total = len(self.records) + self.extra_total
        pages = -(-len(self.records) // PAGE)
        info = f"<pageInfo><total>{total}</total><pageNo>{number}</pageNo><pageCount>{pages}</pageCount></pageInfo>"
        rows = "".join(self._record(record) for record in self.records[(served - 1) * PAGE : served * PAGE])
        return self._told("0", f"<opDetail>{info}{rows}</opDetail>")

    def _record(self, record: dict[str, str]) -> str:
        fields = "".join(
            f"<fieldInfo><fieldChName>字段</fieldChName><fieldEnName>{name}</fieldEnName><fieldContent>{escape(value)}</fieldContent></fieldInfo>"
            for name, value in record.items()
        )
        return f"<recordInfo>{fields}</recordInfo>"

    def _told(self, result: str, detail: str) -> Told:
        inner = f"<result>{escape(result)}</result><opDetail>{escape(detail)}</opDetail>"
        answer = f'<queryProductionJobResponse xmlns="{EOMS}">{inner}</queryProductionJobResponse>'
        text = f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{SOAP}"><s:Body>{answer}</s:Body></s:Envelope>'
        return Told(200, text.encode(), cut=self.fault == "cut")

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
            record["surprise"] = record.pop("updatedAt")

    def cut_short(self) -> None:
        self.fault = "cut"

    def miscount(self) -> None:
        self.extra_total = 1

    def fall_silent(self) -> None:
        self.fault = "silent"

    def stop(self) -> None:
        self.server.stop()


@pytest.fixture
def rig() -> Iterator[SoapRig]:
    rig = SoapRig()
    yield rig
    rig.stop()


@pytest.fixture
def sink(tmp_path: Path) -> DirectorySink:
    return DirectorySink(tmp_path / "landing")


class TestSoap(AdapterStandard):
    pass


def test_the_window_is_asked_for_in_shanghai_time(rig: SoapRig, sink: DirectorySink) -> None:
    rig.source(patient([])).fetch(rig.request, sink)
    assert rig.asked[0] == {
        "updatedSince": "2026-02-01 00:00:00",
        "updatedBefore": "2026-02-02 00:00:00",
        "pageNo": "1",
        "pageSize": "200",
    }
    assert [query["pageNo"] for query in rig.asked] == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("系统忙，请稍后重试", RetryLater),
        ("调用方或密码错误", FixConnection),
        ("缺少字段：pageNo", FixContract),
        ("未知的回复", FixContract),
    ],
)
def test_a_message_is_named_by_what_to_do(rig: SoapRig, sink: DirectorySink, message: str, error: type[HubError]) -> None:
    rig.message = message
    with pytest.raises(error) as caught:
        rig.source(patient([])).fetch(rig.request, sink)
    assert type(caught.value) is error
    assert message in caught.value.message


def test_a_password_in_a_message_is_not_passed_on(rig: SoapRig, sink: DirectorySink) -> None:
    rig.refuse_login()
    with pytest.raises(FixConnection) as caught:
        rig.source(patient([])).fetch(rig.request, sink)
    assert_no_secret(caught.value)
    assert "***" in caught.value.message


def test_a_repeated_page_is_read_anew_once_and_then_refused(rig: SoapRig, sink: DirectorySink) -> None:
    rig.fault = "same page"
    with pytest.raises(RefuseDelivery) as caught:
        rig.source(patient([])).fetch(rig.request, sink)
    assert caught.value.code == "repeated_page"
    assert rig.full_reads == 2


def test_no_records_are_an_empty_delivery(rig: SoapRig, sink: DirectorySink) -> None:
    rig.records.clear()
    (delivery,) = rig.source(patient([])).fetch(rig.request, sink)
    assert (delivery.declared_rows, len(delivery.objects)) == (0, 1)


def test_an_entity_in_an_answer_is_not_resolved(rig: SoapRig, sink: DirectorySink, tmp_path: Path) -> None:
    (tmp_path / "private").write_text("private content")
    declared = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{(tmp_path / "private").as_uri()}">]>'
    answer = f'<queryProductionJobResponse xmlns="{EOMS}"><result>&e;</result></queryProductionJobResponse>'
    text = f'{declared}<s:Envelope xmlns:s="{SOAP}"><s:Body>{answer}</s:Body></s:Envelope>'
    rig._told = lambda result, detail: Told(200, text.encode())  # type: ignore[method-assign]
    with pytest.raises(HubError) as caught:
        rig.source(patient([])).fetch(rig.request, sink)
    assert "private content" not in caught.value.message
