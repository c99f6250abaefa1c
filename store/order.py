"""Order (invariant 3): which period, resend number and correction may come now, and how a feed's expectation advances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from hub.errors import OutOfOrder
from hub.periods import ends_at, following, now
from schemas.batch import Delivery, Kind, Layout, Window
from schemas.contract import Contract, Mode
from store import journal, tables

OVERLAP = timedelta(minutes=15)
"""How far an incremental window reaches back over the last one: sources commit late, clocks differ."""

_CORRECTIONS = (Kind.CORRECTION_INSERT.value, Kind.CORRECTION_DELETE.value)
_FILES = frozenset({Layout.FIXED, Layout.DELIMITED})
LOADED = ("loaded", "superseded")
"""The states of a batch whose rows entered `core`."""


@dataclass(frozen=True)
class _Coming:
    contract: Contract
    province: str
    period: str
    delivery: Delivery

    @property
    def is_file(self) -> bool:
        return self.delivery.layout in _FILES

    def refusal(self, code: str, why: str) -> OutOfOrder:
        where = f"{self.contract.feed_id} {self.province} {self.period} {self.delivery.kind} resend {self.delivery.resend:02d}"
        return OutOfOrder(f"{where}: {why}", code=code, feed_id=self.contract.feed_id, province=self.province, period=self.period)


def admit(
    connection: Connection, contract: Contract, province: str, period: str, delivery: Delivery, *, loading: bool = False
) -> None:
    """Raises OutOfOrder where this delivery may not come now (DOMAIN §3, file-level replies).

    Codes: `bad_resend` (a newer resend was loaded), `duplicate` (other content under a resend number already loaded),
    `not_expected_date` (an incremental file that leaves a gap), `correction_ahead` (its month has not come),
    `correction_across_month` (a later month has). Full, event and query feeds may leave a gap: it is recorded, and for queries
    the next window reaches back to the watermark. `loading` asks for a correction's month to be loaded, not only landed.
    """
    coming = _Coming(contract, province, period, delivery)
    if delivery.kind.value in _CORRECTIONS:
        _admit_correction(connection, coming, loading=loading)
    elif coming.is_file:
        _admit_resend(connection, coming)
        _admit_period(connection, coming)


def advance(connection: Connection, contract: Contract, province: str, period: str, *, delivery: Delivery, batch_id: int) -> None:
    """Moves the feed's expected period and watermark past a loaded period, never back; names the periods it skipped."""
    state = feed_state(connection, contract, province)
    _came(connection, contract, province, period, batch_id)
    if state is not None and period <= state["last_period"]:
        return
    if state is not None:
        for skipped in _between(state["expected_period"], period):
            note_missing(connection, contract, province, skipped, reason="skipped")
    values = {
        "last_period": period,
        "expected_period": following(period),
        "watermark": delivery.window.before if delivery.window else None,
        "last_batch_id": batch_id,
    }
    key = _key(contract, province)
    statement = upsert(tables.feed_state).values({**key, **values})
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=values))
    journal.record(connection, "feed advanced", "feed_state", *key.values())


def feed_state(connection: Connection, contract: Contract, province: str) -> RowMapping | None:
    """The feed instance's row of `hub.feed_state`, or None before its first load."""
    table = tables.feed_state
    return connection.execute(select(table).filter_by(**_key(contract, province))).mappings().one_or_none()


def window_for(connection: Connection, contract: Contract, province: str, period: str) -> Window | None:
    """What to ask an incremental source for: from the end of the newest earlier window that was loaded, less the overlap,
    to the end of the period; a period already loaded is asked for as it was. None for feeds that are not incremental."""
    if contract.mode is not Mode.INCREMENTAL:
        return None
    table = tables.batch
    mine = select(table.c.delivery["window"]).filter_by(**_key(contract, province)).where(table.c.state.in_(LOADED))
    again = connection.execute(mine.where(table.c.period == period).order_by(table.c.batch_id.desc()).limit(1)).scalar()
    if again is not None:
        return Window.model_validate(again)
    windows = connection.execute(mine.where(table.c.period < period)).scalars()
    ends: list[datetime] = [Window.model_validate(window).before for window in windows if window is not None]
    return Window(since=max(ends) - OVERLAP if ends else None, before=ends_at(period))


