"""Every rule of a feed, each said once: the contract's own and those its columns imply. Rendered three ways beside this file.

Rules judge whole records; a record whose shape or bytes are broken breaks `record_whole` and no other rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from hub.periods import first_day, last_day
from schemas.contract import Between, Contract, DateBetween, ErrorClass, Matches, Rule, Severity, Type


@dataclass(frozen=True)
class Whole:
    """The record decodes, and has the fields of its layout."""


@dataclass(frozen=True)
class Present:
    """The required field is there and can be read (a code column's unknown code is InCodes' business)."""

    column: str


@dataclass(frozen=True)
class Typed:
    """The optional field, where present, can be read as its type."""

    column: str


@dataclass(frozen=True)
class InCodes:
    """The code, where present, is in its table."""

    column: str


@dataclass(frozen=True)
class UniqueKey:
    """Of the rows that pass every other rule, exact repetitions left out, no two share key and version."""

    columns: tuple[str, ...]


Test = Whole | Present | Typed | InCodes | UniqueKey | Rule


@dataclass(frozen=True)
class Check:
    """A rule with its name and weight. `column` is the one a record error names, None for the record as a whole."""

    rule_id: str
    test: Test
    severity: Severity
    error_class: ErrorClass
    column: str | None

    def record_error(self, contract: Contract) -> str:
        return contract.record_error(self.column, self.error_class)


def checks_of(contract: Contract) -> tuple[Check, ...]:
    """In the order in which the first broken one names a row's fault. UniqueKey is the last."""
    implied = [check for column in contract.columns for check in _implied(contract, column.name)]
    whole = Check("record_whole", Whole(), Severity.ROW, ErrorClass.TYPE, None)
    identity = contract.key if contract.version is None else (*contract.key, contract.version)
    unique = Check("key_unique", UniqueKey(identity), Severity.ROW, ErrorClass.PRIMARY_KEY, contract.key[0])
    return (whole, *implied, *(_declared(rule) for rule in contract.rules), unique)


def _implied(contract: Contract, name: str) -> list[Check]:
    column = contract.column(name)
    checks = []
    if column.required:
        error = ErrorClass.PRIMARY_KEY if name in contract.key else ErrorClass.TYPE
        checks.append(Check(f"{name}_required", Present(name), Severity.ROW, error, name))
    elif column.type not in (Type.TEXT, Type.CODE):
        checks.append(Check(f"{name}_typed", Typed(name), Severity.ROW, ErrorClass.TYPE, name))
    if column.type is Type.CODE:
        checks.append(Check(f"{name}_codes", InCodes(name), Severity.ROW, ErrorClass.CODE_SET, name))
    return checks


def _declared(rule: Rule) -> Check:
    match rule:
        case Between() | DateBetween():
            error = ErrorClass.RANGE
        case Matches():
            error = ErrorClass.TYPE
        case _:
            error = ErrorClass.BUSINESS
    return Check(rule.name, rule, rule.severity, error, _named_column(rule))


def _named_column(rule: Rule) -> str:
    facts = rule.model_dump()
    return str(facts.get("column") or facts.get("upper") or facts.get("result"))


def day_of(bound: str | None, period: str) -> date | None:
    """A DateBetween bound as a date; `period_start` and `period_end` are the period's own."""
    match bound:
        case None:
            return None
        case "period_start":
            return first_day(period)
        case "period_end":
            return last_day(period)
        case _:
            return date.fromisoformat(bound)
