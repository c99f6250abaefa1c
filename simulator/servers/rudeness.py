"""How rudely the servers behave without being asked to: one place, stated rates, the same for the same seed."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from enum import Enum


class Mood(Enum):
    SERVE = "serve"
    BUSY = "busy"  # REST 429, SOAP's busy message
    FAIL = "fail"  # REST 503, SOAP fault with HTTP 500


@dataclass(frozen=True)
class Rudeness:
    """Rates are shares of requests. A lane (one feed of one province) is rude at the same ordinals for the same `seed`,
    and never more than twice running, so that a client with three or more attempts always gets through."""

    seed: int = 1
    busy_rate: float = 0.02
    fail_rate: float = 0.01
    retry_after_s: int = 1
    token_life_s: float = 60.0
    token_uses: int | None = 20
    soap_delay_s: float = 0.02

    @classmethod
    def none(cls) -> Rudeness:
        return cls(busy_rate=0.0, fail_rate=0.0, token_life_s=3600.0, token_uses=None, soap_delay_s=0.0)


class Temper:
    """One server's rudeness, lane by lane; safe between threads."""

    _MOST_RUNNING = 2

    def __init__(self, rudeness: Rudeness) -> None:
        self._rudeness = rudeness
        self._lock = threading.Lock()
        self._ordinals: dict[str, int] = {}
        self._running: dict[str, int] = {}

    def mood(self, lane: str) -> Mood:
        with self._lock:
            ordinal = self._ordinals[lane] = self._ordinals.get(lane, 0) + 1
            mood = self._drawn(lane, ordinal) if self._running.get(lane, 0) < self._MOST_RUNNING else Mood.SERVE
            self._running[lane] = 0 if mood is Mood.SERVE else self._running.get(lane, 0) + 1
            return mood

    def _drawn(self, lane: str, ordinal: int) -> Mood:
        # A hash, not a generator: lanes are asked in parallel and must not disturb each other's sequence.
        digest = hashlib.blake2b(f"{self._rudeness.seed}|{lane}|{ordinal}".encode(), digest_size=8).digest()
        share = int.from_bytes(digest, "big") / 2**64
        if share < self._rudeness.busy_rate:
            return Mood.BUSY
        return Mood.FAIL if share < self._rudeness.busy_rate + self._rudeness.fail_rate else Mood.SERVE
