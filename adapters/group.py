"""集团客户生产管理系统: SOAP in the EOMS style (docs/interfaces.md, "SOAP")."""

from __future__ import annotations

from adapters.feed import Feed, System
from adapters.protocol import Source
from adapters.transports.patience import Patience
from hub.settings import Connection
from schemas.batch import Layout
from schemas.contracts.group import GROUP_CUSTOMER, PRODUCTION_JOB


def _open(feed: Feed, _province: str, connection: Connection, patience: Patience) -> Source:
    # Here, for the list of feeds is read again and again where no source is opened: at each parse of a DAG file.
    from adapters.transports.soap import SoapService, SoapSource  # noqa: PLC0415

    service = SoapService(
        path="/services/GroupCustomerService",
        namespace="http://eoms.bss/group",
        supplier="GROUP",
        wrong_caller=("密码", "口令", "调用方", "鉴权", "认证"),
        busy=("忙", "稍后"),
        wrong_request=("字段", "缺少", "参数"),
    )
    return SoapSource(connection, service, feed.entry, patience)


SYSTEM = System(
    "group",
    (
        Feed(GROUP_CUSTOMER, "soap", Layout.SOAP_PAGE, "queryGroupCustomer"),
        Feed(PRODUCTION_JOB, "soap", Layout.SOAP_PAGE, "queryProductionJob"),
    ),
    _open,
)
