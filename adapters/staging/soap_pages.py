"""SOAP pages (EOMS style): the answer's `opDetail` holds, as text, one `recordInfo` a record (docs/interfaces.md, "SOAP")."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from lxml import etree

from adapters.drift import Carries, check_columns
from adapters.protocol import PassingBytes
from adapters.staging.rows import Place, Positions, SplitJob, TextRows, good_table, ready
from hub.errors import RefuseDelivery
from schemas.contract import Contract


def soap_jobs(contract: Contract, objects: Iterable[PassingBytes]) -> Iterator[SplitJob]:
    """One job a page. Raises RefuseDelivery where a page is no such answer, FixContract at a field nobody declared."""
    first_row_no = 1
    for index, landed in enumerate(objects):
        records = _records(landed)
        if records:
            rows = _rows(contract, records, landed.name, index, first_row_no)
            first_row_no += len(records)
            yield ready(rows)


def _parse(text: bytes, landed: PassingBytes) -> etree._Element:
    parser = etree.XMLParser(encoding="utf-8", resolve_entities=False, no_network=True)
    try:
        return etree.fromstring(text, parser)
    except etree.XMLSyntaxError as error:
        raise _refuse(landed, "is not XML") from error


def _refuse(landed: PassingBytes, what: str) -> RefuseDelivery:
    return RefuseDelivery(f"page {landed.name} {what}", code="layout", object=landed.name)


def _records(landed: PassingBytes) -> list[etree._Element]:
    envelope = _parse(b"".join(landed.chunks()), landed)
    detail = next(envelope.iter("{*}opDetail"), None)
    if detail is None:
        raise _refuse(landed, "has no opDetail")
    return list(_parse((detail.text or "<opDetail/>").encode(), landed).iter("recordInfo"))


def _rows(contract: Contract, records: list[etree._Element], page: str, index: int, first_row_no: int) -> TextRows:
    fields = [fields_of(record) for record in records]
    check_columns(contract, {name for record in fields for name in record}, where=page, carries=Carries.ANY)
    texts = [pa.array([record.get(column.source) for record in fields], pa.string()) for column in contract.columns]
    row_no = np.arange(first_row_no, first_row_no + len(records), dtype=np.int64)
    place = Place(row_no, index, np.arange(len(records), dtype=np.int64), None)

    def sources(positions: Positions) -> list[str]:
        return [etree.tostring(records[int(i)], encoding="unicode", with_tail=False) for i in positions]

    return TextRows(good_table(contract, place, texts), sources, paged=True)


def fields_of(record: etree._Element) -> dict[str, str]:
    named = ((field.findtext("fieldEnName") or "", field.findtext("fieldContent") or "") for field in record.iter("fieldInfo"))
    return dict(named)
