"""Check: is each source there, does it let us in, and does it still show what the contract says. Touches nothing."""

from __future__ import annotations

import errno
from contextlib import closing
from dataclasses import dataclass

from adapters.feeds import FEEDS, PROVINCES, SYSTEMS, open_source
from hub.errors import FixConnection, FixContract, HubError, NotFound, RetryLater
from hub.settings import ConnectionSource, connection_id, environment_connection

_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR})
"""Neither a server that is down nor a login that is refused: a mount that is gone, or a path that is wrong."""


@dataclass(frozen=True)
class Checked:
    """`state` is one of `ok`, `cannot connect`, `no directory`, `refused`, `drifted`, `not configured`, `failed`."""

    feed_id: str
    province: str
    state: str
    detail: str

    @property
    def ok(self) -> bool:
        return self.state == "ok"

    def row(self) -> dict[str, object]:
        return {"feed": self.feed_id, "province": self.province, "state": self.state, "detail": self.detail}


def check_sources(system: str | None = None, connections: ConnectionSource = environment_connection) -> list[Checked]:
    """Every feed of one system, or of all. Raises NotFound for an unknown system."""
    if system is not None and system not in SYSTEMS:
        raise NotFound(f"no system {system!r}; known: {', '.join(SYSTEMS)}", system=system)
    chosen = [feed for feed in FEEDS.values() if system in (None, feed.contract.system)]
    return [_check(feed.feed_id, province, connections) for feed in chosen for province in PROVINCES]


def _check(feed_id: str, province: str, connections: ConnectionSource) -> Checked:
    contract = FEEDS[feed_id].contract
    try:
        connection = connections(connection_id(contract.system, province))
    except FixConnection as error:
        return Checked(feed_id, province, "not configured", error.message)
    try:
        with closing(open_source(feed_id, province, connection)) as source:
            probe = source.probe(contract)
    except HubError as error:
        return Checked(feed_id, province, _state(error), error.message)
    return Checked(feed_id, province, "ok", probe.detail)


def _state(error: HubError) -> str:
    match error:
        case RetryLater():
            return "cannot connect"
        case FixConnection() if error.facts.get("errno") in _NOT_THERE:
            return "no directory"
        case FixConnection():
            return "refused"
        case FixContract():
            return "drifted"
        case _:
            return "failed"
