"""Deliveries, and a sink that stages them while they land, for tests of both."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from adapters.protocol import ContentStore
from adapters.staging import StagingSink
from schemas.batch import LandedObject, Layout
from schemas.contract import Contract
from schemas.contracts import contract_of
from tests.adapters.billing_drop import account_record, item_record

ORDER = contract_of("orders.product_order")
HEADER = ",".join(column.source for column in ORDER.columns)
ROW = 'O{0},K1,"一\r\n二 ""三"", {1}",,,,IPL,F,A,DONE,CM,2026-01-15 09:30:00,,{0},2026-02-01 08:00:00'
CONTENT = "\n".join([HEADER, *(ROW.format(i, "四\u2028" * (i % 7)) for i in range(60)), "torn"]).encode()

ITEMS = [item_record(f"I{number}", "月租费倀") for number in range(40)]
ACCOUNTS = [account_record(f"A{number}", number) for number in range(30)]
DELIVERIES = {
    Layout.CSV: (ORDER, [CONTENT]),
    # The last of a file without its end, a file of no rows, rows that are not of the agreed shape.
    Layout.DELIMITED: (contract_of("billing.bill_item"), [b"".join(ITEMS[:25])[:-2], b"", b"".join([*ITEMS[25:], b"torn\r\n"])]),
    Layout.FIXED: (contract_of("billing.account"), [b"".join(ACCOUNTS[:9]), b"".join(ACCOUNTS[9:]).replace(b"A12 ", b"A12")]),
}


def sink_over(landing: ContentStore, root: Path, contract: Contract = ORDER, layout: Layout = Layout.CSV) -> StagingSink:
    return StagingSink(landing, contract, "20260201", layout, root / "ahead", "key")


def put(sink: StagingSink, chunks: Iterable[bytes]) -> LandedObject:
    (item,) = sink.put_rows([("orders.csv", chunks)])
    return item


def kept_as(*items: LandedObject) -> str:
    return f"key-{hashlib.sha256(''.join(item.sha256 for item in items).encode()).hexdigest()}"


def left(sink: StagingSink) -> list[str]:
    return sorted(path.name for path in sink.folder.glob("*"))


def in_pieces(content: bytes, *sizes: int) -> Iterator[bytes]:
    """The first pieces of these sizes, the rest in one."""
    for size in sizes:
        yield content[:size]
        content = content[size:]
    yield content
