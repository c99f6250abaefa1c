"""Requests to the systems, written in the transaction that decides them; sending them is `delivery`'s."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import insert

from hub.periods import now
from store import journal, tables


def request(
    connection: Connection,
    *,
    key: str,
    system: str,
    province: str | None,
    kind: str,
    payload: Mapping[str, object],
    by: str,
    break_id: str | None = None,
) -> int | None:
    """Writes a request in state `pending`; its id, or None where one of this idempotency `key` was written before.

    `payload` is what the system is asked, without any secret: an address or a password is the connection's to know.
    """
    values = {
        "idempotency_key": key,
        "target_system": system,
        "province": province,
        "kind": kind,
        "payload": dict(payload),
        "requested_by": by,
        "requested_at": now(),
        "break_id": break_id,
    }
    statement = insert(tables.outbox).values(values).on_conflict_do_nothing().returning(tables.outbox.c.outbox_id)
    outbox_id = connection.execute(statement).scalar()
    if outbox_id is None:
        return None
    journal.record(connection, "requested", "outbox", outbox_id)
    return int(outbox_id)


def withdraw(connection: Connection, *, key: str, by: str, reason: str) -> int | None:
    """Withdraws the request of this `key` while it is pending, and notes who did and why in its payload; its id, or None where
    none waits. The key stays its own: a system that has seen it must never get another question by it."""
    outbox_id = connection.execute(
        text("""
            update hub.outbox set state = 'withdrawn', payload = payload
                || jsonb_build_object('withdrawn_by', cast(:by as text), 'withdrawn_reason', cast(:reason as text))
            where idempotency_key = :key and state = 'pending' returning outbox_id
        """),
        {"key": key, "by": by, "reason": reason},
    ).scalar()
    if outbox_id is None:
        return None
    journal.record(connection, "request withdrawn", "outbox", outbox_id)
    return int(outbox_id)


def withdraw_of_open(connection: Connection) -> None:
    """Withdraws pending requests whose break is open: what was asked was sent back, or asked of values that are no longer so.

    A break is open again before it can be corrected anew, so that two requests of one break never wait side by side.
    """
    withdrawn = connection.execute(
        text("""
            update hub.outbox o set state = 'withdrawn' from recon.breaks b
            where o.state = 'pending' and b.break_id = o.break_id and b.recorded_to is null and b.state = 'open'
            returning o.outbox_id
        """)
    ).scalars()
    for outbox_id in sorted(withdrawn):
        journal.record(connection, "request withdrawn", "outbox", outbox_id)
