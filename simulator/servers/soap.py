"""The group system's SOAP interface, EOMS style (docs/interfaces.md, SOAP)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from xml.sax.saxutils import escape

from lxml import etree

from simulator.servers.faults import FaultBoard, FaultKind
from simulator.servers.pages import Struck, manner_under, offset_under, rows_under, total_under
from simulator.servers.rudeness import Mood, Rudeness, Temper
from simulator.servers.snapshots import Row, Snapshots, SourceWorld
from simulator.servers.soap_wsdl import NAMESPACE, PARAMETERS, PATH, wsdl
from simulator.servers.tokens import Login
from simulator.servers.web import Reply, Request, WebServer

FEEDS = {"queryGroupCustomer": "group.group_customer", "queryProductionJob": "group.production_job"}
QUERY_FIELDS = ("updatedSince", "updatedBefore", "pageNo", "pageSize")
MAX_PAGE = 200
ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
SHANGHAI = timezone(timedelta(hours=8))
XML = "text/xml; charset=utf-8"
FAULTS = tuple(FaultKind)
# XML 1.0 cannot carry these; a broken name may hold them, and real servers send a replacement.
_UNSENDABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

CHINESE_NAMES = {
    "groupId": "集团编号", "parentGroupId": "上级集团编号", "groupName": "集团名称", "uscc": "统一社会信用代码",
    "orgCode": "组织机构代码", "groupLevel": "集团级别", "crmCustomerId": "CRM客户编号", "industry": "行业",
    "address": "地址", "managerId": "客户经理编号", "status": "状态", "updatedAt": "更新时间", "jobNo": "生产任务编号",
    "orderNo": "定单编号", "productId": "产品编号", "jobName": "任务名称", "team": "项目组", "leaderName": "负责人",
    "state": "任务状态", "abortReason": "流产原因", "plannedOn": "计划日期", "finishedOn": "完成日期",
}  # fmt: skip


class _MessageError(Exception):
    """What the caller reads in `result` instead of "0"."""


class _SoapFaultError(Exception):
    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class _Query:
    since: datetime | None
    before: datetime | None
    page_no: int
    page_size: int


@dataclass(frozen=True)
class _Call:
    operation: str
    parameters: Mapping[str, str] = field(repr=False)


class GroupServer:
    """One server, an instance a province under `/{province}`. `show` moves it to a night."""

    def __init__(
        self,
        world: SourceWorld,
        logins: Mapping[str, Login],
        rudeness: Rudeness,
        board: FaultBoard,
        *,
        bind: str = "127.0.0.1",
    ) -> None:
        self._snapshots = Snapshots(world, lambda row: _read_time(row["updatedAt"]))
        self._logins = logins
        self._rudeness = rudeness
        self._board = board
        self._temper = Temper(rudeness)
        self._night = ""
        self._server = WebServer(self._answer, bind)
        self.port = self._server.port
        self.start = self._server.start
        self.stop = self._server.stop

    def show(self, night: str) -> None:
        self._night = night

    def _answer(self, request: Request) -> Reply:
        province, _, path = request.path.strip("/").partition("/")
        if province not in self._logins or path != PATH:
            return Reply(404, b"", XML)
        if request.method == "GET" and "wsdl" in {name.lower() for name in request.query}:
            address = f"http://{request.headers['host']}/{province}/{PATH}"
            return Reply(200, wsdl(address, tuple(FEEDS)).encode(), XML)
        if request.method != "POST":
            return Reply(405, b"", XML)
        self._server.stopping.wait(self._rudeness.soap_delay_s)
        try:
            return self._operate(province, _read_call(request.body))
        except _SoapFaultError as fault:
            return _fault(fault)

    def _operate(self, province: str, call: _Call) -> Reply:
        feed = FEEDS[call.operation]
        struck = self._board.strike("group", province, feed, FAULTS)
        mood = self._temper.mood(f"group.{province}.{feed}")
        if mood is Mood.FAIL or FaultKind.SERVER_ERROR in struck:
            raise _SoapFaultError("Server", "系统内部错误")
        try:
            self._admit(province, call.parameters, struck)
            self._be_busy(mood, struck)
            query = _read_query(call.parameters["opDetail"])
            result, detail = "0", self._detail(province, feed, query, struck)
        except _MessageError as message:
            result, detail = str(message), ""
        inner = f"<result>{escape(result)}</result><opDetail>{escape(detail)}</opDetail>"
        answer = f'<{call.operation}Response xmlns="{NAMESPACE}">{inner}</{call.operation}Response>'
        return Reply(200, _envelope(answer), XML, manner=manner_under(struck))

    def _admit(self, province: str, parameters: Mapping[str, str], struck: Struck) -> None:
        missing = [name for name in PARAMETERS if not parameters.get(name)]
        if missing:
            raise _MessageError(f"缺少字段：{missing[0]}")
        known = self._logins[province].accepts(parameters["serCaller"], parameters["callerPwd"])
        if not known or FaultKind.REFUSE_LOGIN in struck:
            raise _MessageError("调用方或密码错误")
        _moment("callTime", parameters["callTime"])

    def _be_busy(self, mood: Mood, struck: Struck) -> None:
        if mood is Mood.BUSY or FaultKind.BUSY in struck or not self._night:
            raise _MessageError("系统忙，请稍后重试")

    def _detail(self, province: str, feed: str, query: _Query, struck: Struck) -> str:
        snapshot = self._snapshots.get(feed, province, self._night)
        matched = snapshot.window(query.since, query.before)
        offset = offset_under(struck, (query.page_no - 1) * query.page_size, query.page_size)
        rows = [snapshot.rows[position] for position in matched[offset : offset + query.page_size]]
        total = total_under(struck, len(matched))
        pages = -(-total // query.page_size)
        info = f"<total>{total}</total><pageNo>{query.page_no}</pageNo><pageCount>{pages}</pageCount>"
        records = "".join(_record(row) for row in rows_under(struck, rows))
        return f"<opDetail><pageInfo>{info}</pageInfo>{records}</opDetail>"


def _record(row: Row) -> str:
    fields = "".join(
        f"<fieldInfo><fieldChName>{escape(CHINESE_NAMES.get(name, name))}</fieldChName>"
        f"<fieldEnName>{escape(name)}</fieldEnName><fieldContent>{_content(value)}</fieldContent></fieldInfo>"
        for name, value in row.items()
    )
    return f"<recordInfo>{fields}</recordInfo>"


def _content(value: object) -> str:
    # A bare CR would be folded to LF by the reader, so it is sent as a reference.
    return "" if value is None else escape(_UNSENDABLE.sub("\ufffd", str(value)), {"\r": "&#13;"})


def _read_call(body: bytes) -> _Call:
    try:
        root = etree.fromstring(body, _parser())
    except etree.XMLSyntaxError:
        raise _SoapFaultError("Client", "请求不是XML") from None
    wrapper = root.find(f"{{{ENVELOPE}}}Body/*")
    operation = "" if wrapper is None else etree.QName(wrapper).localname
    if wrapper is None or operation not in FEEDS:
        raise _SoapFaultError("Client", "无此操作")
    return _Call(operation, {etree.QName(child).localname: child.text or "" for child in wrapper.iterchildren("*")})


def _read_query(detail: str) -> _Query:
    try:
        root = etree.fromstring(detail.encode(), _parser())
    except etree.XMLSyntaxError:
        raise _MessageError("字段格式错误：opDetail") from None
    given = {each.findtext("fieldEnName") or "": each.findtext("fieldContent") or "" for each in root.iter("fieldInfo")}
    missing = [name for name in QUERY_FIELDS if name not in given]
    if missing:
        raise _MessageError(f"缺少字段：{missing[0]}")
    return _Query(
        _moment("updatedSince", given["updatedSince"]),
        _moment("updatedBefore", given["updatedBefore"]),
        _count("pageNo", given["pageNo"], most=None),
        _count("pageSize", given["pageSize"], most=MAX_PAGE),
    )


def _read_time(text: str) -> datetime:
    return datetime.strptime(text, TIME_FORMAT).replace(tzinfo=SHANGHAI)


def _moment(name: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        return _read_time(text)
    except ValueError:
        raise _MessageError(f"字段格式错误：{name}") from None


def _count(name: str, text: str, *, most: int | None) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1 or (most is not None and number > most):
        raise _MessageError(f"字段格式错误：{name}")
    return number


def _fault(fault: _SoapFaultError) -> Reply:
    inner = f"<faultcode>soap:{fault.code}</faultcode><faultstring>{escape(str(fault))}</faultstring>"
    return Reply(500, _envelope(f"<soap:Fault>{inner}</soap:Fault>"), XML)


def _envelope(inner: str) -> bytes:
    head = f'<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="{ENVELOPE}"><soap:Body>'
    return f"{head}{inner}</soap:Body></soap:Envelope>".encode()


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True)
