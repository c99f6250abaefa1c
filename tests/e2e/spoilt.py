"""What every test of bad input asks of a hub: what it refused, what it kept, and whether it ends as if nothing had happened."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from hub.settings import Connection, ConnectionSource
from pipeline import Hub, run_feed, verify_store
from schemas.contracts import CONTRACTS
from schemas.entities import ENTITIES, FACTS
from simulator import expected
from simulator.world import World
from store import ledger
from store.ledger import Batch

NIGHT, MONTH = "20260305", "202602"
SHORTEST_TOLD = 4
"""A personal value shorter than this may stand in a text by chance."""


def period_of(feed_id: str) -> str:
    return NIGHT if CONTRACTS[feed_id].period == "daily" else MONTH


@dataclass(frozen=True)
class Quarantined:
    row_no: int
    reason: str
    rule_id: str
    raw: bytes


def batches(engine: Engine) -> list[Batch]:
    """Every batch of the ledger, oldest first."""
    with engine.connect() as connection:
        numbers = connection.execute(text("select batch_id from hub.batch order by 1")).scalars().all()
        return [ledger.get(connection, number) for number in numbers]


def quarantined(engine: Engine) -> list[Quarantined]:
    statement = "select row_no, reason, rule_id, raw from hub.quarantine where outcome = 'quarantined' order by batch_id, row_no"
    with engine.connect() as connection:
        return [Quarantined(row.row_no, row.reason, row.rule_id, bytes(row.raw)) for row in connection.execute(text(statement))]


def last_attempt(engine: Engine) -> dict[str, Any]:
    with engine.connect() as connection:
        row = connection.execute(text("select * from hub.attempt order by attempt_id desc limit 1")).mappings().one()
        return dict(row)


def state_of(engine: Engine, feed_id: str, province: str) -> list[tuple[Any, ...]]:
    """The rows of a feed that count in `core`, in key order, without what says when and by which batch they came."""
    contract = CONTRACTS[feed_id]
    columns = ", ".join(column.name for column in ENTITIES[contract.entity].columns)
    counts = "batch_id in (select batch_id from hub.batch where state = 'loaded')" if contract.entity in FACTS else "true"
    statement = f"""
        select source_key, {columns} from core.{contract.entity}
        where recorded_to is null and system = :system and province = :province and {counts} order by source_key"""
    with engine.connect() as connection:
        found = connection.execute(text(statement), {"system": contract.system, "province": province})
        return [tuple(row) for row in found]


def run(hub: Hub, feed_id: str, province: str) -> list[dict[str, object]]:
    return run_feed(hub, feed_id, province, period_of(feed_id))


def assert_kept(hub: Hub, batch: Batch, bytes_of: Callable[[str], bytes] | None = None) -> None:
    """What was refused is still there, byte for byte as the source has it."""
    assert batch.delivery.objects
    for item in batch.delivery.objects:
        kept = b"".join(hub.landing.get(item).chunks())
        assert len(kept) == item.bytes
        if bytes_of is not None:
            assert kept == bytes_of(item.name)


def assert_sound(hub: Hub) -> None:
    """Nothing lost, nothing changed: every batch's account is whole, and no invariant is broken."""
    assert verify_store(hub) == []
    for batch in batches(hub.engine):
        assert batch.state in {"loaded", "superseded", "refused"}
        assert batch.state == "refused" or (batch.account is not None and batch.counts is not None)


def assert_discreet(hub: Hub, told: str, world: World, *secrets: str) -> None:
    """Neither a personal value of the world nor a password, in an error, in the ledger, or in a file the hub wrote."""
    said = told + ledger_texts(hub.engine) + "".join(documents(hub))
    assert not [secret for secret in (*secrets, *personal_values(world)) if secret in said]


def ledger_texts(engine: Engine) -> str:
    """Every row of the ledger as text. `hub.quarantine.raw` holds the bytes as they came, on purpose; all else is told here."""
    with engine.connect() as connection:
        names = connection.execute(text("select tablename from pg_tables where schemaname = 'hub' order by 1")).scalars().all()
        rows = [
            connection.execute(text(f"select (to_jsonb(t) - 'raw')::text from hub.{name} t")).scalars().all() for name in names
        ]
    return "\n".join(row for table in rows for row in table)


def documents(hub: Hub) -> Iterator[str]:
    """Every file under the hub's home that is not landed bytes: GX results, Data Docs, reports, what is staged."""
    landing = Path(hub.settings.landing_url.removeprefix("file://"))
    for path in sorted(hub.settings.home.rglob("*")):
        if path.is_file() and landing not in path.parents:
            yield path.read_bytes().decode("utf-8", errors="replace")


@cache
def personal_values(world: World) -> frozenset[str]:
    """The personal values of every feed, as the sources show them on the night. A firm that pays under its own name tells
    nothing that its name does not."""
    return _values(world, personal=True) - _values(world, personal=False)


def _values(world: World, *, personal: bool) -> frozenset[str]:
    return frozenset(
        text
        for contract in CONTRACTS.values()
        for province in world.provinces
        for row in expected.rows(world, contract.feed_id, province, period_of(contract.feed_id))
        for column in contract.columns
        if column.personal is personal and isinstance(value := row.get(column.source), str) and len(value) >= SHORTEST_TOLD
        for text in (value, json.dumps(value).strip('"'))
    )


@dataclass(frozen=True)
class PrivateDrop:
    """A copy of a province's file drop, of one test alone, and a hub that reads it. `good` is what was dropped."""

    hub: Hub
    path: Path
    good: Path

    def file(self, unit: str, suffix: str = ".dat", resend: int = 0) -> Path:
        [found] = [path for path in self.path.glob(f"*_{unit}_{resend:02d}_001{suffix}") if path.name[1] == "_"]
        return found

    def mend(self) -> None:
        """The sender puts good files in place of the bad ones, under the same names."""
        for path in self.good.iterdir():
            shutil.copy(path, self.path / path.name)

    def resend(self, unit: str) -> None:
        """The sender sends the unit again, as resend 01."""
        for path in sorted(self.good.glob(f"*_{unit}_00_*")):
            content = path.read_bytes()
            if path.suffix == ".verf":
                content = content.replace(f"_{unit}_00_".encode(), f"_{unit}_01_".encode())
            (self.path / path.name.replace(f"_{unit}_00_", f"_{unit}_01_")).write_bytes(content)


def private_drop(hub: Hub, good: Path, path: Path) -> PrivateDrop:
    shutil.copytree(good, path)
    return PrivateDrop(replace(hub, connections=_with_directory(hub.connections, path)), path, good)


def _with_directory(connections: ConnectionSource, path: Path) -> ConnectionSource:
    def find(conn_id: str) -> Connection:
        found = connections(conn_id)
        return replace(found, schema=str(path)) if conn_id == "bss_billing_gd" else found

    return find
