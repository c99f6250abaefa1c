"""The simulator's words for its first five contradictions, and the hub's; the others are named alike."""

from __future__ import annotations

from simulator import truth

_OURS = {
    truth.BILLED_NEVER_ORDERED: "billed_but_never_ordered",
    truth.ACTIVE_NOT_BILLED: "active_but_not_billed",
    truth.INVOICE_DIFFERS: "invoice_is_not_sum_of_items",
    truth.ACCOUNT_MAPPED_ELSEWHERE: "account_mapped_differently",
}


def rule_named(rule: str) -> str:
    return _OURS.get(rule, rule)


def subject_of(subject: dict[str, str]) -> tuple[str, str]:
    """(month, the other keys' values in the order of their names) of a break's subject."""
    return subject.get("month", ""), "|".join(subject[name] for name in sorted(subject) if name != "month")
