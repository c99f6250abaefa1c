"""What `verify` reports."""

from __future__ import annotations

from dataclasses import dataclass

SHOWN = 20
"""Findings of one kind in one table that are named; the rest are counted."""


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is not as it must be. `invariant` is the number in ARCHITECTURE; `subject` names it (an object, a batch, a
    row by its key), `detail` says what is wrong, without values."""

    invariant: int
    subject: str
    detail: str


def named(invariant: int, where: str, subjects: list[str], detail: str) -> list[Finding]:
    """One finding a subject, up to `SHOWN`, then one that counts the rest."""
    findings = [Finding(invariant, f"{where} {subject}", detail) for subject in subjects[:SHOWN]]
    if len(subjects) > SHOWN:
        findings.append(Finding(invariant, where, f"{len(subjects) - SHOWN} more: {detail}"))
    return findings
