"""What stewards decide, by name: two records are the same or different, a customer's attribute has this value.

A decision is an input, like a feed: it takes effect at a load sequence of its own and ends at another, so that a run over
candidate S reads the decisions that stood at S, whatever is decided meanwhile. It names source records or an id, never a model's
output, so that it outlives every retraining. Nothing is overwritten: undoing is noted beside what was decided. Each change
enters the ledger's hash chain; a value itself stays outside of it (it may be personal), behind a salted digest.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import duckdb
from sqlalchemy import Connection, Engine, RowMapping, insert, select, text, update

from hub.errors import NotAllowed, NotFound
from hub.periods import now
from identity.crosswalk import surviving_id
from identity.extract import read_store
from identity.survivorship import accepted_value
from store import journal, sequence, tables

_TABLE = tables.steward_decision
_PAIR = ("a_system", "a_province", "a_key", "b_system", "b_province", "b_key")
MAX_TEXT = 500


class Verdict(StrEnum):
    """`unsure` has no effect on linking; it moves the pair to the end of the queue, with who looked at it."""

    SAME = "same"
    DIFFERENT = "different"
    UNSURE = "unsure"


def verdict_of(word: str) -> Verdict:
    """Raises NotFound, which lists the verdicts there are."""
    try:
        return Verdict(word)
    except ValueError:
        raise NotFound(f"no verdict {word!r}; known: {', '.join(Verdict)}", verdict=word) from None


@dataclass(frozen=True, order=True)
class Record:
    """A source customer, written `system/province/key`."""

    system: str
    province: str
    key: str

    @classmethod
    def parse(cls, text_: str) -> Record:
        """Raises NotFound where the text is not of that form."""
        if text_.count("/") < 2:
            raise NotFound(f"{text_!r} is no source record: give system/province/key, for example crm/gd/C00000001", asked=text_)
        return cls(*text_.split("/", 2))

    def __str__(self) -> str:
        return f"{self.system}/{self.province}/{self.key}"


@dataclass(frozen=True)
class Decision:
    """`state`: proposed (waits for a second person), standing, withdrawn."""

    decision_id: int
    kind: str
    verdict: str | None
    state: str
    decided_by: str
    confirmed_by: str | None
    effective_from: int | None


def decide_pair(
    engine: Engine, one: Record, other: Record, verdict: Verdict, *, by: str, reason: str, four_eyes: bool = False
) -> Decision:
    """Notes the verdict on two records; it takes effect at the next unify, with `four_eyes` once a second person has confirmed.

    A standing `unsure` on the pair gives way. Raises NotAllowed where another verdict stands (undo it first) or nobody is named,
    NotFound where the hub knows no such record.
    """
    a, b = sorted((one, other))
    if a == b:
        raise NotAllowed(f"{a} is one record; a verdict needs two")
    with engine.begin() as store:
        for record in (a, b):
            _check_known(store, record)
        standing = _standing(store, kind="pair", **dict(zip(_PAIR, _columns_of(a, b), strict=True)))
        if standing and standing.verdict != Verdict.UNSURE:
            raise _stands(standing, f"this pair ({standing.verdict})", "undo")
        if standing:
            _withdraw(store, standing, by=by, reason=f"gives way to: {reason}")
        values = dict(zip(_PAIR, _columns_of(a, b), strict=True))
        second = four_eyes and verdict is not Verdict.UNSURE
        shown = _shown(store, values)
        return _note(store, by, reason, needs_second=second, kind="pair", verdict=verdict.value, shown=shown, **values)


def set_value(
    engine: Engine, customer: str, attribute: str, value: str, *, by: str, reason: str, four_eyes: bool = False
) -> Decision:
    """Gives a customer's attribute a value that wins over every source until it is withdrawn. It belongs to the id it was given
    for: while that id is merged away it counts for the survivor, and after a split for the id again.

    Raises NotFound for an unknown customer or attribute, NotAllowed where the value is not one the attribute can have, or
    another steward's value stands (withdraw it first).
    """
    accepted = accepted_value(attribute, value)
    with engine.begin() as store:
        customer_id = surviving_id(store, customer)
        if attribute == "parent_customer_id" and surviving_id(store, accepted) == customer_id:
            raise NotAllowed(f"{customer_id} cannot be its own parent", customer_id=customer_id)
        standing = _standing(store, kind="value", customer_id=customer_id, attribute=attribute)
        if standing:
            raise _stands(standing, f"{attribute} of {customer_id}", "withdraw")
        salt = secrets.token_hex(16)
        digest = hashlib.sha256(f"{salt}{accepted}".encode()).hexdigest()
        values = {"customer_id": customer_id, "attribute": attribute, "value_digest": digest}
        decision = _note(store, by, reason, needs_second=four_eyes, kind="value", **values)
        store.execute(insert(tables.steward_value).values(decision_id=decision.decision_id, salt=salt, value=accepted))
        return decision


def confirm(engine: Engine, decision_id: int, *, by: str) -> Decision:
    """The second person's yes: from now on the decision counts.

    Raises NotAllowed where it waits for nobody, or `by` is the person who decided; NotFound where there is none.
    """
    with engine.begin() as store:
        decision = _get(store, decision_id)
        if decision.state != "proposed":
            raise NotAllowed(f"decision {decision_id} is {decision.state}; only a proposed one can be confirmed")
        if _person(by).casefold() == decision.decided_by.casefold():
            raise NotAllowed(f"decision {decision_id} is {decision.decided_by}'s own: a second person must confirm it")
        values = {"confirmed_by": _person(by), "confirmed_at": now(), "effective_from": sequence.advance(store)}
        return _change(store, decision_id, "decision confirmed", values)


def undo(engine: Engine, decision_id: int, *, by: str, reason: str) -> Decision:
    """Withdraws a decision; from the next unify on it is as if it had not been made. Raises NotAllowed where it is withdrawn."""
    with engine.begin() as store:
        return _withdraw(store, _get(store, decision_id), by=by, reason=reason)


def withdraw_value(engine: Engine, customer: str, attribute: str, *, by: str, reason: str) -> Decision:
    """Withdraws the steward's value of an attribute: the sources decide again. Raises NotFound where none stands."""
    with engine.begin() as store:
        customer_id = surviving_id(store, customer)
        standing = _standing(store, kind="value", customer_id=customer_id, attribute=attribute)
        if standing is None:
            raise NotFound(f"no steward's value stands on {attribute} of {customer_id}", customer_id=customer_id)
        return _withdraw(store, standing, by=by, reason=reason)


