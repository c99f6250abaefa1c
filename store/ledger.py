"""The ledger of batches: what was landed, what the gate said of it, where its rows went."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection, RowMapping, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from hub.errors import InvariantBroken, NotFound, OutOfOrder
from hub.periods import now
from schemas.batch import Account, Delivery, Kind, LoadCounts
from schemas.contract import Contract
from schemas.contracts import contract_of
from store import journal, order, tables

CORRECTIONS = frozenset({Kind.CORRECTION_INSERT, Kind.CORRECTION_DELETE})


class RuleOutcome(Protocol):
    """What the gate found by one rule; `failed_gx` is the referee's own count, None where it does not count the rule."""

    @property
    def rule_id(self) -> str: ...
    @property
    def severity(self) -> str: ...
    @property
    def error_class(self) -> str: ...
    @property
    def failed_sql(self) -> int: ...
    @property
    def failed_gx(self) -> int | None: ...


@dataclass(frozen=True)
class Batch:
    """One row of `hub.batch`. `account` is there from the gate on, `counts` and `loaded_seq` from the load on."""

    batch_id: int
    system: str
    feed: str
    province: str
    period: str
    delivery: Delivery
    content_digest: str
    state: str
    refusal_code: str | None
    refusal_reason: str | None
    account: Account | None
    counts: LoadCounts | None
    loaded_seq: int | None
    superseded_seq: int | None

    @property
    def feed_id(self) -> str:
        return f"{self.system}.{self.feed}"

    @property
    def contract(self) -> Contract:
        return contract_of(self.feed_id)


