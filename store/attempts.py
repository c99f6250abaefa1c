"""Attempts: one row a try of a step, in its own transactions, so that a try that failed or was killed is seen too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import Engine, insert, update

from hub.errors import HubError, NotYetDelivered, RefuseDelivery
from hub.logging import redact
from hub.periods import now
from store import journal, tables

Outcome = Literal["done", "refused", "waiting", "failed"]


@dataclass
class Attempt:
    """A try under way. A step adds the batches it touched to `batch_ids`."""

    attempt_id: int
    batch_ids: list[int] = field(default_factory=list)


@contextmanager
def attempt(
    engine: Engine,
    step: str,
    *,
    period: str,
    system: str | None = None,
    feed: str | None = None,
    province: str | None = None,
    run_id: str | None = None,
) -> Iterator[Attempt]:
    """Records the try of a step and how it ended: `done`, `refused`, `waiting` or `failed`, with the error's kind and its
    redacted message. A try whose process was killed stays without an end. `run_id` is Airflow's, where there is one."""
    values = {"step": step, "period": period, "system": system, "feed": feed, "province": province, "run_id": run_id}
    running = Attempt(start_attempt(engine, **values))
    try:
        yield running
    except BaseException as error:
        finish_attempt(engine, running.attempt_id, _outcome(error), running.batch_ids, error)
        raise
    finish_attempt(engine, running.attempt_id, "done", running.batch_ids)


def start_attempt(engine: Engine, **values: str | None) -> int:
    with engine.begin() as connection:
        statement = insert(tables.attempt).values(started_at=now(), **values).returning(tables.attempt.c.attempt_id)
        attempt_id = int(connection.execute(statement).scalar_one())
        journal.record(connection, "attempt started", "attempt", attempt_id)
    return attempt_id


def finish_attempt(
    engine: Engine, attempt_id: int, outcome: Outcome, batch_ids: Sequence[int] = (), error: BaseException | None = None
) -> None:
    with engine.begin() as connection:
        connection.execute(
            update(tables.attempt)
            .where(tables.attempt.c.attempt_id == attempt_id)
            .values(
                finished_at=now(),
                outcome=outcome,
                error_kind=type(error).__name__ if error else None,
                message=_message(error),
                batch_ids=list(batch_ids),
            )
        )
        journal.record(connection, f"attempt {outcome}", "attempt", attempt_id)


def _outcome(error: BaseException) -> Outcome:
    if isinstance(error, RefuseDelivery):
        return "refused"
    return "waiting" if isinstance(error, NotYetDelivered) else "failed"


def _message(error: BaseException | None) -> str | None:
    """Our own errors hold no personal value; a library's message may quote a row, so only its kind is kept."""
    return redact(error.message) if isinstance(error, HubError) else None
