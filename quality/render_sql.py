"""The rules as SQL predicates over staged rows: each is true where the row breaks the rule, and says *which* rows.

All predicates run in one pass: a row's broken rules are the bits of one integer, the rule's place in `checks_of` its bit.
"""

from __future__ import annotations

from collections.abc import Sequence

from adapters.staging.typing_sql import sql_list, sql_text
from quality.rules import Check, InCodes, Present, Typed, UniqueKey, Whole, day_of
from schemas.codes import CODE_TABLES
from schemas.contract import (
    Between,
    Contract,
    DateBetween,
    Equals,
    ErrorClass,
    Matches,
    Ordered,
    Product,
    RequiredWhen,
    Type,
)

BROKEN_RECORD = "_errors IS NOT NULL AND _errors[1][1:2] = '00'"


def broken_rules(contract: Contract, checks: Sequence[Check], period: str) -> str:
    """BIGINT expression: bit i set where the row breaks `checks[i]`. UniqueKey needs other rows and has no bit here."""
    if len(checks) > 62:
        raise ValueError(f"{contract.feed_id}: {len(checks)} rules do not fit one integer")
    bits = [
        f"CASE WHEN {predicate(contract, check, period)} THEN {1 << bit} ELSE 0 END"
        for bit, check in enumerate(checks)
        if not isinstance(check.test, Whole | UniqueKey)
    ]
    return f"CASE WHEN {BROKEN_RECORD} THEN 1 ELSE {' + '.join(bits) or '0'} END::BIGINT"


def predicate(contract: Contract, check: Check, period: str) -> str:
    """True where a whole record breaks the rule; NULL or false where it does not."""
    match check.test:
        case Whole():
            return BROKEN_RECORD
        case Present(column):
            return _absent(contract, column)
        case Typed(column):
            return _staged_fault(f"{_entry(contract, column, ErrorClass.TYPE)}:type")
        case InCodes(column):
            return f"({_unknown_code(contract, column)} OR {_q(column)} NOT IN ({sql_list(code_values(contract, column))}))"
        case UniqueKey():
            raise ValueError("uniqueness is no property of one row")
        case rule:
            return _declared(rule, period)


def _declared(rule: Between | DateBetween | Matches | Ordered | Equals | RequiredWhen | Product, period: str) -> str:  # noqa: PLR0911 (one arm a rule)
    match rule:
        case Between():
            return _outside(rule.column, rule.low, rule.high)
        case DateBetween():
            days = [day_of(bound, period) for bound in (rule.low, rule.high)]
            low, high = (None if day is None else f"DATE '{day.isoformat()}'" for day in days)
            return _outside(rule.column, low, high)
        case Matches():
            return f"NOT regexp_full_match({_q(rule.column)}, {sql_text(rule.pattern)})"
        case Ordered():
            return f"{_q(rule.lower)} > {_q(rule.upper)}"
        case Equals():
            return f"{_q(rule.column)} <> {sql_text(period)}"
        case RequiredWhen():
            return f"({_q(rule.column)} IS NULL AND {_q(rule.when)} IN ({sql_list(rule.values)}))"
        case Product():
            product = f"{_q(rule.left)}::HUGEINT * {_q(rule.right)}::HUGEINT"
            return f"abs({_q(rule.result)}::HUGEINT - {product}) > {rule.tolerance}"


def code_values(contract: Contract, column: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(code.value for code in CODE_TABLES[str(contract.column(column).codes)].values()))


def _absent(contract: Contract, column: str) -> str:
    if contract.column(column).type is not Type.CODE:
        return f"{_q(column)} IS NULL"
    return f"({_q(column)} IS NULL AND NOT {_unknown_code(contract, column)})"


def _unknown_code(contract: Contract, column: str) -> str:
    return _staged_fault(f"{_entry(contract, column, ErrorClass.CODE_SET)}:code")


def _staged_fault(entry: str) -> str:
    """A CASE, because DuckDB would search the list of every row, and nearly all have none."""
    return f"(CASE WHEN _errors IS NULL THEN false ELSE list_contains(_errors, '{entry}') END)"


def _entry(contract: Contract, column: str, error: ErrorClass) -> str:
    return f"{contract.position(column):02d}{error}"


def _outside(column: str, low: object, high: object) -> str:
    sides = [f"{_q(column)} {sign} {bound}" for sign, bound in (("<", low), (">", high)) if bound is not None]
    return f"({' OR '.join(sides) or 'false'})"


def _q(column: str) -> str:
    return f'"{column}"'