def note_missing(
    connection: Connection, contract: Contract, province: str, period: str, *, reason: str = "not_come", cycle: str | None = None
) -> None:
    """Names a period that did not come (`not_come`, at the cut-off) or was passed over (`skipped`). Noting it again, or noting
    one that was loaded, changes nothing."""
    key = {**_key(contract, province), "period": period}
    if _loaded_resend(connection, contract, province, period, ()) is not None:
        return
    values = {**key, "reason": reason, "cycle": cycle, "noted_at": now()}
    noted = connection.execute(
        upsert(tables.missing_feed).values(values).on_conflict_do_nothing().returning(tables.missing_feed.c.period)
    )
    if noted.scalar_one_or_none() is not None:
        journal.record(connection, "feed missing", "missing_feed", *key.values())


def _came(connection: Connection, contract: Contract, province: str, period: str, batch_id: int) -> None:
    table = tables.missing_feed
    key = {**_key(contract, province), "period": period}
    same = [table.c[name] == value for name, value in key.items()]
    changed = connection.execute(update(table).where(*same, table.c.came_batch_id.is_(None)).values(came_batch_id=batch_id))
    if changed.rowcount:
        journal.record(connection, "missing feed came", "missing_feed", *key.values())


def _admit_resend(connection: Connection, coming: _Coming, kinds: tuple[str, ...] = ()) -> None:
    newest = _loaded_resend(connection, coming.contract, coming.province, coming.period, kinds)
    if newest is not None and coming.delivery.resend < newest:
        raise coming.refusal("bad_resend", f"resend {newest:02d} is loaded")
    if newest is not None and coming.delivery.resend == newest and coming.delivery.replay_of is None:
        raise coming.refusal("duplicate", "other content is loaded under this resend number")


def _admit_period(connection: Connection, coming: _Coming) -> None:
    state = feed_state(connection, coming.contract, coming.province)
    if coming.contract.mode is not Mode.INCREMENTAL or state is None:
        return
    expected = state["expected_period"]
    resent = _loaded_resend(connection, coming.contract, coming.province, coming.period, ()) is not None
    if coming.period != expected and not resent:
        raise coming.refusal("not_expected_date", f"expected {expected}")


def _admit_correction(connection: Connection, coming: _Coming, *, loading: bool) -> None:
    state = feed_state(connection, coming.contract, coming.province)
    if state is not None and coming.period < state["last_period"]:
        raise coming.refusal("correction_across_month", f"{state['last_period']} is loaded, so the month is closed")
    table = tables.batch
    allowed = ("loaded",) if loading else ("landed", "gated", "loaded")
    base = select(func.count()).select_from(table).filter_by(**_key(coming.contract, coming.province), period=coming.period)
    base = base.where(table.c.kind.not_in(_CORRECTIONS), table.c.state.in_(allowed))
    if not connection.execute(base).scalar_one():
        raise coming.refusal("correction_ahead", "its month has not come")
    _admit_resend(connection, coming, (coming.delivery.kind.value,))


def _loaded_resend(connection: Connection, contract: Contract, province: str, period: str, kinds: tuple[str, ...]) -> int | None:
    """The highest loaded resend number of the period: of these kinds, or of base deliveries."""
    table = tables.batch
    of_kind = table.c.kind.in_(kinds) if kinds else table.c.kind.not_in(_CORRECTIONS)
    statement = select(func.max(table.c.resend)).filter_by(**_key(contract, province), period=period)
    value = connection.execute(statement.where(of_kind, table.c.state.in_(LOADED))).scalar()
    return None if value is None else int(value)


def _between(first: str, last: str) -> Iterator[str]:
    period = first
    while period < last:
        yield period
        period = following(period)


def _key(contract: Contract, province: str) -> dict[str, str]:
    return {"system": contract.system, "feed": contract.feed, "province": province}
