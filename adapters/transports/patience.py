"""How long a transport waits and how often it tries again. One policy for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from hub.errors import NotYetDelivered, RetryLater

Result = TypeVar("Result")
Position = TypeVar("Position")


@dataclass(frozen=True)
class Patience:
    """Seconds throughout. `read_seconds` bounds one silence of the other side, `answer_seconds` a whole answer.

    A pause the other side asks for (Retry-After) is kept where it is at most `longest_wait`; a longer one ends the
    attempt, so that the scheduler waits instead of a worker. `sleep` is given by tests.
    """

    attempts: int = 5
    first_wait: float = 0.5
    longest_wait: float = 60.0
    connect_seconds: float = 10.0
    read_seconds: float = 60.0
    answer_seconds: float = 300.0
    sleep: Callable[[float], None] = time.sleep

    def call(self, action: Callable[[], Result]) -> Result:
        """The action's result; a RetryLater is tried again until the attempts are used up, then raised."""
        return self._retrying()(action)

    def stream(self, read_from: Callable[[Position], Iterator[tuple[bytes, Position]]], start: Position) -> Iterator[bytes]:
        """Chunks of a long read. `read_from(position)` yields each chunk with the position after it; a read that breaks
        is taken up again at the last position, so no byte is given twice. The attempts are counted over the whole read."""
        position = start
        for attempt in self._retrying():
            with attempt:
                for chunk, after in read_from(position):
                    position = after
                    yield chunk

    def _retrying(self) -> Retrying:
        return Retrying(
            stop=stop_after_attempt(self.attempts),
            wait=self._wait,
            retry=retry_if_exception(self._passes),
            sleep=self.sleep,
            reraise=True,
        )

    def _passes(self, error: BaseException) -> bool:
        if not isinstance(error, RetryLater) or isinstance(error, NotYetDelivered):
            return False
        return _asked_pause(error) <= self.longest_wait

    def _wait(self, state: RetryCallState) -> float:
        backoff = wait_exponential_jitter(multiplier=self.first_wait, jitter=self.first_wait, max=self.longest_wait)
        error = state.outcome.exception() if state.outcome else None
        return max(backoff(state), _asked_pause(error))


def _asked_pause(error: BaseException | None) -> float:
    asked = error.facts.get("retry_after") if isinstance(error, RetryLater) else None
    return float(asked) if isinstance(asked, int | float) else 0.0
