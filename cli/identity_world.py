"""A simulated world's customers as `core.*` tables in DuckDB, without servers or nights: what identity reads, and the truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from hub.periods import SHANGHAI
from identity import training
from identity.extract import IDENTITY_COLUMNS, LINEAGE
from identity.linking import ModelLinker
from identity.measuring import measure
from identity.settings import IdentitySettings
from identity.sources import prepare
from identity.trying import scratch
from simulator import catalogue, clientele, contradictions
from simulator.book import Book
from simulator.dirt import CEILING, DirtRates
from simulator.firms import BRANCH, Firm, FirmMaker
from simulator.world import PROVINCES

CHUNK = 50_000
_KEY_FIELD = {"crm": "crm", "billing": "billing", "orders": "orders", "group": "group"}


@dataclass(frozen=True)
class Clientele:
    """The firms of a world and the records four systems keep of them."""

    firms: list[Firm]
    books: dict[str, Book]


def clientele_of(seed: int, customers: int, dirt: DirtRates, *, products: bool = True) -> Clientele:
    """The same firms and records as `simulator.world.World` has before its first night, without orders and bills; without
    `products`, also without what CRM and billing contradict each other in."""
    maker = FirmMaker(seed, dirt)
    books = {province: Book(province, seed, dirt) for province in PROVINCES}
    firms = maker.population(customers)
    clientele.settle(books, firms)
    if products:
        catalogue.stock(books, customers)
        for book in books.values():
            contradictions.pin(book)
    return Clientele(firms, books)


def scored(seed: int, customers: int, multiple: int, settings: IdentitySettings) -> list[dict[str, object]]:
    """A row a kind of trap, 'all' first: how the linker did on one world whose every dirt rate is so many times the default."""
    with scratch() as connection:
        connection.execute("set TimeZone = 'Asia/Shanghai'")
        fill(connection, clientele_of(seed, customers, times(DirtRates(), multiple)))
        prepare(connection)
        ModelLinker(settings).link(connection)
        return [
            {
                "seed": seed, "customers": customers, "dirt": multiple, "trap": found.trap, "found": found.found,
                "wrong": found.wrong, "missed": found.missed, "in_review": found.asked,
                "precision": round(found.precision, 5), "recall": round(found.recall, 5),
            }
            for found in measure(connection)
        ]  # fmt: skip


def trained(
    settings: IdentitySettings, out: Path, *, customers: int, seed: int, multiple: int, version: str
) -> tuple[IdentitySettings, list[Path]]:
    """The settings as trained on one world, and the files written to `out`."""
    with scratch() as connection:
        connection.execute("set TimeZone = 'Asia/Shanghai'; set threads = 1")  # sampling is reproducible on one thread
        fill(connection, clientele_of(seed, customers, times(DirtRates(), multiple), products=False))
        prepare(connection)
        after = training.train(connection, settings, seed=seed, version=version)
        return after, training.write(connection, after, out)


def times(rates: DirtRates, multiple: int) -> DirtRates:
    """Every rate so many times as high, none above the simulator's ceiling."""
    raised = {field.name: min(CEILING, getattr(rates, field.name) * multiple) for field in fields(rates)}
    return replace(rates, **raised)


def fill(connection: duckdb.DuckDBPyConnection, world: Clientele) -> None:
    """Makes the entities identity reads, in schema `core`, and `truth` (`system, province, customer_key, firm_id, trap`)."""
    connection.execute("create schema if not exists core")
    for entity, names in IDENTITY_COLUMNS.items():
        columns = (*LINEAGE, "source_version", *names)
        types = {"batch_id": "bigint", "row_no": "bigint", "source_version": "timestamptz"}
        declared = ", ".join(f"{name} {types.get(name, 'varchar')}" for name in dict.fromkeys(columns))
        connection.execute(f"create or replace table core.{entity} ({declared})")
        _insert(connection, f"core.{entity}", (row for book in world.books.values() for row in _ROWS[entity](book)))
    connection.execute(
        "create or replace table truth (system varchar, province varchar, customer_key varchar, firm_id varchar, trap varchar)"
    )
    _insert(connection, "truth", (row for book in world.books.values() for row in _truth(book)))


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: Iterable[dict[str, Any]]) -> None:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append({name: value if value != "" else None for name, value in row.items()})
        if len(batch) == CHUNK:
            _append(connection, table, batch)
            batch = []
    if batch:
        _append(connection, table, batch)


