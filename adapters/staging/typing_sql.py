"""Text → types: one SQL statement, generated from the contract, said here once.

Expects a DuckDB session whose TimeZone is Asia/Shanghai and a relation with the columns of `adapters.staging.rows`.
A field that does not type is NULL and named in `_errors`; all failing fields of a row are named, not only the first.
"""

from __future__ import annotations

from schemas.codes import CODE_TABLES
from schemas.contract import Column, Contract, ErrorClass, Type

# docs/interfaces.md, "Files" and "REST": how senders write "nothing".
MISSING = ("", "N/A")
NULL_DATES = ("00010101", "0001-01-01")
NULL_MOMENTS = ("00010101000000", "0001-01-01 00:00:00")
OPEN_ENDED = ("29991231", "2999-12-31")
BLANKS = (" ", "　")

_INTEGER = "[+-]?[0-9]{1,19}"
_YUAN = r"[+-]?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)(\.[0-9]{1,2}0*)?"
_TIME = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"


def typed_rows(contract: Contract, relation: str) -> str:
    """SELECT of the staged columns but `_source`, over `relation`."""
    columns = contract.columns
    cleaned = ", ".join(f"{_clean(column)} AS {_name(column)}" for column in columns)
    values = ", ".join(f"{_typed(column)} AS {_value(column)}" for column in columns)
    result = ", ".join(f"{_value(column)} AS {_name(column)}" for column in columns)
    return f"""
        WITH cleaned AS (SELECT _row_no, _object, _offset, _length, _fault, {cleaned} FROM {relation}),
        typed AS (SELECT *, {values} FROM cleaned)
        SELECT _row_no, _object, _offset, _length, {result}, {_errors(contract)} AS _errors FROM typed"""


def sql_text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def sql_list(texts: tuple[str, ...]) -> str:
    return ", ".join(sql_text(text) for text in texts)


def _name(column: Column) -> str:
    return f'"{column.name}"'


def _value(column: Column) -> str:
    return f'"{column.name} "'  # no contract name ends in a space


def _clean(column: Column) -> str:
    """The text without blanks at its ends, NULL where it says "nothing". The trim runs only where it has work (it is slow)."""
    name = _name(column)
    ends = " OR ".join(f"{test}({name}, {sql_text(blank)})" for blank in BLANKS for test in ("prefix", "suffix"))
    trimmed = f"CASE WHEN {ends} THEN trim({name}, {sql_text(''.join(BLANKS))}) ELSE {name} END"
    nothing = MISSING
    if column.type is Type.DATE:
        nothing += NULL_DATES + (OPEN_ENDED if column.open_ended else ())
    elif column.type is Type.TIMESTAMP:
        nothing += NULL_MOMENTS
    return f"CASE WHEN ({trimmed}) IN ({sql_list(nothing)}) THEN NULL ELSE ({trimmed}) END"


def _typed(column: Column) -> str:
    name = _name(column)
    match column.type:
        case Type.TEXT:
            return name
        case Type.CODE:
            return _code(column)
        case Type.INTEGER | Type.FEN:
            return f"CASE WHEN regexp_full_match({name}, '{_INTEGER}') THEN TRY_CAST({name} AS BIGINT) END"
        case Type.YUAN:
            amount = f"TRY_CAST(replace({name}, ',', '') AS DECIMAL(30, 2))"
            return f"CASE WHEN regexp_full_match({name}, '{_YUAN}') THEN TRY_CAST({amount} * 100 AS BIGINT) END"
        case Type.DATE:
            return f"""CASE WHEN regexp_full_match({name}, '[0-9]{{8}}') THEN try_strptime({name}, '%Y%m%d')::DATE
                WHEN regexp_full_match({name}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}') THEN TRY_CAST({name} AS DATE) END"""
        case Type.TIMESTAMP:
            return _moment(name)
        case Type.BOOLEAN:
            return f"CASE WHEN {name} IN ('true', 't', '1') THEN true WHEN {name} IN ('false', 'f', '0') THEN false END"


def _code(column: Column) -> str:
    table = CODE_TABLES[str(column.codes)]
    arms = " ".join(f"WHEN {sql_text(source)} THEN {sql_text(code.value)}" for source, code in table.items())
    return f"CASE {_name(column)} {arms} END"


def _moment(name: str) -> str:
    """14 digits and SQL form are Shanghai time; RFC 3339 carries its own offset."""
    day = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
    return f"""CASE
        WHEN regexp_full_match({name}, '[0-9]{{14}}') THEN try_strptime({name}, '%Y%m%d%H%M%S')::TIMESTAMPTZ
        WHEN regexp_full_match({name}, '{day}[ T]{_TIME}') THEN TRY_CAST({name} AS TIMESTAMP)::TIMESTAMPTZ
        WHEN regexp_full_match({name}, '{day}[ T]{_TIME}(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)') THEN TRY_CAST({name} AS TIMESTAMPTZ)
        END"""


def _errors(contract: Contract) -> str:
    tests = [test for column in contract.columns for test in _faults(contract, column)]
    anything = " OR ".join(condition for condition, _ in tests) or "false"
    named = ", ".join(f"CASE WHEN {condition} THEN {sql_text(fault)} END" for condition, fault in tests)
    return f"""CASE
        WHEN _fault IS NOT NULL THEN ['00{ErrorClass.TYPE}:' || _fault]
        WHEN {anything} THEN list_filter([{named}], lambda fault: fault IS NOT NULL)
        END"""


def _faults(contract: Contract, column: Column) -> list[tuple[str, str]]:
    """(condition, `CCK:fault`) a way this column can be wrong."""
    number = f"{contract.position(column.name):02d}"
    faults = []
    if column.required:
        error = ErrorClass.PRIMARY_KEY if column.name in contract.key else ErrorClass.TYPE
        faults.append((f"{_name(column)} IS NULL", f"{number}{error}:missing"))
    if column.type is not Type.TEXT:
        error, fault = (ErrorClass.CODE_SET, "code") if column.type is Type.CODE else (ErrorClass.TYPE, "type")
        faults.append((f"{_name(column)} IS NOT NULL AND {_value(column)} IS NULL", f"{number}{error}:{fault}"))
    return faults
