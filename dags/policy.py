"""What Airflow does next when a task fails: one place, by the kind of error (`hub.errors`, named by the caller's next move).

| raised | Airflow's next move |
|---|---|
| `NotYetDelivered` before the feed is due | reschedule: the slot is free meanwhile, no retry is spent |
| `NotYetDelivered` once it is due | fail at once; the cut-off names the feed, and does not wait for it |
| `RetryLater`, the store or the network away, a task out of time | retry, waiting twice as long each time |
| any other `HubError` | fail at once: a person, or a new delivery, must come first |
| anything else | fail at once: a fault of ours, which running again would not mend |

A task that is killed raises nothing: Airflow sees its heartbeat stop and spends a retry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow.sdk import RetryDecision, RetryPolicy
from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException, AirflowTaskTimeout

from hub.errors import HubError, NotYetDelivered
from hub.periods import now

if TYPE_CHECKING:
    from airflow.sdk import Context

LOOK_AGAIN_AFTER = timedelta(minutes=10)
PASSING_FAULTS = frozenset({"OperationalError", "InterfaceError"})  # psycopg's and SQLAlchemy's, known here by name only


class ByNextMove(RetryPolicy):
    """Evaluated in the worker, where the exception is; Airflow's `retries` bounds what it grants."""

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Retry where running again can help, else fail at once. The reason is shown on the task instance."""
        del try_number, max_tries, context
        kind = type(exception).__name__
        if _passes(exception):
            return RetryDecision.retry(reason=f"{kind}: may pass, tried again")
        owner = "a person or a new delivery must come first" if isinstance(exception, HubError) else "a fault of the hub"
        return RetryDecision.fail(reason=f"{kind}: {owner}")


def _passes(exception: BaseException) -> bool:
    if isinstance(exception, HubError):
        return exception.retry
    away = (ConnectionError, TimeoutError, AirflowTaskTimeout)
    return isinstance(exception, away) or bool(PASSING_FAULTS & {base.__name__ for base in type(exception).__mro__})


@contextmanager
def waiting_until(due: datetime) -> Iterator[None]:
    """Turns `NotYetDelivered` into waiting: looked at again until `due`, failed from then on."""
    try:
        yield
    except NotYetDelivered as error:
        if now() < due:
            raise AirflowRescheduleException(min(now() + LOOK_AGAIN_AFTER, due)) from error  # type: ignore[no-untyped-call]
        raise AirflowFailException(f"overdue since {due:%Y-%m-%d %H:%M %Z}: {error.message}") from error


TASK_DEFAULTS: Mapping[str, object] = {
    "retries": 5,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2,
    "max_retry_delay": timedelta(minutes=15),
    "retry_policy": ByNextMove(),
    "execution_timeout": timedelta(hours=2),
}