def read_decisions(connection: duckdb.DuckDBPyConnection, seq: int) -> None:
    """Makes `decision` (`a_system, a_province, a_key, b_system, b_province, b_key, verdict`: same | different), `pair_decision`
    (the same, and `decision_id`) and `human_value` (`decision_id, customer_id, attribute, value`) from what stands in the store
    at `seq`."""
    stands = f"hub.visible(d.effective_from, d.effective_to, {int(seq)})"
    read_store(
        connection,
        "pair_decision",
        f"select decision_id, {', '.join(_PAIR)}, verdict from hub.steward_decision d "
        f"where kind = 'pair' and verdict <> 'unsure' and effective_from is not null and {stands} order by decision_id",
    )
    connection.execute("create or replace table decision as select * exclude (decision_id) from pair_decision")
    read_store(
        connection,
        "human_value",
        "select decision_id, customer_id, attribute, value "
        "from hub.steward_decision d join hub.steward_value using (decision_id) "
        f"where effective_from is not null and {stands} order by decision_id",
    )


def _stands(standing: Decision, subject: str, way_out: str) -> NotAllowed:
    message = f"decision {standing.decision_id} by {standing.decided_by} stands on {subject}: {way_out} it first"
    return NotAllowed(message, decision_id=standing.decision_id)


def _columns_of(a: Record, b: Record) -> tuple[str, ...]:
    return (a.system, a.province, a.key, b.system, b.province, b.key)


