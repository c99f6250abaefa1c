"""The life of a break as people move it: taken, answered, sent back, accepted, corrected. Each act has a name and a reason.

| act | from | to | |
|---|---|---|---|
| `take` | any but closed | the same | `owner` answers for it from now on |
| `answer` | open | explained | what caused it |
| `return` | explained, corrected | open | poorly explained, or not mended: due again the day after the last night judged, 16:00 |
| `accept` | explained | accepted | the difference stands as explained |
| `correct` | explained | corrected | the owning system is asked to mend it (`hub.outbox`) |

A request that is still pending when its break is open again, by a person or by data, is withdrawn (`store.outbox`).

Only data closes a break, and data opens it again: an explained, accepted or corrected one whose values are other than those
at the act, a closed one that is found again (`reconcile.ledger`). Acts are kept in `hub.break_act`, each in the ledger's hash
chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Engine, insert, text

from hub.errors import NotAllowed, NotFound
from hub.periods import SHANGHAI, first_day, now
from identity.versions import alone
from reconcile.corrections import check_change
from reconcile.judge import DEADLINE
from reconcile.ledger import BREAKS
from store import journal, outbox, sequence, tables

MAX_TEXT = 2000
STATES = ("open", "explained", "accepted", "corrected", "closed")


class Act(StrEnum):
    """What a person can do with a break."""

    TAKE = "take"
    ANSWER = "answer"
    RETURN = "return"
    ACCEPT = "accept"
    CORRECT = "correct"


LEADS: Mapping[Act, Mapping[str, str]] = {
    Act.TAKE: {state: state for state in STATES if state != "closed"},
    Act.ANSWER: {"open": "explained"},
    Act.RETURN: {"explained": "open", "corrected": "open"},
    Act.ACCEPT: {"explained": "accepted"},
    Act.CORRECT: {"explained": "corrected"},
}


@dataclass(frozen=True)
class Correction:
    """What `system` is asked to change of its rows of the break: column → the value it should have."""

    system: str
    change: Mapping[str, str]


@dataclass(frozen=True)
class Acted:
    """A break after an act. `outbox_id`: the request a correction wrote."""

    break_id: str
    act: str
    state: str
    owner: str | None
    due_at: datetime | None
    outbox_id: int | None = None


def act(
    engine: Engine,
    break_id: str,
    what: Act,
    *,
    by: str,
    said: str,
    owner: str | None = None,
    correction: Correction | None = None,
) -> Acted:
    """Does it, in one transaction, in turn with reconciliation runs.

    Raises NotFound for an unknown break, system or column, NotAllowed where the break's state does not allow it, or nobody is
    named, or nothing said, or a column cannot have the value asked for.
    """
    person, words = filled("--by", by), filled("a reason", said)
    with alone(engine, "reconcile") as store:
        found = _open_version(store, break_id)
        after = _state_after(found, what)
        if (what is Act.CORRECT) != bool(correction and correction.change):
            raise NotAllowed("a correction says what is to be changed, and nothing else does")
        changed: dict[str, object] = {"state": after}
        if what is Act.TAKE:
            changed["owner"] = filled("an owner", owner or person)
        if what is Act.RETURN:
            changed |= {"due_at": _due_again(store), "returned": int(found["returned"]) + 1}
        seq = _new_version(store, break_id, changed)
        done = {"act": what.value, "acted_by": person, "said": words, "owner": changed.get("owner"), "state_after": after}
        _note(store, found, {**done, "seq": seq})
        outbox.withdraw_of_open(store)
        outbox_id = _request(store, found, correction, person, words) if correction else None
        now_is = {**found, **changed}
        return Acted(break_id, what.value, after, now_is["owner"], now_is["due_at"], outbox_id)


def filled(name: str, words: str) -> str:
    """What a person must say, trimmed. Raises NotAllowed where it is nothing or too much."""
    kept = words.strip()
    if not kept or len(kept) > MAX_TEXT:
        raise NotAllowed(f"{name} must be given, in at most {MAX_TEXT} characters")
    return kept


def _open_version(store: Connection, break_id: str) -> dict[str, Any]:
    statement = text("select * from recon.breaks where break_id = :id and recorded_to is null")
    found = store.execute(statement, {"id": break_id}).mappings().one_or_none()
    if found is None:
        raise NotFound(f"no break {break_id!r}; `bsshub breaks` lists them", break_id=break_id)
    return dict(found)


def _state_after(found: Mapping[str, Any], what: Act) -> str:
    state = str(found["state"])
    if state not in LEADS[what]:
        possible = ", ".join(act.value for act, leads in LEADS.items() if state in leads) or "nothing, only data opens it again"
        raise NotAllowed(f"break {found['break_id']} is {state}: {what} is not possible; possible: {possible}")
    return LEADS[what][state]


def _due_again(store: Connection) -> datetime:
    last = store.execute(text("select max(cycle) from recon.rule_run")).scalar()
    night = first_day(str(last)) if last else now().date()
    return datetime.combine(night + timedelta(days=1), DEADLINE, SHANGHAI)


def _new_version(store: Connection, break_id: str, changed: Mapping[str, object]) -> int:
    seq = sequence.advance(store)
    store.execute(
        text("update recon.breaks set recorded_to = :seq where break_id = :id and recorded_to is null"),
        {"seq": seq, "id": break_id},
    )
    columns = ", ".join(BREAKS.columns)
    values = ", ".join(f":{name}" if name in changed else name for name in BREAKS.columns)
    store.execute(
        text(
            f"insert into recon.breaks ({columns}, recorded_from) select {values}, :seq from recon.breaks "
            "where break_id = :id and recorded_to = :seq"
        ),
        {**changed, "seq": seq, "id": break_id},
    )
    return seq


def _note(store: Connection, found: Mapping[str, Any], done: Mapping[str, object]) -> None:
    values = {"break_id": found["break_id"], "state_before": found["state"], "acted_at": now(), **done}
    act_id = store.execute(insert(tables.break_act).values(values).returning(tables.break_act.c.act_id)).scalar_one()
    journal.record(store, "acted on a break", "break_act", act_id)


def _request(store: Connection, found: Mapping[str, Any], asked: Correction, by: str, said: str) -> int | None:
    rows = [ref for ref in found["refs"] if ref["system"] == asked.system]
    systems = sorted({ref["system"] for ref in found["refs"]})
    if not rows:
        known = f"it has rows of: {', '.join(systems) or 'none'}"
        raise NotFound(f"break {found['break_id']} has no row of system {asked.system!r} to correct; {known}")
    check_change({ref["entity"] for ref in rows}, asked.change)
    payload = {
        "break_id": found["break_id"],
        "rule_id": found["rule_id"],
        "subject": found["subject"],
        "rows": rows,
        "left_value": found["left_value"],
        "right_value": found["right_value"],
        "money_fen": found["money_fen"],
        "change": dict(asked.change),
        "reason": said,
    }
    return outbox.request(
        store,
        key=f"correction/{found['break_id']}/{found['reopened']}/{found['returned']}",
        system=asked.system,
        province=found["province"],
        kind="correction",
        payload=payload,
        by=by,
        break_id=str(found["break_id"]),
    )