def _append(connection: duckdb.DuckDBPyConnection, table: str, batch: list[dict[str, Any]]) -> None:
    connection.register("given_rows", pa.Table.from_pylist(batch))
    connection.execute(f"insert into {table} by name select * from given_rows")
    connection.unregister("given_rows")


def _lineage(book: Book, system: str, key: str, version: datetime) -> dict[str, Any]:
    moment = version.replace(tzinfo=SHANGHAI)
    return {
        "system": system, "province": book.province, "source_key": key, "batch_id": 1, "row_no": 1, "source_version": moment,
    }  # fmt: skip


def _customers(book: Book) -> Iterable[dict[str, Any]]:
    for crm in book.crm.rows.values():
        yield {
            **_lineage(book, "crm", crm.key, crm.updated), "customer_key": crm.key, "customer_name": crm.name,
            "short_name": crm.short_name, "uscc": _said(crm.uscc), "org_code": crm.org_code, "licence_no": crm.licence_no,
            "address": crm.address, "phone": crm.phone, "group_id_group": crm.group_id, "manager_id": crm.manager_id,
            "industry": crm.customer.firm.industry, "customer_status": "active",
        }  # fmt: skip
    for group in book.group.rows.values():
        yield {
            **_lineage(book, "group", group.key, group.updated), "customer_key": group.key, "customer_name": group.name,
            "uscc": _said(group.uscc), "org_code": group.org_code, "address": group.address, "parent_key": group.parent_key,
            "customer_id_crm": group.crm_customer_id, "manager_id": group.manager_id, "customer_status": "active",
            "industry": group.customer.firm.industry,
        }  # fmt: skip


def _accounts(book: Book) -> Iterable[dict[str, Any]]:
    for account in book.accounts.rows.values():
        party = account.party
        yield {
            **_lineage(book, "billing", account.key, account.updated), "account_no": account.key,
            "customer_no_billing": account.customer.billing, "customer_name": party.name, "uscc": _said(party.uscc),
            "org_code": party.org_code, "customer_id_crm": account.crm_customer_id, "address": account.address,
            "contact_phone": account.phone,
        }  # fmt: skip


def _orders(book: Book) -> Iterable[dict[str, Any]]:
    """One order a customer that orders."""
    for key, party in book.orders_parties.items():
        yield {
            **_lineage(book, "orders", f"PO{key}", datetime.fromisoformat("2026-01-01")), "customer_no_orders": key,
            "customer_name": party.name, "uscc": _said(party.uscc), "customer_id_crm": party.crm_customer_id,
        }  # fmt: skip


def _products(book: Book) -> Iterable[dict[str, Any]]:
    for product in book.products.rows.values():
        yield {
            **_lineage(book, "crm", product.key, product.updated), "product_id_crm": product.key,
            "customer_key": product.customer.crm, "account_no": product.account_key,
        }  # fmt: skip


def _said(code: str) -> str:
    """The gate reads the literal N/A as nothing said."""
    return "" if code == "N/A" else code


def _trap(firm: Firm) -> str:
    if firm.junk_code:
        return "junk_code"
    if firm.former:
        return "renamed"
    if firm.same_name_as:
        return "same_name"
    if firm.pilot:
        return "pilot_code"
    return "branch" if firm.level == BRANCH else "none"


def _truth(book: Book) -> Iterable[dict[str, Any]]:
    for customer in book.customers:
        for system, field in _KEY_FIELD.items():
            key = getattr(customer, field)
            if key:
                firm = customer.firm
                yield {
                    "system": system, "province": book.province, "customer_key": key, "firm_id": firm.firm_id,
                    "trap": _trap(firm),
                }  # fmt: skip


_ROWS = {"customer": _customers, "account": _accounts, "product_order": _orders, "product": _products}
