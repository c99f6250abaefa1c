"""Waivers: a planned swing, announced before the first night it shows, with the night on which it ends.

A waiver names a rule and may narrow it to a province, a customer, parts of a subject (`{"month": "202603"}`). It is an
announcement, not an absolution: a night that has been judged cannot be waived any more, and every waiver ends, within
`MOST_NIGHTS`. One that can cover nothing (a province or a customer nobody knows) is refused rather than kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, insert, text

from adapters.feeds import PROVINCES
from hub.errors import NotAllowed, NotFound
from hub.periods import check_kind, first_day, now
from reconcile.rules import rule_of
from store import journal, tables

MOST_NIGHTS = 366
"""A swing that lasts longer is how things are now: its rule is to be changed, or the waiver announced again by name."""


@dataclass(frozen=True)
class Waiver:
    """What is announced. `starts`, `expires`: nights `YYYYMMDD`, both covered. None and an empty subject narrow nothing."""

    rule_id: str
    starts: str
    expires: str
    reason: str
    province: str | None = None
    customer_id: str | None = None
    subject: Mapping[str, str] = field(default_factory=dict)


def announce(engine: Engine, waiver: Waiver, *, by: str) -> int:
    """Notes a waiver and returns its id; it takes effect with the run of its first night.

    Raises NotFound for an unknown rule, province or customer, NotAllowed for a night already judged, an end before the beginning
    or more than `MOST_NIGHTS` after it, parts of a subject that the rule has not, a missing name or reason, HubError for what is
    no night.
    """
    rule = rule_of(waiver.rule_id)
    check_kind(waiver.starts, "daily")
    check_kind(waiver.expires, "daily")
    unknown = set(waiver.subject) - set(rule.subject)
    if unknown:
        raise NotAllowed(f"{rule.rule_id} has no {', '.join(sorted(unknown))} in its subject; it has: {', '.join(rule.subject)}")
    if waiver.expires < waiver.starts:
        raise NotAllowed(f"the waiver would end on {waiver.expires}, before it begins on {waiver.starts}")
    if (first_day(waiver.expires) - first_day(waiver.starts)).days >= MOST_NIGHTS:
        raise NotAllowed(
            f"a waiver from {waiver.starts} until {waiver.expires} is too long; allowed: at most {MOST_NIGHTS} nights"
        )
    if waiver.province is not None and waiver.province not in PROVINCES:
        raise NotFound(f"no province {waiver.province!r}; known: {', '.join(PROVINCES)}")
    if not by.strip() or not waiver.reason.strip():
        raise NotAllowed("a waiver needs the name of who announces it, and a reason")
    with engine.begin() as store:
        if waiver.customer_id is not None:
            _check_customer(store, waiver.customer_id)
        judged = _last_judged(store, rule.rule_id)
        if judged is not None and waiver.starts <= judged:
            raise NotAllowed(f"{rule.rule_id} has judged the night {judged}; a waiver is announced in advance, from later on")
        return _note(store, waiver, by.strip())


def withdraw(engine: Engine, waiver_id: int, *, by: str, reason: str) -> None:
    """Ends a waiver now. Raises NotFound where there is none, NotAllowed where it was withdrawn, or nobody is named."""
    if not by.strip() or not reason.strip():
        raise NotAllowed("withdrawing a waiver needs a name and a reason")
    with engine.begin() as store:
        state = store.execute(text("select withdrawn_by from hub.waiver where waiver_id = :id for update"), {"id": waiver_id})
        found = state.one_or_none()
        if found is None:
            raise NotFound(f"no waiver {waiver_id}; `bsshub breaks waivers` lists them", waiver_id=waiver_id)
        if found.withdrawn_by is not None:
            raise NotAllowed(f"waiver {waiver_id} was withdrawn by {found.withdrawn_by}")
        store.execute(
            text(
                "update hub.waiver set withdrawn_by = :by, withdrawn_reason = :reason, withdrawn_at = :at where waiver_id = :id"
            ),
            {"by": by.strip(), "reason": reason.strip(), "at": now(), "id": waiver_id},
        )
        journal.record(store, "waiver withdrawn", "waiver", waiver_id)


def _check_customer(store: Connection, customer_id: str) -> None:
    known = text("select exists (select from core.crosswalk where customer_id = :id and recorded_to is null)")
    if not store.execute(known, {"id": customer_id}).scalar_one():
        raise NotFound(f"no customer {customer_id!r} has a record now; `bsshub customers` lists them", customer_id=customer_id)


def _last_judged(store: Connection, rule_id: str) -> str | None:
    found = store.execute(text("select max(cycle) from recon.rule_run where rule_id = :rule"), {"rule": rule_id}).scalar()
    return None if found is None else str(found)


def _note(store: Connection, waiver: Waiver, by: str) -> int:
    values = {
        "rule_id": waiver.rule_id,
        "province": waiver.province,
        "customer_id": waiver.customer_id,
        "subject": dict(waiver.subject),
        "reason": waiver.reason.strip(),
        "announced_by": by,
        "announced_at": now(),
        "starts_cycle": waiver.starts,
        "expires_cycle": waiver.expires,
    }
    waiver_id = int(store.execute(insert(tables.waiver).values(values).returning(tables.waiver.c.waiver_id)).scalar_one())
    journal.record(store, "waiver announced", "waiver", waiver_id)
    return waiver_id
