"""What a system may be asked to write into its rows: columns that are there, values that they can have (`schemas.entities`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime

from hub.errors import NotAllowed, NotFound
from schemas.codes import CODE_TABLES
from schemas.contract import Column, Type
from schemas.entities import ENTITIES

MAX_VALUE = 200
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_FEN = "a whole number of fen, for example 12300 for ¥123.00"


def check_change(entities: Collection[str], change: Mapping[str, str]) -> None:
    """Raises NotFound for a column that none of the entities has, NotAllowed for a value that it cannot have and which it can.

    A request is read by more people than may see a person's telephone: personal values do not travel in it.
    """
    columns = [column for entity in sorted(entities) for column in ENTITIES[entity].columns]
    known, personal = {column.name for column in columns}, {column.name for column in columns if column.personal}
    for name, value in change.items():
        if name not in known:
            raise NotFound(f"no column {name!r} to correct; known: {', '.join(sorted(known - personal))}")
        if name in personal:
            raise NotAllowed(f"{name} is personal: say in the reason that it is wrong, its owner knows the value")
        for column in columns:
            if column.name == name:
                _check_value(column, value)


def _check_value(column: Column, value: str) -> None:
    if not value:
        if column.required:
            raise NotAllowed(f"{column.name} cannot be nothing: every row has one")
        return
    if column.codes is not None:
        allowed = tuple(dict.fromkeys(code.value for code in CODE_TABLES[column.codes].values()))
        fits, form = value in allowed, ", ".join(allowed)
    else:
        takes, form = _FORMS[column.type]
        fits = takes(value)
    if not fits:
        raise NotAllowed(f"{column.name} cannot be {value[:MAX_VALUE]!r}; allowed: {form}")


def _is_day(value: str) -> bool:
    return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", value)) and _parses(date.fromisoformat, value)


def _is_moment(value: str) -> bool:
    form = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?([+-]\d\d:\d\d)?"
    return bool(re.fullmatch(form, value)) and _parses(datetime.fromisoformat, value)


def _parses(read: Callable[[str], object], value: str) -> bool:
    try:
        read(value)
    except ValueError:
        return False
    return True


def _is_whole(value: str) -> bool:
    return _WHOLE.fullmatch(value) is not None


_FORMS: Mapping[Type, tuple[Callable[[str], bool], str]] = {
    Type.TEXT: (lambda value: len(value) <= MAX_VALUE, f"a text of at most {MAX_VALUE} characters"),
    Type.INTEGER: (_is_whole, "a whole number"),
    Type.FEN: (_is_whole, _FEN),
    Type.YUAN: (_is_whole, _FEN),
    Type.DATE: (_is_day, "a day YYYY-MM-DD"),
    Type.TIMESTAMP: (_is_moment, "a time YYYY-MM-DD HH:MM:SS, of Shanghai where no offset is said"),
    Type.BOOLEAN: (lambda value: value in {"true", "false"}, "true, false"),
}
