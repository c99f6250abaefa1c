"""Scripted faults: what a test asks a server to do wrong, when, and how often it did."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum


class FaultKind(StrEnum):
    """What goes wrong, and on which servers it can."""

    REPEAT_PAGE = "repeat_page"  # REST, SOAP: the page before, in place of the one asked for; counts still add up
    STUCK_CURSOR = "stuck_cursor"  # REST: the next cursor leads to the same page again
    SERVER_ERROR = "server_error"  # REST, SOAP: HTTP 500
    BUSY = "busy"  # REST: 429; SOAP: the busy message
    EXPIRE_TOKEN = "expire_token"  # noqa: S105  # REST: the token of this request is no longer known
    RENAME_FIELD = "rename_field"  # REST, SOAP: `field` is sent as `value` in every row
    NEW_FIELD = "new_field"  # REST, SOAP: every row carries `field` = `value` more
    SET_FIELD = "set_field"  # REST, SOAP: the first row of the page has `field` = `value` (an unknown code)
    WRONG_TOTAL = "wrong_total"  # REST, SOAP: `total` is off by `value` (default 1)
    DROP_CONNECTION = "drop_connection"  # all: the connection ends amid an answer
    HANG = "hang"  # REST, SOAP, SFTP: no answer ever comes
    REFUSE_LOGIN = "refuse_login"  # REST, SOAP, SFTP: the right password is refused


@dataclass(frozen=True)
class Fault:
    """`province` and `feed` None mean any. `skip` matching requests are served well first;
    then `times` go wrong (None: for ever).

    `after_bytes` is for DROP_CONNECTION on SFTP and the database: how much one connection receives before it ends.
    """

    kind: FaultKind
    system: str
    province: str | None = None
    feed: str | None = None
    skip: int = 0
    times: int | None = 1
    field: str = ""
    value: str = ""
    after_bytes: int = 65_536

    @classmethod
    def parse(cls, data: Mapping[str, object]) -> Fault:
        """From JSON. Raises ValueError naming what is allowed."""
        allowed = [each.name for each in fields(cls)]
        unknown = sorted(set(data) - set(allowed))
        if unknown or not {"kind", "system"} <= set(data):
            raise ValueError(f"a fault has kind and system, and may have others of {allowed}; not allowed: {unknown}")
        kinds = [kind.value for kind in FaultKind]
        if data["kind"] not in kinds:
            raise ValueError(f"kind is one of {kinds}, not {data['kind']!r}")
        return cls(**{**data, "kind": FaultKind(str(data["kind"]))})  # type: ignore[arg-type]

    def concerns(self, system: str, province: str, feed: str) -> bool:
        return self.system == system and self.province in (None, province) and self.feed in (None, feed)


@dataclass
class _Entry:
    fault: Fault
    met: int = 0
    struck: int = 0

    def meet(self) -> bool:
        self.met += 1
        due = self.met > self.fault.skip and (self.fault.times is None or self.struck < self.fault.times)
        self.struck += due
        return due


class FaultBoard:
    """The faults in force, shared by all servers of a simulation; safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[int, _Entry] = {}
        self._next = 1

    def add(self, fault: Fault) -> int:
        """The fault's number, for `struck`."""
        with self._lock:
            number, self._next = self._next, self._next + 1
            self._entries[number] = _Entry(fault)
            return number

    def struck(self, number: int) -> int:
        """How often that fault has gone off. Raises KeyError for a number never given or cleared."""
        with self._lock:
            return self._entries[number].struck

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()

    def strike(self, system: str, province: str, feed: str, kinds: Collection[FaultKind]) -> dict[FaultKind, Fault]:
        """The faults of `kinds` that this request meets, each counted once for it."""
        with self._lock:
            concerned = [e for e in self._entries.values() if e.fault.kind in kinds and e.fault.concerns(system, province, feed)]
            return {entry.fault.kind: entry.fault for entry in concerned if entry.meet()}

    def strike_stream(self, system: str, province: str, received: int, judged: set[int]) -> bool:
        """Whether a connection that has `received` so many bytes is to end now. `judged` is that connection's memory."""
        with self._lock:
            due = False
            for number, entry in self._entries.items():
                fault = entry.fault
                reached = fault.kind is FaultKind.DROP_CONNECTION and received >= fault.after_bytes
                if reached and number not in judged and fault.concerns(system, province, fault.feed or ""):
                    judged.add(number)
                    due = entry.meet() or due
            return due