def _check_known(store: Connection, record: Record) -> None:
    known = store.execute(
        text(
            "select 1 from core.crosswalk where system = :system and province = :province and customer_key = :key "
            "and recorded_to is null"
        ),
        {"system": record.system, "province": record.province, "key": record.key},
    ).scalar()
    if known is None:
        raise NotFound(f"no source record {record} has been unified", asked=str(record))


def _shown(store: Connection, pair: dict[str, str]) -> str | None:
    """What the review band said of the pair when it was decided: a later model may say otherwise."""
    columns = " and ".join(f"{name} = :{name}" for name in _PAIR)
    statement = f"select why from core.review_pair where {columns} and recorded_to is null"
    found = store.execute(text(statement), pair).scalar()
    return None if found is None else str(found)


def _note(store: Connection, by: str, reason: str, *, needs_second: bool, **values: Any) -> Decision:
    given = {
        **values,
        "reason": _said(reason, "a reason"),
        "decided_by": _person(by),
        "decided_at": now(),
        "needs_second": needs_second,
        "effective_from": None if needs_second else sequence.advance(store),
    }
    row = store.execute(insert(_TABLE).values(given).returning(_TABLE)).mappings().one()
    journal.record(store, "decision made", "steward_decision", row["decision_id"])
    return _decision(row)


def _withdraw(store: Connection, decision: Decision, *, by: str, reason: str) -> Decision:
    if decision.state == "withdrawn":
        raise NotAllowed(f"decision {decision.decision_id} is withdrawn already")
    values: dict[str, Any] = {
        "withdrawn_by": _person(by),
        "withdrawn_reason": _said(reason, "a reason"),
        "withdrawn_at": now(),
    }
    if decision.effective_from is not None:
        values["effective_to"] = sequence.advance(store)
    return _change(store, decision.decision_id, "decision withdrawn", values)


def _change(store: Connection, decision_id: int, event: str, values: dict[str, Any]) -> Decision:
    statement = update(_TABLE).where(_TABLE.c.decision_id == decision_id).values(values).returning(_TABLE)
    row = store.execute(statement).mappings().one()
    journal.record(store, event, "steward_decision", decision_id)
    return _decision(row)


def _get(store: Connection, decision_id: int) -> Decision:
    row = store.execute(select(_TABLE).where(_TABLE.c.decision_id == decision_id).with_for_update()).mappings().one_or_none()
    if row is None:
        raise NotFound(f"no decision {decision_id}; `bsshub steward decisions` lists them", decision_id=decision_id)
    return _decision(row)


def _standing(store: Connection, **values: Any) -> Decision | None:
    """The newest decision on this subject that nobody has withdrawn. Two stewards who decide at once take turns."""
    subject = "/".join(str(value) for value in values.values())
    store.execute(text("select pg_advisory_xact_lock(hashtext(:subject))"), {"subject": f"bsshub.decision.{subject}"})
    same = [_TABLE.c[name] == value for name, value in values.items()]
    statement = select(_TABLE).where(_TABLE.c.withdrawn_at.is_(None), *same).order_by(_TABLE.c.decision_id.desc()).limit(1)
    row = store.execute(statement).mappings().one_or_none()
    return None if row is None else _decision(row)


def _decision(row: RowMapping) -> Decision:
    waits = row["needs_second"] and row["confirmed_by"] is None
    state = "withdrawn" if row["withdrawn_at"] is not None else "proposed" if waits else "standing"
    return Decision(
        row["decision_id"], row["kind"], row["verdict"], state, row["decided_by"], row["confirmed_by"], row["effective_from"]
    )


def _person(name: str) -> str:
    return _said(name, "a person")


def _said(words: str, what: str) -> str:
    stripped = " ".join(words.split())
    if not stripped or len(stripped) > MAX_TEXT:
        raise NotAllowed(f"a decision needs {what}, of at most {MAX_TEXT} characters")
    return stripped
