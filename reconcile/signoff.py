"""A month is closed by a named person over a frozen set of figures, taken from what is published.

A month can be signed when no critical break of that month is open: each must be explained and settled, closed by the data, or
covered by a waiver. A break whose subject names no month (an account mapped differently, an order that never was) stands beside
every month and holds up none. Signing again replaces the signature before it, which is kept. Figures that change later are breaks
of the rule `signed_figure_changed`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, insert, text

from hub.errors import InvariantBroken, NotAllowed
from hub.periods import check_kind, now
from identity.extract import RECONCILE_COLUMNS, open_extract
from identity.versions import alone
from reconcile import shared
from store import journal, tables
from store.checks_reconcile import figures_digest
from store.publication import Publication, current_publication, live_fact_batches

IN_THE_WAY = """severity = 'critical' and waiver_id is null and state in ('open', 'explained')
    and rule_id <> 'signed_figure_changed'"""
"""Which breaks of a month stand in the way of signing it: SQL over breaks as they stand."""


@dataclass(frozen=True)
class Figure:
    """One figure of a province's month: a count, or fen."""

    province: str
    figure: str
    value: int


@dataclass(frozen=True)
class Proposal:
    """What would be signed. `unsettled`: critical breaks that stand in the way, by rule."""

    period: str
    publication_id: int
    figures: tuple[Figure, ...]
    digest: str
    unsettled: Mapping[str, int]


def propose(engine: Engine, period: str) -> Proposal:
    """The figures of a month as published. Raises NotAllowed where nothing is published or the month holds nothing."""
    check_kind(period, "monthly")
    with engine.connect() as store:
        shown = current_publication(store)
        if shown is None:
            raise NotAllowed("nothing is published yet: there is nothing to sign")
        batches = live_fact_batches(store, shown.seq)
        unsettled = _unsettled(store, period)
    found = _figures(engine, shown, batches, period)
    if not found:
        raise NotAllowed(f"publication {shown.publication_id} holds no figure of {period}", period=period)
    return Proposal(period, shown.publication_id, found, _digest(found), unsettled)


def sign(engine: Engine, period: str, *, by: str, note: str, expected: str | None = None) -> int:
    """Signs a month as published and returns the signature's id. `expected`: the digest of the figures that were shown to the
    person; others are not signed.

    Raises NotAllowed where critical breaks of the month are not settled, the figures are other than those shown, they are
    signed already as they are, or nobody is named.
    """
    if not by.strip():
        raise NotAllowed("--by must name the person who signs")
    proposal = propose(engine, period)
    if proposal.unsettled:
        said = ", ".join(f"{rule} {count}" for rule, count in proposal.unsettled.items())
        raise NotAllowed(f"{period} has critical breaks that are not settled: {said}; each must be accepted, corrected or closed")
    if expected is not None and expected != proposal.digest:
        raise NotAllowed(f"the figures of {period} have changed since they were shown; look at them again", period=period)
    with alone(engine, "sign"), engine.begin() as store:
        before = _standing(store, period)
        if before is not None and before["figures_digest"] == proposal.digest:
            raise NotAllowed(f"{period} is signed by {before['signed_by']} with these very figures")
        return _write(store, proposal, by.strip(), note.strip(), None if before is None else int(before["signature_id"]))


def _figures(engine: Engine, shown: Publication, batches: Sequence[int], period: str) -> tuple[Figure, ...]:
    with open_extract(engine, shown.seq, RECONCILE_COLUMNS, batches) as extract:
        shared.prepare(extract, batches, [period])
        rows = extract.connection.execute(
            "select province, figure, value from figure where month = ? order by province, figure", [period]
        ).fetchall()
    return tuple(Figure(str(province), str(figure), int(value)) for province, figure, value in rows)


def _digest(found: Sequence[Figure]) -> str:
    return figures_digest((one.province, one.figure, one.value) for one in found)


def _unsettled(store: Connection, period: str) -> dict[str, int]:
    rows = store.execute(
        text(
            f"select rule_id, count(*) from recon.breaks where recorded_to is null and {IN_THE_WAY} "
            "and subject ->> 'month' = :period group by rule_id order by rule_id"
        ),
        {"period": period},
    )
    return {str(rule): int(count) for rule, count in rows}


def _standing(store: Connection, period: str) -> Mapping[str, Any] | None:
    statement = text("select * from audit.period_signature where period = :period and stands")
    found = store.execute(statement, {"period": period}).mappings().all()
    if len(found) > 1:
        raise InvariantBroken(f"{period} has {len(found)} standing signatures")
    return dict(found[0]) if found else None


def _write(store: Connection, proposal: Proposal, by: str, note: str, replaces: int | None) -> int:
    values = {
        "period": proposal.period,
        "publication_id": proposal.publication_id,
        "figures_digest": proposal.digest,
        "signed_by": by,
        "signed_at": now(),
        "note": note,
        "replaces": replaces,
    }
    statement = insert(tables.period_signature).values(values).returning(tables.period_signature.c.signature_id)
    signature_id = int(store.execute(statement).scalar_one())
    rows = [
        {"signature_id": signature_id, "province": one.province, "figure": one.figure, "value": one.value}
        for one in proposal.figures
    ]
    store.execute(insert(tables.signed_figure), rows)
    journal.record(store, "period signed", "period_signature", signature_id)
    return signature_id