def content_digest(delivery: Delivery) -> str:
    """What makes two deliveries the same: objects by name and hash, in order, the resend number and the layout."""
    named = [(item.name, item.sha256) for item in delivery.objects]
    again = [] if delivery.replay_of is None else [delivery.replay_of]
    text = json.dumps([delivery.kind, delivery.resend, delivery.layout, named, *again], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def receive(connection: Connection, contract: Contract, province: str, period: str, delivery: Delivery) -> Batch:
    """Puts a landed delivery into the ledger: the same batch when the same content comes again.

    Its order is checked (`store.order.admit`); out of order, the batch is kept as refused, with the file-level code, and is
    returned so. A batch refused for its order may be admitted when it comes again.
    """
    batch = record_landed(connection, contract, province, period, delivery)
    if batch.state in order.LOADED:
        return batch
    try:
        order.admit(connection, contract, province, period, delivery)
    except OutOfOrder as error:
        return record_refusal(connection, batch.batch_id, error.code, error.message)
    if batch.state == "refused" and batch.account is None:
        return _change(connection, "batch admitted", batch.batch_id, state="landed", refusal_code=None, refusal_reason=None)
    return batch


def record_landed(connection: Connection, contract: Contract, province: str, period: str, delivery: Delivery) -> Batch:
    """The batch of this content, made where it is new. Two tries at once make one."""
    key = {
        "system": contract.system,
        "feed": contract.feed,
        "province": province,
        "period": period,
        "kind": delivery.kind.value,
        "content_digest": content_digest(delivery),
    }
    manifest = delivery.model_dump(mode="json")
    values = {**key, "resend": delivery.resend, "delivery": manifest, "state": "landed", "landed_at": now()}
    made = connection.execute(upsert(tables.batch).values(values).on_conflict_do_nothing().returning(tables.batch.c.batch_id))
    batch_id = made.scalar_one_or_none()
    if batch_id is not None:
        journal.record(connection, "batch landed", "batch", batch_id)
        return get(connection, batch_id)
    same = [tables.batch.c[name] == value for name, value in key.items()]
    return get(connection, connection.execute(select(tables.batch.c.batch_id).where(*same)).scalar_one())


def record_refusal(connection: Connection, batch_id: int, code: str, reason: str) -> Batch:
    """Refuses a batch as a whole before the gate counted its rows. `reason` holds no personal value."""
    return _change(connection, "batch refused", batch_id, state="refused", refusal_code=code, refusal_reason=reason)


def record_gate(
    connection: Connection,
    batch_id: int,
    account: Account,
    results: Sequence[RuleOutcome],
    *,
    refusal: tuple[str, str] | None = None,
    object_ends: Sequence[int] = (),
) -> Batch:
    """What the gate decided. Its quarantine must be written before, since the ledger takes the digest of both.

    `refusal` is the file-level code and the reason of a refused batch; `object_ends` is the last row number of each object.
    Judging a loaded batch again must find the same; raises InvariantBroken where it does not, and changes nothing.
    """
    batch = get(connection, batch_id)
    if batch.state in order.LOADED:
        if refusal is not None or batch.account != account:
            raise InvariantBroken(f"the gate judges loaded batch {batch_id} differently than before", batch_id=batch_id)
        return batch
    connection.execute(tables.gate_result.delete().where(tables.gate_result.c.batch_id == batch_id))
    fields = ("rule_id", "severity", "error_class", "failed_sql", "failed_gx")
    rows = [{"batch_id": batch_id, **{name: getattr(result, name) for name in fields}} for result in results]
    if rows:
        connection.execute(insert(tables.gate_result), rows)
    code, reason = refusal or (None, None)
    return _change(
        connection,
        "batch refused" if refusal else "batch gated",
        batch_id,
        state="refused" if refusal else "gated",
        refusal_code=code,
        refusal_reason=reason,
        gated_at=now(),
        gate_digest=func.hub.gate_digest(batch_id),
        object_ends=list(object_ends),
        **account.model_dump(),
    )


def record_load(connection: Connection, batch: Batch, seq: int, counts: LoadCounts) -> Batch:
    """Where the accepted rows went; moves the feed's expected period and watermark. Part of the load's transaction.

    Raises InvariantBroken where rows or money do not add up to what the gate accepted.
    """
    if batch.account is None or (counts.accepted, counts.accepted_fen) != (batch.account.accepted, batch.account.accepted_fen):
        went = f"loaded {counts.accepted} rows, {counts.accepted_fen} fen, but the gate accepted {batch.account}"
        raise InvariantBroken(f"batch {batch.batch_id}: {went}", batch_id=batch.batch_id)
    loaded = _change(
        connection, "batch loaded", batch.batch_id, state="loaded", loaded_seq=seq, loaded_at=now(), **counts.model_dump()
    )
    if batch.delivery.kind not in CORRECTIONS:
        order.advance(connection, batch.contract, batch.province, batch.period, delivery=batch.delivery, batch_id=batch.batch_id)
    return loaded


def record_superseded(connection: Connection, batch_id: int, seq: int, by: int) -> None:
    """A newer delivery of the same month replaced this batch's partition from sequence `seq` on."""
    _change(connection, "batch superseded", batch_id, state="superseded", superseded_seq=seq, superseded_by=by)


def get(connection: Connection, batch_id: int, *, lock: bool = False) -> Batch:
    """The batch; `lock` holds it against every other writer. Raises NotFound."""
    statement = select(tables.batch).where(tables.batch.c.batch_id == batch_id)
    row = connection.execute(statement.with_for_update() if lock else statement).mappings().one_or_none()
    if row is None:
        raise NotFound(f"no batch {batch_id}", batch_id=batch_id)
    return batch_of(row)


def batch_of(row: RowMapping) -> Batch:
    account = None if row["received"] is None else Account(**{name: row[name] for name in Account.model_fields})
    counts = None if row["inserted"] is None else LoadCounts(**{name: row[name] for name in LoadCounts.model_fields})
    same = ("batch_id", "system", "feed", "province", "period", "content_digest", "state")
    more = ("refusal_code", "refusal_reason", "loaded_seq", "superseded_seq")
    delivery = Delivery.model_validate(row["delivery"])
    return Batch(delivery=delivery, account=account, counts=counts, **{name: row[name] for name in (*same, *more)})


def _change(connection: Connection, event: str, batch_id: int, **values: object) -> Batch:
    connection.execute(update(tables.batch).where(tables.batch.c.batch_id == batch_id).values(values))
    journal.record(connection, event, "batch", batch_id)
    return get(connection, batch_id)
