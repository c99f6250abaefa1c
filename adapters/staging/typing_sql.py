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

SHANGHAI_OFFSET_US = 8 * 3_600_000_000
NO_CHANGE_SINCE = "1992-01-01"
"""Shanghai last changed its clock in September 1991."""
ERRORS = "_errors"

_INTEGER = "[+-]?[0-9]{1,19}"
_YUAN = r"[+-]?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)(\.[0-9]{1,2}0*)?"
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"


def typed_rows(contract: Contract, relation: str) -> str:
    """SELECT of the staged columns but `_source`, over `relation`."""
    values = ", ".join(f"{_typed(column)} AS {_value(column)}" for column in contract.columns)
    result = ", ".join(f"{_value(column)} AS {_name(column)}" for column in contract.columns)
    return f"""
        SELECT _row_no, _object, _offset, _length, {result}, {_errors(contract)} AS {ERRORS}
        FROM (SELECT *, {values} FROM {relation})"""


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
    nothing: tuple[str, ...] = MISSING
    if column.type is Type.DATE:
        nothing += NULL_DATES + (OPEN_ENDED if column.open_ended else ())
    elif column.type is Type.TIMESTAMP:
        nothing += NULL_MOMENTS
    return f"(CASE WHEN ({trimmed}) IN ({sql_list(nothing)}) THEN NULL ELSE ({trimmed}) END)"


def _typed(column: Column) -> str:  # noqa: PLR0911 (one arm a type)
    """The value of a field. Most fields hold nothing odd and are typed as they lie; only the others pay for cleaning."""
    name, cleaned = _name(column), _clean(column)
    match column.type:
        case Type.TEXT:
            return cleaned
        case Type.CODE:
            return f"coalesce({_code(column, name)}, {_code(column, cleaned)})"
        case Type.INTEGER | Type.FEN:
            plain = f"TRY_CAST({name} AS BIGINT)"
            return f"CASE WHEN {plain}::VARCHAR = {name} THEN {plain} ELSE {_integer(cleaned)} END"
        case Type.YUAN:
            return _yuan(cleaned)
        case Type.DATE:
            nothing = sql_list((*NULL_DATES, *OPEN_ENDED))
            plain = f"strlen({name}) = 8 AND NOT suffix({name}, ' ') AND NOT {_no_year(name)} AND {name} NOT IN ({nothing})"
            return f"CASE WHEN {plain} THEN try_strptime({name}, '%Y%m%d')::DATE ELSE {_date(cleaned)} END"
        case Type.TIMESTAMP:
            plain = f"WHEN {_plain_moment(name)} THEN {_since_1992(name)}"
            return f"CASE WHEN {name} = '' THEN NULL {plain} ELSE {_moment(cleaned)} END"
        case Type.BOOLEAN:
            return f"CASE WHEN {cleaned} IN ('true', 't', '1') THEN true WHEN {cleaned} IN ('false', 'f', '0') THEN false END"


def _integer(text: str) -> str:
    return f"CASE WHEN regexp_full_match({text}, '{_INTEGER}') THEN TRY_CAST({text} AS BIGINT) END"


def _yuan(text: str) -> str:
    amount = f"TRY_CAST(replace({text}, ',', '') AS DECIMAL(30, 2))"
    return f"CASE WHEN regexp_full_match({text}, '{_YUAN}') THEN TRY_CAST({amount} * 100 AS BIGINT) END"


def _date(text: str) -> str:
    return f"""CASE WHEN {_no_year(text)} THEN NULL
        WHEN regexp_full_match({text}, '[0-9]{{8}}') THEN try_strptime({text}, '%Y%m%d')::DATE
        WHEN regexp_full_match({text}, '{_DAY}') THEN TRY_CAST({text} AS DATE) END"""


def _code(column: Column, text: str) -> str:
    table = CODE_TABLES[str(column.codes)]
    arms = " ".join(f"WHEN {sql_text(source)} THEN {sql_text(code.value)}" for source, code in table.items())
    return f"CASE {text} {arms} END"


def _moment(text: str) -> str:
    """14 digits and SQL form are Shanghai time; RFC 3339 carries its own offset."""
    return f"""CASE
        WHEN {_no_year(text)} THEN NULL
        WHEN regexp_full_match({text}, '[0-9]{{14}}') THEN try_strptime({text}, '%Y%m%d%H%M%S')::TIMESTAMPTZ
        WHEN regexp_full_match({text}, '{_DAY}[ T]{_TIME}') THEN TRY_CAST({text} AS TIMESTAMP)::TIMESTAMPTZ
        WHEN regexp_full_match({text}, '{_DAY}[ T]{_TIME}(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)') THEN TRY_CAST({text} AS TIMESTAMPTZ)
        END"""


def _plain_moment(text: str) -> str:
    """SQL form as databases write it, in the years since Shanghai last changed its clock (September 1991)."""
    plain = f"TRY_CAST({text} AS TIMESTAMP)"
    whole_seconds = f"strlen({text}) = 19 AND {text} LIKE '____-__-__ __:__:__'"  # no room for an offset
    return f"{plain} >= TIMESTAMP '{NO_CHANGE_SINCE}' AND ({whole_seconds} OR {plain}::VARCHAR = {text})"


def _since_1992(text: str) -> str:
    """Shanghai's +08:00 by arithmetic: the time zone's tables cost three times as much."""
    return f"make_timestamptz(epoch_us(TRY_CAST({text} AS TIMESTAMP)) - {SHANGHAI_OFFSET_US})"


def _no_year(text: str) -> str:
    """There is no year 0, though DuckDB reads one."""
    return f"prefix({text}, '0000')"


def _errors(contract: Contract) -> str:
    """Only a row with a NULL that may be a fault is looked at closely."""
    suspect = " OR ".join(_suspect(column) for column in contract.columns if column.required or column.type is not Type.TEXT)
    tests = [test for column in contract.columns for test in _faults(contract, column)]
    named = ", ".join(f"CASE WHEN {condition} THEN {sql_text(fault)} END" for condition, fault in tests)
    return f"""CASE
        WHEN _fault IS NOT NULL THEN ['00{ErrorClass.TYPE}:' || _fault]
        WHEN {suspect} THEN nullif(list_filter([{named}], lambda fault: fault IS NOT NULL), [])
        END"""


def _suspect(column: Column) -> str:
    return f"{_value(column)} IS NULL" + ("" if column.required else f" AND {_name(column)} <> ''")


def _faults(contract: Contract, column: Column) -> list[tuple[str, str]]:
    """(condition, `CCK:fault`) a way this column can be wrong."""
    number = f"{contract.position(column.name):02d}"
    faults = []
    if column.required:
        error = ErrorClass.PRIMARY_KEY if column.name in contract.key else ErrorClass.TYPE
        faults.append((f"{_value(column)} IS NULL AND ({_clean(column)}) IS NULL", f"{number}{error}:missing"))
    if column.type is not Type.TEXT:
        error, fault = (ErrorClass.CODE_SET, "code") if column.type is Type.CODE else (ErrorClass.TYPE, "type")
        faults.append((f"{_value(column)} IS NULL AND ({_clean(column)}) IS NOT NULL", f"{number}{error}:{fault}"))
    return faults
