"""One extract of a candidate publication: the rows of `core.*` visible at its sequence, in DuckDB, cited by hash.

A row is visible at sequence S where `recorded_from <= S and (recorded_to is null or recorded_to > S)`; of a fact, the rows
of the batches the candidate names. A version once recorded only ever gains its `recorded_to`, so reading table after table
while a load goes on shows the same rows as one snapshot would.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import duckdb
from sqlalchemy import Engine

from identity.alike import ALIKE, tell
from identity.parts import LINEAGE, STREAMS, VISIBLE, Parts, Sieve, claimed, grouped, may_be_kept, read_store, sums
from schemas.entities import ENTITIES, FACTS
from store import duck

__all__ = ["LINEAGE", "Extract", "merged", "open_extract", "read_store", "store_session"]

MEMORY_LIMIT = "1500MB"
"""With 1 GB, a night of 2,000,000 products takes a tenth longer (measured); `identity.resolve` raises it."""

# What identity and reconciliation read of each entity, beside its lineage. Personal columns stay in the task's own memory
# and in its temporary files, which are removed when the task ends.
IDENTITY_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "customer": (
        "customer_key", "customer_name", "short_name", "uscc", "org_code", "licence_no", "customer_category", "list_status",
        "industry", "address", "phone", "manager_id", "manager_name", "group_id_group", "customer_status", "parent_key",
        "customer_id_crm",
    ),
    "account": (
        "account_no", "customer_no_billing", "customer_name", "uscc", "org_code", "customer_id_crm", "address", "contact_phone",
    ),
    "product_order": ("customer_no_orders", "customer_name", "uscc", "customer_id_crm", "product_id_crm"),
    "product": ("product_id_crm", "customer_key", "account_no"),
}  # fmt: skip
RECONCILE_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "customer": ("customer_key", "customer_status", "manager_id", "group_id_group", "customer_id_crm"),
    "contact": ("contact_id", "customer_key"),
    "agreement": ("contract_no", "customer_key"),
    "account": ("account_no", "customer_no_billing", "account_status", "opened_on", "closed_on", "customer_id_crm"),
    "product": (
        "product_id_crm", "customer_key", "contract_no", "account_no", "offering", "product_status", "started_on", "ended_on",
        "monthly_price_fen", "number_group",  # the last told beside them: table `product_number_group` (`identity.alike`)
    ),
    "resource": ("resource_id", "product_id_crm", "resource_kind", "resource_status"),
    "product_order": (
        "order_no", "product_id_crm", "customer_id_crm", "order_action", "order_state", "ordered_at", "completed_at", "price_fen",
    ),
    "work_order": ("work_order_no", "order_no", "work_order_state", "finished_at"),
    "production_job": ("job_no", "customer_key", "order_no", "product_id_crm", "job_state", "finished_on"),
    "bill": ("bill_no", "account_no", "bill_month", "item_count", "total_fen", "tax_fen"),
    "payment": ("payment_no", "account_no", "bill_no", "amount_fen", "payment_kind", "paid_at"),
    "bill_item": (
        "bill_no", "account_no", "product_id_crm", "charge_item", "quantity", "price_fen", "amount_fen", "tax_fen",
        "charged_from", "charged_to",
    ),
}  # fmt: skip

# Of the work orders, by far the most numerous, only those that can disagree with their orders: the open ones, and all of an
# order that is open.
SIEVES: Mapping[str, Sieve] = {
    "work_order": Sieve(
        own="work_order_state in ('pending', 'inProgress')",
        column="order_no",
        parent="product_order",
        parents="order_state in ('acknowledged', 'inProgress', 'held')",
    )
}


@dataclass(frozen=True)
class Extract:
    """`connection` holds the entities as relations of its schema `core`, and reads the store as `store` (read only).

    `parts`: the files that some of them are read from; None where all are tables.
    """

    connection: duckdb.DuckDBPyConnection
    seq: int
    entities: tuple[str, ...]
    parts: Parts | None = None

    def counted(self, entity: str, keys: Sequence[str], counts: Mapping[str, str]) -> str:
        """SELECT of what is counted of an entity's rows by `keys`: `counts` are aggregates that add up, by their names, and look
        at the row alone. A key of which no row is left may be counted, with 0."""
        return (self.parts.counted(entity, keys, counts) if self.parts else None) or grouped(f"core.{entity}", keys, counts)

    def digest(self) -> str:
        """SHA-256 over every row's key, lineage and version, whatever their order: the same digest, the same extract."""
        told = {
            entity: (self.parts.sums(entity) if self.parts else None) or sums(self.connection, f"core.{entity}")
            for entity in sorted(self.entities)
        }
        tables = {entity: (rows, str(total)) for entity, (rows, total) in told.items()}
        return hashlib.sha256(json.dumps({"seq": self.seq, "tables": tables}, sort_keys=True).encode()).hexdigest()


