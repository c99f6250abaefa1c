"""A store with short words for what tests do to it: deliver rows, load them, look at them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import Engine, text

from hub.errors import HubError
from hub.periods import SHANGHAI, ends_at
from schemas.batch import Account, Delivery, Kind, LandedObject, Layout, LoadCounts, Window
from schemas.contract import Contract, Mode, Type
from schemas.contracts import contract_of
from store import ledger
from store.landing import Landing
from store.loading import load_batch
from store.staged import StagedRows

Row = Mapping[str, Any]
TYPES = {
    Type.TEXT: "varchar",
    Type.CODE: "varchar",
    Type.INTEGER: "bigint",
    Type.FEN: "bigint",
    Type.YUAN: "bigint",
    Type.DATE: "date",
    Type.TIMESTAMP: "timestamptz",
    Type.BOOLEAN: "boolean",
}


@dataclass(frozen=True)
class Finding:
    rule_id: str
    severity: str
    error_class: str
    failed_sql: int
    failed_gx: int | None


def at(day: int, hour: int = 12, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=SHANGHAI)


def account_row(number: int, version: datetime, **more: Any) -> dict[str, Any]:
    row = {
        "account_no": f"AC{number:04d}",
        "customer_no_billing": f"CU{number:04d}",
        "customer_name": f"客户{number}",
        "account_status": "active",
        "opened_on": date(2020, 1, 1),
        "arrears_fen": number * 100,
        "contact_phone": f"1860000{number:04d}",
        "updated_at": version,
    }
    return {**row, **more}


def item_row(number: int, **more: Any) -> dict[str, Any]:
    row = {
        "item_no": f"IT{number:06d}",
        "bill_no": f"BL{number // 5:06d}",
        "account_no": f"AC{number // 50:04d}",
        "charge_item": "usage",
        "amount_fen": number * 10,
        "charged_from": date(2026, 2, 1),
        "charged_to": date(2026, 2, 28),
    }
    return {**row, **more}


@dataclass
class TestStore:
    """`deliver` takes rows down the road up to the gate, `load` the rest; `put` does both."""

    __test__ = False
    engine: Engine
    folder: Path
    landing: Landing
    staged: dict[int, StagedRows] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def put(self, feed_id: str, period: str, rows: Sequence[Row], **options: Any) -> LoadCounts:
        return self.load(self.deliver(feed_id, period, rows, **options))

    def load(self, batch_id: int) -> LoadCounts:
        return load_batch(self.engine, batch_id, self.staged[batch_id])

    def deliver(
        self,
        feed_id: str,
        period: str,
        rows: Sequence[Row],
        *,
        province: str = "gd",
        kind: Kind | None = None,
        resend: int = 0,
        quarantined: Sequence[int] = (),
        window: Window | None = None,
    ) -> int:
        """Lands, stages and gates; `quarantined` are row numbers. Returns the batch, raises what refuses it."""
        contract = contract_of(feed_id)
        delivery = self.delivery(contract, period, rows, kind=kind, resend=resend, window=window)
        with self.engine.begin() as connection:
            batch = ledger.receive(connection, contract, province, period, delivery)
        if batch.state == "refused":
            raise HubError(str(batch.refusal_reason), code=batch.refusal_code)
        self.staged[batch.batch_id] = self.stage(contract, rows, quarantined)
        account = self.account(contract, rows, quarantined)
        with self.engine.begin() as connection:
            for row_no in quarantined:
                connection.execute(
                    text(
                        "insert into hub.quarantine values "
                        "(:batch, :row, 'quarantined', '01001004', 'typed', null, 0, 0, 5, :raw) on conflict do nothing"
                    ),
                    {"batch": batch.batch_id, "row": row_no, "raw": b"bytes"},
                )
            ledger.record_gate(connection, batch.batch_id, account, [Finding("typed", "row", "4", len(quarantined), None)])
        return batch.batch_id

    def delivery(
        self,
        contract: Contract,
        period: str,
        rows: Sequence[Row],
        *,
        kind: Kind | None,
        resend: int,
        window: Window | None = None,
    ) -> Delivery:
        files = contract.system == "billing"
        kind = kind or {Mode.FULL: Kind.FULL, Mode.INCREMENTAL: Kind.INCREMENTAL, Mode.EVENT: Kind.EVENT}[contract.mode]
        if contract.mode is Mode.INCREMENTAL and window is None:
            window = Window(since=None, before=ends_at(period))
        landed = self.landing.put(f"{kind}_{period}_{resend:02d}.dat", [repr([sorted(row.items()) for row in rows]).encode()])
        assert isinstance(landed, LandedObject)
        layout = Layout.DELIMITED if files else Layout.JSON_PAGE
        return Delivery(kind=kind, resend=resend, layout=layout, objects=(landed,), window=window, declared_rows=len(rows))

    def stage(self, contract: Contract, rows: Sequence[Row], quarantined: Sequence[int]) -> StagedRows:
        folder = self.folder / f"stage-{next(self._numbers)}"
        folder.mkdir()
        duck = duckdb.connect()
        duck.execute("set TimeZone = 'Asia/Shanghai'")
        typed = ", ".join(f"{column.name} {TYPES[column.type]}" for column in contract.columns)
        duck.execute(f"create table rows (_row_no bigint, {typed}, _source varchar)")
        places = ", ".join("?" * (len(contract.columns) + 2))
        for number, row in enumerate(rows, 1):
            source = row.get("_source")
            values = [row.get(column.name) for column in contract.columns]
            duck.execute(f"insert into rows values ({places})", [number, *values, source])
        duck.execute("create table verdict (_row_no bigint, outcome varchar)")
        for number in quarantined:
            duck.execute("insert into verdict values (?, 'quarantined')", [number])
        duck.execute(f"copy rows to '{folder}/rows-0.parquet' (format parquet)")
        duck.execute(f"copy verdict to '{folder}/verdict.parquet' (format parquet)")
        duck.close()
        return StagedRows(f"{folder}/rows-*.parquet", folder / "verdict.parquet")

    def account(self, contract: Contract, rows: Sequence[Row], quarantined: Sequence[int]) -> Account:
        def fen(row: Row) -> int:
            return int(row.get(contract.money) or 0) if contract.money else 0

        bad = set(quarantined)
        kept = [row for number, row in enumerate(rows, 1) if number not in bad]
        return Account(
            received=len(rows),
            accepted=len(kept),
            quarantined=len(bad),
            received_fen=sum(map(fen, rows)),
            accepted_fen=sum(map(fen, kept)),
            quarantined_fen=sum(fen(rows[number - 1]) for number in bad),
        )

    def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query), parameters)]

    def value(self, query: str, **parameters: Any) -> Any:
        (row,) = self.rows(query, **parameters)
        return row[0]

    def execute(self, statement: str, **parameters: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), parameters)


@pytest.fixture
def store(store_engine: Engine, tmp_path: Path) -> TestStore:
    return TestStore(store_engine, tmp_path, Landing((tmp_path / "landing").as_uri()))
