"""集中账务计费系统: a file drop, a directory or SFTP (docs/interfaces.md, "Files")."""

from __future__ import annotations

from adapters.feed import Feed, System
from adapters.protocol import Source
from adapters.transports.patience import Patience
from hub.settings import Connection
from schemas.batch import Layout
from schemas.contract import Contract
from schemas.contracts.billing import ACCOUNT, BILL, BILL_ITEM, PAYMENT


def _feed(contract: Contract, layout: Layout) -> Feed:
    return Feed(contract, "files", layout, contract.unit)


def _open(feed: Feed, province: str, connection: Connection, patience: Patience) -> Source:
    # Here, for the list of feeds is read again and again where no source is opened: at each parse of a DAG file.
    from adapters.transports.files import FileSource  # noqa: PLC0415

    return FileSource(connection, province, feed.layout, patience)


SYSTEM = System(
    "billing",
    (
        _feed(ACCOUNT, Layout.FIXED),
        _feed(BILL, Layout.DELIMITED),
        _feed(BILL_ITEM, Layout.DELIMITED),
        _feed(PAYMENT, Layout.FIXED),
    ),
    _open,
)
