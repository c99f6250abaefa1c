"""`t_product_order` as docs/interfaces.md describes it, with awkward rows, in any database."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

METADATA = sa.MetaData()
TABLE = sa.Table(
    "t_product_order",
    METADATA,
    sa.Column("order_no", sa.String(20), primary_key=True),
    sa.Column("customer_no", sa.String(12)),
    sa.Column("customer_name", sa.String(200)),
    sa.Column("uscc", sa.String(30)),
    sa.Column("crm_customer_id", sa.String(12)),
    sa.Column("product_id", sa.String(16)),
    sa.Column("offering_code", sa.String(8)),
    sa.Column("service_kind", sa.String(2)),
    sa.Column("action", sa.String(2)),
    sa.Column("state", sa.String(8)),
    sa.Column("channel", sa.String(8)),
    sa.Column("ordered_at", sa.DateTime),
    sa.Column("completed_at", sa.DateTime),
    sa.Column("price_fen", sa.BigInteger),
    sa.Column("updated_at", sa.DateTime),
)
START = datetime(2026, 2, 1)  # noqa: DTZ001 - the source speaks Shanghai time without saying so
ALPHABET = ['"', ",", "\n", "\r", "\\", ".", " ", "'", "|", "%", "a", "公司", "𠮷", "\t", ";"]


def order(number: int, **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "order_no": f"PO{number:06d}",
        "customer_no": f"C{number % 7}",
        "customer_name": "广东实业有限公司",
        "uscc": None,
        "crm_customer_id": "CU1",
        "product_id": "P1",
        "offering_code": "IPL",
        "service_kind": "F",
        "action": "A",
        "state": "DONE",
        "channel": "YYT",
        "ordered_at": START,
        "completed_at": None,
        "price_fen": 100 * number,
        "updated_at": START + timedelta(seconds=number // 3),  # several rows share a version
    }
    return row | changes


def awkward_orders(seed: int, count: int) -> list[dict[str, Any]]:
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        text = "".join(chance.choice(ALPHABET) for _ in range(chance.randrange(6)))
        moment = START + timedelta(seconds=chance.randrange(count), microseconds=chance.choice([0, 0, 1, 500000, 120000]))
        changes = {"customer_name": chance.choice([text, None, "", "\\.", "N/A"]), "uscc": chance.choice([None, ""])}
        amounts = {"price_fen": chance.choice([None, 0, -5, 10**17]), "completed_at": chance.choice([None, moment])}
        rows.append(order(number, updated_at=chance.choice([moment, moment, None]), **changes, **amounts))
    return rows


def fill(url: str | sa.URL, rows: Sequence[Mapping[str, Any]]) -> None:
    engine = sa.create_engine(url)
    METADATA.create_all(engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(TABLE), list(rows))
    engine.dispose()