def merged(*columns: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The union of what several readers need of each entity."""
    union: dict[str, tuple[str, ...]] = {}
    for mapping in columns:
        for entity, names in mapping.items():
            union[entity] = tuple(dict.fromkeys((*union.get(entity, ()), *names)))
    return union


@contextmanager
def open_extract(
    engine: Engine,
    seq: int,
    columns: Mapping[str, tuple[str, ...]],
    fact_batches: Sequence[int] = (),
    *,
    kept: Path | None = None,
) -> Iterator[Extract]:
    """The extract, in a DuckDB of this task alone that is gone when the block ends.

    `kept`: a folder of this store's parts (`identity.parts`), by which the next run reads only what has changed. While another
    run uses it, this one goes without. Raises RetryLater where the store cannot be read, FixConnection where DuckDB's postgres
    extension is not installed.
    """
    with ExitStack() as held:
        connection = held.enter_context(store_session(engine))
        own = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="bsshub-extract-")))
        kept = held.enter_context(claimed(kept)) if kept else None
        connection.execute("create schema core")
        parts = Parts(connection, engine, kept or own, seq)
        awaited: list[Callable[[], None]] = []
        with ThreadPoolExecutor(STREAMS) as pool:
            for entity, names in sorted(columns.items(), key=_longest_first):
                select = partial(_visible, entity, names, seq)
                if entity in FACTS:
                    awaited.append(parts.fact(entity, names, fact_batches, select, pool))
                elif may_be_kept(entity, names) and (kept is not None or _told(entity, names)):
                    awaited.append(pool.submit(_read_state, parts, entity, names, seq).result)
                else:
                    awaited.append(pool.submit(_read_whole, connection, entity, select).result)
            for wait in awaited:
                wait()
        yield Extract(connection, seq, tuple(columns), parts)
        parts.forget()


def _longest_first(columns: tuple[str, tuple[str, ...]]) -> tuple[bool, bool]:
    """So that the streams end together: what the store is asked about twice, then facts."""
    entity, names = columns
    return not _told(entity, names), entity not in FACTS


def _read_whole(connection: duckdb.DuckDBPyConnection, entity: str, select: Callable[[str], str]) -> None:
    with connection.cursor() as cursor:
        read_store(cursor, f"core.{entity}", select("true"))


def store_session(engine: Engine) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
    """A DuckDB with the store attached read only. What does not fit in memory spills to a folder that goes with it."""
    return duck.session(engine.url, threads=os.cpu_count() or 1, memory=MEMORY_LIMIT, read_only=True)


def _read_state(parts: Parts, entity: str, names: Sequence[str], seq: int) -> None:
    """View `core.<entity>` of its part, and beside it the tables of what stands for its personal columns."""
    told = _told(entity, names)
    plain = [name for name in names if name not in told]
    parts.state(entity, plain, partial(_visible, entity, plain, seq), SIEVES.get(entity))
    for name in told:
        tell(parts, entity, name)


def _told(entity: str, names: Sequence[str]) -> list[str]:
    """Those of the columns that stand for a personal one."""
    return [name for name in names if (entity, name) in ALIKE]


def _visible(entity: str, names: Sequence[str], seq: int, where: str, among: str = "true") -> str:
    """The store's query of the rows visible at `seq`, of those that `where` keeps; `among`: the parents that its sieve minds."""
    unknown = set(names) - {column.name for column in ENTITIES[entity].columns}
    if unknown:
        raise ValueError(f"core.{entity} has no columns {sorted(unknown)}")
    if entity in FACTS:
        selected = ", ".join(("source_key", "row_no", *names))
        return f"select {selected} from core.{entity} where ({where}) and (recorded_to is null or recorded_to > {seq})"
    selected = ", ".join((*LINEAGE, "source_version", *names))
    visible = VISIBLE.format(seq=seq)
    sieve = f" and ({SIEVES[entity].where(seq, among)})" if entity in SIEVES else ""
    return f"select {selected} from core.{entity} where ({where}) and {visible}{sieve}"
