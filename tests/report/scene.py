"""A small store with everything a page can show: two nights, good and bad deliveries, breaks, a feed that never came."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, Table, insert, text

from hub.periods import SHANGHAI, following
from schemas.contracts import CONTRACTS
from store import tables

T0 = datetime(2026, 3, 15, 1, 30, tzinfo=SHANGHAI)
PERSONAL = "13800138000"
LOUD = "=cmd|' /C calc'!A0"
HTML = "<script>alert(1)</script>"
REFUSED_FEED = "group.production_job"
MISSING_FEED = "orders.work_order"


def add(connection: Connection, table: Table, **values: object) -> int:
    statement = insert(table).values(values)
    return int(connection.execute(statement.returning(next(iter(table.c)))).scalar_one())


def money_parts(rows: dict[str, int], fen: int) -> dict[str, int]:
    return {f"{name}_fen": count * fen for name, count in rows.items()}


def add_batch(connection: Connection, feed_id: str, province: str, period: str, night: int, **changes: object) -> int:
    """A loaded batch whose sums balance, its attempts, and one broken rule; `changes` overrides columns."""
    contract = CONTRACTS[feed_id]
    n = 200 + 13 * list(CONTRACTS).index(feed_id) + night
    gate = {"received": n, "accepted": n - 9, "quarantined": 6, "duplicate": 3, "refused": 0}
    load = {"inserted": n - 50, "updated": 30, "unchanged": 7, "stale": 3, "deleted": 1}
    at = T0 + timedelta(days=night)
    fen = 12_345 if contract.money else 0
    values: dict[str, object] = {
        "system": contract.system,
        "feed": contract.feed,
        "province": province,
        "period": period,
        "kind": contract.mode.value,
        "resend": 0,
        "content_digest": f"{feed_id}{province}{period}{night}",
        "delivery": {"layout": "csv", "objects": [{"name": "one.dat", "sha256": "0" * 64, "bytes": 1}], "companions": []},
        "state": "loaded",
        **gate,
        **money_parts(gate, fen),
        **load,
        **money_parts(load, fen),
        "unreadable": 0,
        "vanished": 0,
        "landed_at": at,
        "gated_at": at,
        "loaded_at": at,
        **changes,
    }
    batch_id = add(connection, tables.batch, **values)
    results = [
        ("typed", "row", "4", 6, 6),
        ("key_present", "row", "1", 0, 0),
        ("uscc_shape", "warning", "5", 2, 2),
        ("shape", "row", "4", 0, None),
    ]
    connection.execute(
        insert(tables.gate_result),
        [
            {"batch_id": batch_id, "rule_id": r, "severity": s, "error_class": c, "failed_sql": q, "failed_gx": g}
            for r, s, c, q, g in results
        ],
    )
    if values["quarantined"]:  # a refused batch leaves no row in quarantine
        add_quarantine(connection, batch_id, contract.unit)
    for offset, step in enumerate(("pull", "gate", "load")):
        add_attempt(connection, step, feed_id, province, period, at + timedelta(seconds=5 * offset), "done", [batch_id])
    return batch_id


def add_quarantine(connection: Connection, batch_id: int, unit: str) -> None:
    connection.execute(
        insert(tables.quarantine),
        [
            {
                "batch_id": batch_id,
                "row_no": row_no,
                "outcome": "quarantined" if row_no < 7 else "duplicate",
                "reason": f"{unit}014" if row_no < 7 else f"{unit}001",
                "rule_id": "typed",
                "detail": f"phone {PERSONAL}",
                "object_no": 0,
                "byte_offset": row_no * 10,
                "byte_length": 10,
                "raw": PERSONAL.encode(),
            }
            for row_no in range(1, 10)
        ],
    )


def add_attempt(
    connection: Connection,
    step: str,
    feed_id: str,
    province: str,
    period: str,
    at: datetime,
    outcome: str | None,
    batches: list[int],
) -> None:
    system, feed = feed_id.split(".")
    add(
        connection,
        tables.attempt,
        step=step,
        system=system,
        feed=feed,
        province=province,
        period=period,
        run_id=f"scheduled__{at:%Y-%m-%dT%H:%M:%S}",
        started_at=at,
        finished_at=at + timedelta(seconds=2.4) if outcome else None,
        outcome=outcome,
        batch_ids=batches,
    )


def seed(engine: Engine) -> None:
    with engine.begin() as connection:
        _seed_batches(connection)
        _seed_publication(connection)
        _seed_customers(connection)
        _seed_breaks(connection)
        connection.execute(text("select hub.append_journal('seeded', 'test', '{}')"))


def _seed_batches(connection: Connection) -> None:
    for night, day in enumerate(("20260313", "20260314")):
        for contract in CONTRACTS.values():
            for province in ("gd", "js"):
                if contract.period == "monthly" and night == 1:
                    continue
                last = day if contract.period == "daily" else "202602"
                if (contract.feed_id, province, night) == (MISSING_FEED, "js", 1):
                    continue
                if (contract.feed_id, province, night) == (REFUSED_FEED, "gd", 1):
                    _add_refused(connection, last)
                    continue
                batch_id = add_batch(connection, contract.feed_id, province, last, night)
                _advance(connection, contract.system, contract.feed, province, last, batch_id)
    connection.execute(
        insert(tables.missing_feed).values(
            system="orders",
            feed="work_order",
            province="js",
            period="20260314",
            reason="not_come",
            cycle="20260314",
            noted_at=T0 + timedelta(days=1),
        )
    )


def _add_refused(connection: Connection, period: str) -> None:
    load = dict.fromkeys(("inserted", "updated", "unchanged", "stale", "deleted"))
    nothing = {"accepted": 0, "quarantined": 0, "duplicate": 0}
    changes = {
        "state": "refused",
        "refusal_code": "mass",
        "refusal_reason": f"50 of 50 rows broken {HTML}",
        "received": 50,
        "refused": 50,
        **nothing,
        **load,
        **money_parts({"received": 0, "refused": 0, **nothing}, 0),
        **{f"{name}_fen": None for name in load},
        "loaded_at": None,
    }
    add_batch(connection, REFUSED_FEED, "gd", period, 1, **changes)
    uncounted = dict.fromkeys(name for name in changes if changes[name] is None or isinstance(changes[name], int))
    reason = {"state": "refused", "refusal_code": "size", "refusal_reason": "the file is shorter than its check file says"}
    add_batch(connection, "billing.payment", "gd", "20260312", 2, **{**uncounted, **reason, "unreadable": None, "vanished": None})


def _advance(connection: Connection, system: str, feed: str, province: str, period: str, batch_id: int) -> None:
    connection.execute(
        text(
            "insert into hub.feed_state (system, feed, province, last_period, expected_period, last_batch_id)"
            " values (:system, :feed, :province, :period, :expected, :batch_id)"
            " on conflict (system, feed, province) do update set last_period = excluded.last_period,"
            " expected_period = excluded.expected_period, last_batch_id = excluded.last_batch_id"
        ),
        {
            "system": system,
            "feed": feed,
            "province": province,
            "period": period,
            "expected": following(period),
            "batch_id": batch_id,
        },
    )


def _seed_publication(connection: Connection) -> None:
    publication_id = add(
        connection,
        tables.publication,
        cycle="20260314",
        seq=100,
        derived_seq=101,
        inputs_digest="d" * 64,
        digests={},
        missing=["orders.work_order js"],
        published_at=T0 + timedelta(days=1, hours=1),
    )
    connection.execute(insert(tables.current_publication).values(publication_id=publication_id))


def _seed_customers(connection: Connection) -> None:
    for number in range(1, 4):
        connection.execute(
            insert(tables.golden_customer).values(
                customer_id=f"BC{number:08d}",
                customer_name=f"南方{number}号科技有限公司",
                uscc=f"91440101MA5XXXXX{number:02d}",
                phone=PERSONAL,
                address=f"路{PERSONAL}号",
                province="gd",
                row_hash="h",
                recorded_from=101,
            )
        )
        connection.execute(
            insert(tables.crosswalk).values(
                system="crm",
                province="gd",
                customer_key=f"C{number:04d}",
                customer_id=f"BC{number:08d}",
                rule="uscc",
                evidence={},
                recorded_from=101,
            )
        )
        _seed_bill(connection, number)


def _seed_bill(connection: Connection, number: int) -> None:
    connection.execute(
        insert(tables.ENTITY_TABLES["bill"]).values(
            system="billing",
            province="gd",
            source_key=f"B{number}",
            bill_no=f"B{number}",
            total_fen=100_00 * number,
            tax_fen=6_00,
            source_version=T0,
            is_deleted=False,
            valid_from=T0,
            recorded_from=1,
            row_hash="h",
            batch_id=1,
            row_no=number,
        )
    )


def _seed_breaks(connection: Connection) -> None:
    connection.execute(
        insert(tables.breaks),
        [
            {
                "break_id": f"K{number:05d}",
                "rule_id": "terminated_but_billed" if number % 3 else "active_but_not_billed",
                "severity": "critical" if number % 3 else "major",
                "province": "gd",
                "subject": {"product": f"P{number}"},
                "left_value": LOUD if number == 1 else "terminated",
                "right_value": HTML if number == 2 else "billed",
                "money_fen": number * 100,
                "state": "closed" if number == 9 else "open",
                "first_seen_cycle": "20260313",
                "last_seen_cycle": "20260314",
                "recorded_from": 101,
                "recorded_to": None,
            }
            for number in range(1, 10)
        ]
        + [_superseded_break()],
    )
    connection.execute(
        insert(tables.rule_run),
        [
            {
                "seq": 101,
                "rule_id": rule,
                "cycle": "20260314",
                "subjects": 9,
                "breaks": found,
                "money_fen": 0,
                "tolerance": "0",
                "passed": not found,
                "ran_at": T0,
            }
            for rule, found in (("terminated_but_billed", 6), ("active_but_not_billed", 3), ("invoice_is_not_sum_of_items", 0))
        ],
    )


def _superseded_break() -> dict[str, object]:
    """One of an earlier night, which the current publication no longer shows."""
    return {
        "break_id": "K99999",
        "rule_id": "terminated_but_billed",
        "severity": "critical",
        "province": "gd",
        "subject": {"product": "P99"},
        "left_value": "x",
        "right_value": "y",
        "money_fen": 99_999_999,
        "state": "open",
        "first_seen_cycle": "20260312",
        "last_seen_cycle": "20260312",
        "recorded_from": 50,
        "recorded_to": 90,
    }
