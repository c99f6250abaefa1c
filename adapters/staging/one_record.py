"""One record read by itself, as its layout has it: for explaining a row to a person, not for staging a batch."""

from __future__ import annotations

import json
from collections.abc import Mapping

from lxml import etree

from adapters.staging.extract import parse_one
from adapters.staging.lines import layout_of
from adapters.staging.rows import OddRecord
from adapters.staging.soap_pages import fields_of
from schemas.batch import Layout
from schemas.contract import Contract


def read_record(contract: Contract, layout: Layout, raw: bytes) -> OddRecord:
    """The record's texts in the order of the contract's columns, or the fault that makes it no record (`shape`, `encoding`).

    `raw` as the quarantine keeps it: bytes of a file or an extract, the text of a page's record in UTF-8.
    """
    match layout:
        case Layout.FIXED | Layout.DELIMITED:
            return layout_of(contract, fixed=layout is Layout.FIXED).split_one(raw)
        case Layout.CSV:
            return parse_one(contract, tuple(column.source for column in contract.columns), raw)
        case Layout.JSON_PAGE:
            found = json.loads(raw)
            return _named(contract, found) if isinstance(found, dict) else OddRecord(None, "shape")
        case Layout.SOAP_PAGE:
            return _named(contract, fields_of(etree.fromstring(raw, etree.XMLParser(resolve_entities=False, no_network=True))))


def _named(contract: Contract, values: Mapping[str, object]) -> OddRecord:
    return OddRecord([_text(values.get(column.source)) for column in contract.columns], None)


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
