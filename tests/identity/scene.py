"""A small stage of `core.*` rows, told in a few words, put into DuckDB or into a real store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import duckdb
import psycopg
from sqlalchemy import Engine, text

from hub.periods import SHANGHAI
from identity.extract import IDENTITY_COLUMNS, LINEAGE, RECONCILE_COLUMNS, merged
from schemas.entities import ENTITIES, FACTS
from store import sequence

COLUMNS = merged(IDENTITY_COLUMNS, RECONCILE_COLUMNS)
DAWN = datetime(2026, 3, 1, 8, tzinfo=SHANGHAI)
_KEYS = {
    "customer": "customer_key", "account": "account_no", "product_order": "order_no", "product": "product_id_crm",
    "bill": "bill_no", "bill_item": "item_no", "payment": "payment_no", "contact": "contact_id",
    "work_order": "work_order_no", "resource": "resource_id", "agreement": "contract_no", "production_job": "job_no",
}  # fmt: skip
_DUCK_TYPES = {
    "integer": "bigint",
    "fen": "bigint",
    "yuan": "bigint",
    "date": "date",
    "timestamp": "timestamptz",
    "boolean": "boolean",
}


@dataclass
class Scene:
    """Rows by entity. `say` adds one; a row of a known key replaces it, as a new version would."""

    rows: dict[tuple[str, str, str, str], dict[str, Any]] = field(default_factory=dict)
    _orders: Iterable[int] = field(default_factory=lambda: count(1))

    def say(self, entity: str, system: str, key: str, *, province: str = "gd", day: int = 0, **columns: Any) -> None:
        row = {
            "system": system, "province": province, "source_key": key, "source_version": DAWN + timedelta(days=day),
            _KEYS[entity]: key, "batch_id": 1, **columns, "row_no": len(self.rows) + 1,
        }  # fmt: skip
        known = self.rows.get((entity, system, province, key))
        row["row_no"] = known["row_no"] if known else row["row_no"]
        self.rows[entity, system, province, key] = row

    def crm(self, key: str, name: str | None = None, **columns: Any) -> None:
        self.say("customer", "crm", key, customer_name=name, **{"customer_status": "active", **columns})

    def group(self, key: str, name: str | None = None, **columns: Any) -> None:
        self.say("customer", "group", key, customer_name=name, **{"customer_status": "active", **columns})

    def account(self, key: str, customer: str | None, name: str | None = None, **columns: Any) -> None:
        given = {"account_status": "active", **columns}
        self.say("account", "billing", key, customer_no_billing=customer, customer_name=name, **given)

    def order(self, key: str, customer: str | None, name: str | None = None, **columns: Any) -> None:
        given = {"order_action": "add", "order_state": "completed", **columns}
        self.say("product_order", "orders", key, customer_no_orders=customer, customer_name=name, **given)

    def product(self, key: str, customer: str, **columns: Any) -> None:
        given = {"product_status": "active", "started_on": "2025-01-01", "monthly_price_fen": 10000, **columns}
        self.say("product", "crm", key, customer_key=customer, **given)

    def bill(self, key: str, account: str, total: int, *, month: str = "202602", items: int = 1, **columns: Any) -> None:
        given = {"bill_month": month, "item_count": items, "total_fen": total, **columns}
        self.say("bill", "billing", key, account_no=account, **given)

    def item(self, key: str, bill: str, product: str, amount: int, *, batch: int = 100, **columns: Any) -> None:
        given = {"charge_item": "recurring", "charged_from": "2026-02-01", "charged_to": "2026-02-28", **columns}
        self.say("bill_item", "billing", key, bill_no=bill, product_id_crm=product, amount_fen=amount, batch_id=batch, **given)

    def forget(self, entity: str, system: str, key: str, province: str = "gd") -> None:
        del self.rows[entity, system, province, key]

    def of(self, entity: str) -> list[dict[str, Any]]:
        return [row for (name, *_), row in self.rows.items() if name == entity]

    def into_duck(self, connection: duckdb.DuckDBPyConnection, *, reverse: bool = False) -> None:
        """As an extract would leave it: the entities in schema `core`."""
        connection.execute("drop schema if exists core cascade; create schema core")
        for entity, names in COLUMNS.items():
            types = {column.name: _DUCK_TYPES.get(column.type.value, "varchar") for column in ENTITIES[entity].columns}
            fixed = {"batch_id": "bigint", "row_no": "bigint", "source_version": "timestamptz"}
            columns = [*LINEAGE, *names] if entity in FACTS else [*LINEAGE, "source_version", *names]
            declared = ", ".join(f"{name} {fixed.get(name) or types.get(name, 'varchar')}" for name in columns)
            connection.execute(f"create table core.{entity} ({declared})")
            rows = [[row.get(name) for name in columns] for row in self.of(entity)]
            if rows:
                marks = ", ".join("?" for _ in columns)
                connection.executemany(f"insert into core.{entity} values ({marks})", rows[::-1] if reverse else rows)

    def into_store(self, engine: Engine) -> int:
        """As loads would leave it: changed rows as new versions. Returns the sequence at which it is visible."""
        with engine.begin() as store:
            seq = sequence.advance(store)
            driver = store.connection.driver_connection
            assert isinstance(driver, psycopg.Connection)
            for entity in COLUMNS:
                if entity in FACTS:
                    self._fact_into_store(driver, entity)
                else:
                    self._state_into_store(driver, entity, seq)
        return seq

    def _fact_into_store(self, driver: psycopg.Connection[Any], entity: str) -> None:
        for batch in sorted({row["batch_id"] for row in self.of(entity)}):
            name = f"core.{entity}_{batch}"
            driver.execute(f"drop table if exists {name}")
            driver.execute(f"create table {name} partition of core.{entity} for values in ({batch})")
        for row in self.of(entity):
            given = {name: value for name, value in row.items() if name != "source_version"}
            _insert(driver, f"core.{entity}", given)

    def _state_into_store(self, driver: psycopg.Connection[Any], entity: str, seq: int) -> None:
        hashes = {(row["system"], row["province"], row["source_key"]): _hash(row) for row in self.of(entity)}
        open_rows = driver.execute(
            f"select system, province, source_key, row_hash from core.{entity} where recorded_to is null and not is_deleted"
        ).fetchall()
        known = {(system, province, key): row_hash for system, province, key, row_hash in open_rows}
        for key, row_hash in known.items():
            if hashes.get(key) != row_hash:
                driver.execute(
                    f"update core.{entity} set recorded_to = %s "
                    "where system = %s and province = %s and source_key = %s and recorded_to is null",
                    (seq, *key),
                )
        for row in self.of(entity):
            key = (row["system"], row["province"], row["source_key"])
            if known.get(key) != hashes[key]:
                extra = {"is_deleted": False, "valid_from": row["source_version"], "recorded_from": seq, "row_hash": hashes[key]}
                _insert(driver, f"core.{entity}", {**row, **extra})


def crosswalk(engine: Engine) -> dict[str, str]:
    """`system/province/key` → the golden customer's id, as it is now."""
    with engine.connect() as store:
        rows = store.execute(
            text("select system, province, customer_key, customer_id from core.crosswalk where recorded_to is null")
        )
        return {f"{row[0]}/{row[1]}/{row[2]}": row[3] for row in rows}


def removed(engine: Engine, entity: str, system: str, key: str, seq: int, batch: int) -> None:
    """As a load leaves a row that a delivery removed."""
    with engine.begin() as store:
        store.execute(
            text(
                f"insert into core.{entity} (system, province, source_key, source_version, is_deleted, valid_from, "
                "recorded_from, row_hash, batch_id, row_no) "
                "values (:system, 'gd', :key, now(), true, now(), :seq, 'h', :batch, 0)"
            ),
            {"system": system, "key": key, "seq": seq, "batch": batch},
        )


def _insert(driver: psycopg.Connection[Any], table: str, row: dict[str, Any]) -> None:
    marks = ", ".join("%s" for _ in row)
    driver.execute(f"insert into {table} ({', '.join(row)}) values ({marks})".encode(), list(row.values()))


def _hash(row: dict[str, Any]) -> str:
    return hashlib.md5(json.dumps(row, default=str, sort_keys=True).encode()).hexdigest()
