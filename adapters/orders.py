"""综合定单工单管理系统: a database, reached by URL only (docs/interfaces.md, "Database")."""

from __future__ import annotations

from adapters.feed import Feed, System
from adapters.protocol import Source
from adapters.transports.patience import Patience
from hub.settings import Connection
from schemas.batch import Layout
from schemas.contracts.orders import PRODUCT_ORDER, WORK_ORDER


def _open(feed: Feed, _province: str, connection: Connection, patience: Patience) -> Source:
    # Here, for the list of feeds is read again and again where no source is opened: at each parse of a DAG file.
    from adapters.transports.sql import SqlSource  # noqa: PLC0415

    return SqlSource(connection, feed.entry, patience)


SYSTEM = System(
    "orders",
    (
        Feed(PRODUCT_ORDER, "sql", Layout.CSV, "t_product_order"),
        Feed(WORK_ORDER, "sql", Layout.CSV, "t_work_order"),
    ),
    _open,
)
