"""The rows of both extracts in one shape, whatever their columns were called.

`rows`: `side` (`left`, `right`), `row_no`, `id`, `key` (NULL: one of its cells is empty), `amount` (BIGINT, 10^-6 units),
`day` (days since 1970-01-01), `text`, the cells `amount_said` and `date_said` as they were, and `fault`: why the row cannot be
compared, NULL where it can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

from hub.errors import HubError, NotFound
from reconcile.matching import cells
from reconcile.matching.question import Columns, Question
from reconcile.matching.reading import ROW, read

SIDES = ("left", "right")
KEY_JOINT = "\u001f"
FAULTS: Mapping[str, str] = {
    "no_key": "its key is empty",
    "no_amount": "its amount cannot be read",
    "no_date": "its date cannot be read",
}
# DOMAIN §3: 00010101 is no date, 29991231 no end.
_REAL_DAYS = "between date '1900-01-01' - date '1970-01-01' and date '2900-01-01' - date '1970-01-01'"


def prepare(connection: duckdb.DuckDBPyConnection, question: Question) -> None:
    """Makes `rows`. Raises NotFound for a column that is not there (with those that are), HubError for a file or a column
    that cannot be read."""
    selects = []
    for side, path in zip(SIDES, (question.left, question.right), strict=True):
        names = read(connection, path, f"{side}_cells")
        selects.append(_select(connection, question, side, names))
    connection.execute(f"create or replace table rows as {' union all '.join(selects)}")


def _select(connection: duckdb.DuckDBPyConnection, question: Question, side: str, names: Sequence[str]) -> str:
    table, file = f"{side}_cells", getattr(question, side).name

    def cell(option: str, columns: Columns | None) -> str:
        return "''" if columns is None else _cell(option, getattr(columns, side), names, file)

    keys = [cells.folded(cell("--key", columns)) for columns in question.keys]
    amount, date, row_id = cell("--amount", question.amount), cell("--date", question.date), cell("--id", question.ids)
    first = _month_first(connection, table, date, file) if question.date else None
    # A key begins with its joint, so that no key at all is the empty text.
    joined = f"concat_ws(chr({ord(KEY_JOINT)}), '', {', '.join(keys)})" if keys else "''"
    filled = " and ".join(f"{key} <> ''" for key in keys) or "true"
    read_from = f"""
        select {ROW} as row_no, nullif({cells.folded(row_id)}, '') as named, {amount} as amount_said, {date} as date_said,
            case when {filled} then {joined} end as key,
            {cells.money(amount)} as amount, {cells.day(date, month_first=first)} as any_day,
            lower({cells.folded(cell("--text", question.text))}) as text
        from {table}"""
    return f"""
        select '{side}' as side, row_no, coalesce(named, 'row ' || row_no) as id, named is null as unnamed, key, amount,
            (case when any_day {_REAL_DAYS} then any_day end)::int as day, text, amount_said, date_said,
            case when key is null then 'no_key' when {question.amount is not None} and amount is null then 'no_amount'
                when {question.date is not None} and day is null then 'no_date' end as fault
        from ({read_from})"""


def _cell(option: str, name: str, names: Sequence[str], file: str) -> str:
    alike = [known for known in names if known.casefold() == name.casefold()]
    if not alike:
        raise NotFound(f"{option}: {file} has no column {name!r}; it has: {', '.join(names)}", column=name)
    return '"' + alike[0].replace('"', '""') + '"'


def _month_first(connection: duckdb.DuckDBPyConnection, table: str, date: str, file: str) -> bool | None:
    """Whether dates like `05/03/2026` name the month first: the column's own numbers above 12 tell."""
    found = connection.execute(
        f"select count(*), max(parts[1]), max(parts[2]) from "
        f"(select {cells.day_parts('cell')} as parts from (select distinct {date} as cell from {table})) "
        "where parts is not null"
    ).fetchone()
    count, first, second = found or (0, None, None)
    if not count:
        return None
    if (first > 12) == (second > 12):
        raise HubError(f"{file}: dates like 05/03/2026 may name the month or the day first; write them 2026-03-05")
    return bool(second > 12)
