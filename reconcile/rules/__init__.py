"""The rule catalogue: one file a family. A new rule is one declaration in its file, and a golden case in the tests.

Every `Rule` that a file of this folder defines at its top level is of the catalogue, in the order of files and definitions.
"""

from __future__ import annotations

from types import ModuleType

from hub.errors import NotFound
from reconcile.rule import Rule
from reconcile.rules import (
    fulfilment,
    lifecycle,
    mapping,
    ordering,
    payments,
    peers,
    pricing,
    references,
    revenue_references,
    signed,
    standing,
    totals,
)

FAMILIES = (
    lifecycle,
    ordering,
    pricing,
    totals,
    revenue_references,
    references,
    standing,
    fulfilment,
    mapping,
    peers,
    payments,
    signed,
)


def _declared(family: ModuleType) -> list[Rule]:
    return [value for value in vars(family).values() if isinstance(value, Rule)]


RULES: tuple[Rule, ...] = tuple(rule for family in FAMILIES for rule in _declared(family))


def rule_of(rule_id: str) -> Rule:
    """Raises NotFound, naming the rules there are."""
    for rule in RULES:
        if rule.rule_id == rule_id:
            return rule
    raise NotFound(f"no rule {rule_id!r}; known: {', '.join(rule.rule_id for rule in RULES)}", rule_id=rule_id)
