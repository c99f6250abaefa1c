"""What people signed and did (5): figures are those that were signed, and a break stands as its last act left it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from sqlalchemy import Connection, text

from store.finding import Finding, named


def figures_digest(figures: Iterable[tuple[str, str, int]]) -> str:
    """SHA-256 over (`province, figure, value`), whatever their order."""
    return hashlib.sha256(json.dumps(sorted(figures)).encode()).hexdigest()


def check_reconciliation(connection: Connection) -> list[Finding]:
    """A state that only a person gives has an act behind it; what a signature covers is as it was signed."""
    unacted = """
    select b.break_id from recon.breaks b
    left join lateral (
        select a.state_after from hub.break_act a where a.break_id = b.break_id order by a.act_id desc limit 1
    ) last on true
    where b.recorded_to is null and b.state in ('explained', 'accepted', 'corrected')
        and last.state_after is distinct from b.state
    order by 1"""
    findings = named(
        5, "recon.breaks", list(connection.execute(text(unacted)).scalars()), "no act of a person put it in its state"
    )
    return findings + _check_signatures(connection)


def _check_signatures(connection: Connection) -> list[Finding]:
    figures: dict[int, list[tuple[str, str, int]]] = {}
    for row in connection.execute(text("select signature_id, province, figure, value from hub.signed_figure")):
        figures.setdefault(row.signature_id, []).append((row.province, row.figure, row.value))
    signed = connection.execute(text("select signature_id, period, figures_digest from hub.period_signature order by 1"))
    return [
        Finding(5, f"hub.signed_figure {row.signature_id} ({row.period})", "the figures are not those that were signed")
        for row in signed
        if figures_digest(figures.get(row.signature_id, [])) != row.figures_digest
    ]
