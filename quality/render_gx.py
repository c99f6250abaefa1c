"""The rules as Great Expectations expectations, the referee an auditor reads.

GX judges a view, `records`: the whole records, their contract columns, and for what GX has no expectation for (an
unreadable optional field, a regular expression, a condition, a product) a column that is NULL where the rule holds, computed
in another way than the predicate computes it. No value ever leaves: results carry counts only.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from adapters.staging.typing_sql import sql_list, sql_text
from quality.render_sql import BROKEN_RECORD, code_values
from quality.rules import Check, InCodes, Present, Typed, UniqueKey, Whole, day_of
from schemas.contract import Between, Contract, DateBetween, Equals, Matches, Ordered, Product, RequiredWhen, Type

UNKNOWN_CODE = "(unknown code)"
ROWS_SHARING = "rows_sharing_key"


def records_view(contract: Contract, checks: Sequence[Check]) -> str:
    """SELECT of what GX judges, over the staged relation `staged`."""
    shown = [_shown(contract, column.name) for column in contract.columns]
    derived = [
        f"CASE WHEN {holds} THEN NULL ELSE 1 END AS {_q(check.rule_id)}" for check in checks if (holds := _holds(contract, check))
    ]
    return f"SELECT _row_no, {', '.join([*shown, *derived])} FROM staged WHERE ({BROKEN_RECORD}) IS NOT TRUE"


def shared_keys(key: UniqueKey) -> str:
    """SELECT of one row, over the relation `candidates`: how many rows share their key with another.

    Kept as a table, since GX reads what it judges more than once.
    """
    columns = ", ".join(_q(column) for column in key.columns)
    groups = f"SELECT count(*) AS copies FROM candidates GROUP BY {columns}"
    return f"SELECT coalesce(sum(copies) FILTER (WHERE copies > 1), 0)::BIGINT AS {ROWS_SHARING} FROM ({groups})"


def _shown(contract: Contract, column: str) -> str:
    if contract.column(column).type is not Type.CODE:
        return _q(column)
    entry = f"{contract.position(column):02d}"
    unknown = f"len(list_filter(_errors, lambda e: prefix(e, '{entry}') AND suffix(e, ':code'))) > 0"
    value = f"CASE WHEN _errors IS NULL THEN {_q(column)} WHEN {unknown} THEN '{UNKNOWN_CODE}' ELSE {_q(column)} END"
    return f"{value} AS {_q(column)}"


def _holds(contract: Contract, check: Check) -> str | None:
    """The condition under which a rule without an expectation of its own holds."""
    match check.test:
        case Typed(column):
            entry = f"{contract.position(column):02d}"
            return f"CASE WHEN _errors IS NULL THEN true ELSE len(list_filter(_errors, lambda e: prefix(e, '{entry}'))) = 0 END"
        case Matches() as rule:
            matched = f"regexp_matches({_q(rule.column)}, {sql_text(rf'^(?:{rule.pattern})$')})"
            return f"{_q(rule.column)} IS NULL OR {matched}"
        case RequiredWhen() as rule:
            return f"{_q(rule.column)} IS NOT NULL OR {_q(rule.when)} IS NULL OR {_q(rule.when)} NOT IN ({sql_list(rule.values)})"
        case Product() as rule:
            product = f"{_q(rule.left)}::DECIMAL(38, 0) * {_q(rule.right)}::DECIMAL(19, 0)"
            inside = f"{_q(rule.result)} BETWEEN {product} - {rule.tolerance} AND {product} + {rule.tolerance}"
            return f"coalesce({inside}, true)"
        case _:
            return None


def expectation(contract: Contract, check: Check, period: str, total_rows: int) -> Any:  # noqa: PLR0911 (one arm a rule)
    """The GX expectation of the rule, on `records` (UniqueKey: on `key_groups`). `meta` carries the rule's id."""
    gxe: Any = import_module("great_expectations.expectations")  # seconds to import, and only the gate needs it
    facts: dict[str, Any] = {"meta": {"rule_id": check.rule_id}, "description": describe(contract, check)}
    match check.test:
        case Whole():
            return gxe.ExpectTableRowCountToEqual(value=total_rows, **facts)
        case Present(column):
            return gxe.ExpectColumnValuesToNotBeNull(column=column, **facts)
        case InCodes(column):
            return gxe.ExpectColumnValuesToBeInSet(column=column, value_set=list(code_values(contract, column)), **facts)
        case Between() as rule:
            return gxe.ExpectColumnValuesToBeBetween(column=rule.column, min_value=rule.low, max_value=rule.high, **facts)
        case DateBetween() as rule:
            low, high = day_of(rule.low, period), day_of(rule.high, period)
            return gxe.ExpectColumnValuesToBeBetween(column=rule.column, min_value=low, max_value=high, **facts)
        case Ordered() as rule:
            pair = {"column_A": rule.upper, "column_B": rule.lower, "ignore_row_if": "either_value_is_missing"}
            return gxe.ExpectColumnPairValuesAToBeGreaterThanB(or_equal=True, **pair, **facts)
        case Equals() as rule:
            return gxe.ExpectColumnValuesToBeInSet(column=rule.column, value_set=[period], **facts)
        case UniqueKey():
            return gxe.ExpectColumnSumToBeBetween(column=ROWS_SHARING, min_value=0, max_value=0, **facts)
        case Typed() | Matches() | RequiredWhen() | Product():
            return gxe.ExpectColumnValuesToBeNull(column=check.rule_id, **facts)


def failed_rows(check: Check, result: dict[str, Any], total_rows: int) -> int:
    """How many rows the referee found breaking the rule."""
    match check.test:
        case Whole():
            return total_rows - int(result["observed_value"])
        case UniqueKey():
            return int(result["observed_value"] or 0)
        case _:
            # Of an empty table GX counts nothing, and says None.
            return int(result["unexpected_count"]) if result["element_count"] else 0


def describe(contract: Contract, check: Check) -> str:
    """The rule in words, bilingual where it is about one column."""
    column = None if check.column is None else contract.column(check.column).label
    about = "record 记录" if column is None else f"{column.en} {column.zh}"
    return f"{check.rule_id} [{check.severity}]: {about}"


def _q(name: str) -> str:
    return f'"{name}"'
