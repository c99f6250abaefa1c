"""Changes behind the hub's back, each with what `verify` must call it; and putting everything back as it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, text

from pipeline import Hub
from schemas.batch import LandedObject


@dataclass(frozen=True)
class Tamper:
    """One change. `pick` is SQL for the name of the row to change, put as `{key}` into `change` and `found`, the beginning
    of a finding's subject; `detail` is part of what is said of it."""

    table: str
    pick: str
    change: str
    found: str
    detail: str

    def apply(self, connection: Connection) -> str:
        """Changes exactly one row (or more, where `change` says so); returns the subject to be found."""
        key = str(connection.execute(text(self.pick)).scalar_one())
        changed = connection.exec_driver_sql(self.change.replace("{key}", key))
        assert changed.rowcount, f"{self.table}: nothing was changed for {key}"
        return self.found.replace("{key}", key)


@contextmanager
def tampered(engine: Engine, tampers: Sequence[Tamper]) -> Iterator[list[tuple[str, str]]]:
    """The subjects and details to be found; the tables are put back at the end. As an intruder would, past foreign keys."""
    tables = sorted({tamper.table for tamper in tampers})
    with _past_constraints(engine) as connection:
        for number, table in enumerate(tables):
            connection.exec_driver_sql(f"create table public.kept_{number} as table {table}")
        expected = [(tamper.apply(connection), tamper.detail) for tamper in tampers]
    try:
        yield expected
    finally:
        with _past_constraints(engine) as connection:
            for number, table in enumerate(tables):
                connection.exec_driver_sql(f"delete from {table}")
                connection.exec_driver_sql(f"insert into {table} overriding system value table public.kept_{number}")
                connection.exec_driver_sql(f"drop table public.kept_{number}")


@contextmanager
def _past_constraints(engine: Engine) -> Iterator[Connection]:
    with engine.begin() as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        yield connection


def landed_path(hub: Hub, item: LandedObject) -> Path:
    with hub.landing.get(item).local_path() as path:
        return path


@contextmanager
def one_byte_changed(path: Path) -> Iterator[None]:
    """The byte in the middle is another; size and times of the file may be as they were."""
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    try:
        yield
    finally:
        path.write_bytes(content)
