"""SOAP in the EOMS style: `op(serSupplier, serCaller, callerPwd, callTime, opDetail)` (DOMAIN §3; docs/interfaces.md, "SOAP").

requests and lxml, not zeep: the whole envelope is five strings, the answer's bytes are landed before anything reads them,
and no WSDL has to be fetched before a night can run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from adapters.drift import Carries, check_columns
from adapters.file_codes import FileCode
from adapters.protocol import LandingSink, Probe, PullRequest
from adapters.transports.http import Call, Endpoint
from adapters.transports.paging import Inconsistent, Page, PagedFetch
from adapters.transports.patience import Patience
from hub import periods
from hub.errors import FixConnection, FixContract, HubError, RetryLater
from hub.periods import SHANGHAI
from hub.settings import Connection
from schemas.batch import Delivery, Layout, Window
from schemas.contract import Contract

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
TIME = "%Y-%m-%d %H:%M:%S"
PAGE_ROWS = 200
PROBE_ROWS = 50
LONGEST_MESSAGE = 120


@dataclass(frozen=True)
class SoapService:
    """A service's address and the words by which its messages are told apart (a message is all it answers with)."""

    path: str
    namespace: str
    supplier: str
    busy: tuple[str, ...]
    wrong_caller: tuple[str, ...]
    wrong_request: tuple[str, ...]


@dataclass(frozen=True)
class _Answer:
    total: int
    page_no: int
    page_count: int
    records: Sequence[Mapping[str, str]]
    digest: bytes


class SoapSource:
    """One operation of one service."""

    def __init__(
        self,
        connection: Connection,
        service: SoapService,
        operation: str,
        patience: Patience,
        now: Callable[[], datetime] = periods.now,
    ) -> None:
        self._endpoint = Endpoint(connection, patience)
        self._caller = connection.login
        self._password = connection.password
        self._service = service
        self._operation = operation
        self._patience = patience
        self._now = now
        self._where = f"{self._endpoint} {operation}"

    def probe(self, contract: Contract) -> Probe:
        answer = self._call(None, 1, PROBE_ROWS)[1]
        if not answer.records:
            return Probe(None, "reached; no records, so the fields cannot be told")
        seen = dict.fromkeys(name for record in answer.records for name in record)
        check_columns(contract, seen, where=self._where, carries=Carries.REQUIRED)
        unseen = [column.source for column in contract.columns if column.source not in seen]
        if unseen:
            return Probe(None, f"{answer.total} rows; not among the first {len(answer.records)}: {', '.join(unseen)}")
        return Probe(tuple(seen), f"{answer.total} rows; fields as agreed")

    def fetch(self, request: PullRequest, sink: LandingSink) -> Sequence[Delivery]:
        paged = PagedFetch(self._where, Layout.SOAP_PAGE, "xml", lambda: self._pages(request.window))
        return [paged.fetch(request, sink)]

    def close(self) -> None:
        self._endpoint.close()

    def _pages(self, window: Window | None) -> Iterator[Page]:
        number, count = 1, 1
        while number <= count:
            body, answer = self._call(window, number, PAGE_ROWS)
            if answer.page_no != number:
                raise Inconsistent(FileCode.REPEATED_PAGE, f"page {answer.page_no} came where page {number} was asked for")
            fields = frozenset().union(*answer.records)
            yield Page(body, len(answer.records), answer.total, fields, answer.digest)
            number, count = number + 1, answer.page_count

    def _call(self, window: Window | None, number: int, size: int) -> tuple[bytes, _Answer]:
        def once() -> tuple[bytes, _Answer]:
            headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{self._operation}"'}
            what = f"page {number} of {self._operation}"
            call = Call("POST", self._service.path, what, body=self._envelope(window, number, size), headers=headers)
            body = self._endpoint.exchange(call)
            return body, self._read(body)

        return self._patience.call(once)

    def _envelope(self, window: Window | None, number: int, size: int) -> bytes:
        since, before = (window.since, window.before) if window else (None, None)
        detail = etree.Element("opDetail")
        record = etree.SubElement(detail, "recordInfo")
        asked = {"updatedSince": _moment(since), "updatedBefore": _moment(before), "pageNo": str(number), "pageSize": str(size)}
        for name, value in asked.items():
            info = etree.SubElement(record, "fieldInfo")
            for tag, text in (("fieldChName", ""), ("fieldEnName", name), ("fieldContent", value)):
                etree.SubElement(info, tag).text = text
        envelope = etree.Element(f"{{{ENVELOPE}}}Envelope", nsmap={"soap": ENVELOPE, "ser": self._service.namespace})
        operation = etree.SubElement(
            etree.SubElement(envelope, f"{{{ENVELOPE}}}Body"),
            f"{{{self._service.namespace}}}{self._operation}",
        )
        parameters = {
            "serSupplier": self._service.supplier,
            "serCaller": self._caller,
            "callerPwd": self._password.get_secret_value(),
            "callTime": _moment(self._now()),
            "opDetail": etree.tostring(detail, encoding="unicode"),
        }
        for name, value in parameters.items():
            etree.SubElement(operation, f"{{{self._service.namespace}}}{name}").text = value
        return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")

    def _read(self, body: bytes) -> _Answer:
        space = self._service.namespace
        response = self._parse(body).find(f"{{{ENVELOPE}}}Body/{{{space}}}{self._operation}Response")
        result = None if response is None else response.findtext(f"{{{space}}}result")
        if response is None or result is None:
            raise FixContract(f"{self._where}: the answer holds no {self._operation}Response with a result", where=self._where)
        if result.strip() != "0":
            raise self._refusal(result.strip())
        return self._read_detail(response.findtext(f"{{{space}}}opDetail") or "")

    def _read_detail(self, text: str) -> _Answer:
        detail = self._parse(text.encode())
        numbers = [detail.findtext(f"pageInfo/{name}") or "" for name in ("total", "pageNo", "pageCount")]
        if not all(number.strip().isdecimal() for number in numbers):
            raise FixContract(f"{self._where}: pageInfo lacks total, pageNo or pageCount as a number", where=self._where)
        found = detail.findall("recordInfo")
        total, page_no, page_count = (int(number) for number in numbers)
        digest = hashlib.sha256(b"".join(etree.tostring(record) for record in found)).digest()
        return _Answer(total, page_no, page_count, [_record(each) for each in found], digest)

    def _parse(self, text: bytes) -> etree._Element:
        try:
            return etree.fromstring(text, etree.XMLParser(resolve_entities=False, no_network=True))
        except etree.XMLSyntaxError:
            raise RetryLater(f"{self._where}: the answer is broken XML ({len(text)} bytes)", where=self._where) from None

    def _refusal(self, message: str) -> HubError:
        """A message is free Chinese text. One that fits none of the agreed kinds is for a person to read."""
        secret = self._password.get_secret_value()
        shown = (message.replace(secret, "***") if secret else message)[:LONGEST_MESSAGE]
        kinds: tuple[tuple[tuple[str, ...], type[HubError]], ...] = (
            (self._service.busy, RetryLater),
            (self._service.wrong_caller, FixConnection),
            (self._service.wrong_request, FixContract),
        )
        kind = next((error for words, error in kinds if any(word in message for word in words)), FixContract)
        return kind(f"{self._where}: answered {shown!r}", where=self._where, answer=shown)


def _record(element: etree._Element) -> dict[str, str]:
    return {info.findtext("fieldEnName") or "": info.findtext("fieldContent") or "" for info in element.iterfind("fieldInfo")}


def _moment(moment: datetime | None) -> str:
    return moment.astimezone(SHANGHAI).strftime(TIME) if moment else ""
