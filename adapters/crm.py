"""客户资源管理系统: REST with OAuth2 client credentials and cursor pages (docs/interfaces.md, "REST")."""

from __future__ import annotations

from adapters.feed import Feed, System
from adapters.protocol import Source
from adapters.transports.patience import Patience
from hub.settings import Connection
from schemas.batch import Layout
from schemas.contract import Contract
from schemas.contracts.crm import CONTACT, CONTRACT, CUSTOMER, PRODUCT_INSTANCE, RESOURCE


def _feed(contract: Contract, resource: str) -> Feed:
    return Feed(contract, "rest", Layout.JSON_PAGE, resource)


def _open(feed: Feed, _province: str, connection: Connection, patience: Patience) -> Source:
    # Here, for the list of feeds is read again and again where no source is opened: at each parse of a DAG file.
    from adapters.transports.rest import RestSource  # noqa: PLC0415

    return RestSource(connection, feed.entry, patience)


SYSTEM = System(
    "crm",
    (
        _feed(CUSTOMER, "customers"),
        _feed(CONTACT, "contacts"),
        _feed(CONTRACT, "contracts"),
        _feed(PRODUCT_INSTANCE, "product-instances"),
        _feed(RESOURCE, "resources"),
    ),
    _open,
)
