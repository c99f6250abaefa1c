"""The time machine: who a customer was on a date, and why it became what it is.

A date is a night: what portals were shown of the newest night that had come by then, whatever has been learnt since.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from hub.errors import NotFound
from identity.crosswalk import id_at
from identity.explain import Cell, Member, cells, identify, members, sequence_shown
from identity.wording import because, happened
from schemas.contract import Label


@dataclass(frozen=True)
class Event:
    """One change of an id. `cycle`: the first night that showed it, None where none has yet; `ran_at`: when the hub did it."""

    sequence: int
    cycle: str | None
    ran_at: datetime | None
    customer_id: str
    kind: str
    other_id: str | None
    happened: Label
    because: Label


@dataclass(frozen=True)
class History:
    """`customer_id`: the id the customer went by then, None where it was nobody's; `ids`: every id that ever touched it."""

    asked: str
    on: str | None
    sequence: int
    customer_id: str | None
    ids: tuple[str, ...]
    events: tuple[Event, ...]
    members: tuple[Member, ...]
    cells: tuple[Cell, ...]


def history(engine: Engine, who: str, *, on: date | None = None) -> History:
    """`who`: any id the customer ever had, or a source key. `on`: as portals were shown it for that night; by default as they are
    shown it now. Raises NotFound where there is no such customer, or nothing was published by then."""
    with engine.connect() as store:
        at = sequence_shown(store) if on is None else _sequence_of(store, on)
        asked = who if who.startswith("BC") and _was_given(store, who) else identify(store, who, at)
        then = id_at(store, asked, at)
        ids = _kin(store, asked, at)
        return History(
            asked=who,
            on=on.isoformat() if on else None,
            sequence=at,
            customer_id=then,
            ids=ids,
            events=_events(store, ids, at),
            members=members(store, then, at) if then else (),
            cells=cells(store, then, at) if then else (),
        )


def _sequence_of(store: Connection, on: date) -> int:
    statement = "select derived_seq from hub.publication where cycle <= :night order by cycle desc, publication_id desc limit 1"
    found = store.execute(text(statement), {"night": f"{on:%Y%m%d}"}).scalar()
    if found is None:
        first = store.execute(text("select min(cycle) from hub.publication")).scalar()
        raise NotFound(f"nothing was published by {on}; the first night is {first or 'still to come'}", on=str(on))
    return int(found)


def _was_given(store: Connection, customer_id: str) -> bool:
    statement = "select exists (select from core.crosswalk where customer_id = :id)"
    return bool(store.execute(text(statement), {"id": customer_id}).scalar_one())


def _kin(store: Connection, customer_id: str, at: int) -> tuple[str, ...]:
    """The ids that events tie to this one, over any number of merges and splits."""
    rows = store.execute(
        text("""
        with recursive kin as (
            select cast(:id as text) as id
            union
            select case when e.customer_id = kin.id then e.other_id else e.customer_id end
            from kin join core.identity_event e on kin.id in (e.customer_id, e.other_id)
            where e.recorded_from <= :at and e.other_id <> ''
        )
        select id from kin order by id
        """),
        {"id": customer_id, "at": at},
    )
    return tuple(str(row[0]) for row in rows)


def _events(store: Connection, ids: tuple[str, ...], at: int) -> tuple[Event, ...]:
    rows = store.execute(
        text("""
        select e.*, (
            select min(p.cycle) from hub.publication p where p.derived_seq >= e.recorded_from
        ) as cycle, r.ran_at
        from core.identity_event e left join hub.identity_run r on r.seq = e.recorded_from
        where e.recorded_from <= :at and (e.customer_id = any (:ids) or e.other_id = any (:ids))
        order by e.recorded_from, e.customer_id, e.kind, e.other_id
        """),
        {"ids": list(ids), "at": at},
    ).mappings()
    return tuple(_event(dict(row)) for row in rows)


def _event(row: dict[str, Any]) -> Event:
    return Event(
        sequence=row["recorded_from"],
        cycle=row["cycle"],
        ran_at=row["ran_at"],
        customer_id=row["customer_id"],
        kind=row["kind"],
        other_id=row["other_id"] or None,
        happened=happened(row["kind"], row["other_id"], row["records"]),
        because=because(row["cause"]),
    )
