"""The two extracts as text: CSV in UTF-8, UTF-16 or GB18030, workbooks, Parquet. Nothing is guessed about their columns."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from numbers import Number
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as arrow
import pyarrow.csv as arrow_csv
from python_calamine import CalamineError, CalamineWorkbook

from hub.errors import HubError, NotFound
from store.duck import literal

CSV = (".csv", ".txt", ".tsv", ".dat")
WORKBOOK = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
PARQUET = (".parquet", ".pq")
DELIMITERS = (",", "\t", "|", ";")
CHUNK = 1 << 20
LINES_NAMED = 5
ROW = "_row_no"
_MICRO, _EXACT_BELOW = Decimal("0.000001"), Decimal(10**15)


def read(connection: duckdb.DuckDBPyConnection, path: Path, table: str) -> list[str]:
    """Makes `table`: `_row_no` (1 the first row after the heading) and the file's columns as text; returns their names.

    Raises NotFound where there is no such file, HubError where it is none of the kinds known or cannot be read.
    """
    if not path.is_file():
        raise NotFound(f"no file {path}", path=str(path))
    suffix = path.suffix.lower()
    if suffix in PARQUET:
        return _parquet(connection, path, table)
    if suffix in CSV:
        rows = _csv(path)
    elif suffix in WORKBOOK:
        rows = _workbook(path)
    else:
        raise HubError(f"{path.name} is no extract that can be read; allowed: {', '.join((*CSV, *WORKBOOK, *PARQUET))}")
    names = list(rows.column_names)
    connection.register("arriving", rows)
    connection.execute(f"create or replace table {table} as select row_number() over () as {ROW}, {_quoted(names)} from arriving")
    connection.unregister("arriving")
    return names


def _csv(path: Path) -> Any:
    encoding = _encoding(path)
    with path.open(encoding=encoding, newline="") as file:
        heading = file.readline()
    if not heading.strip():
        raise HubError(f"{path.name} is empty: its first line must name the columns")
    if heading.count('"') % 2:
        raise HubError(f"{path.name} names a column over more than one line; the heading must be the first line")
    delimiter = max(DELIMITERS, key=heading.count)
    names = _checked(path, next(csv.reader([heading], delimiter=delimiter)))
    wrong: list[str] = []

    def refuse(row: Any) -> str:
        wrong.append(f"line {row.number or '?'} has {row.actual_columns}")
        return "skip"

    try:
        rows = arrow_csv.read_csv(
            path,
            arrow_csv.ReadOptions(use_threads=False, encoding=encoding, column_names=names, skip_rows=1),
            arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=refuse),
            arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV" not in str(error):
            raise HubError(f"{path.name} cannot be read as CSV: {str(error).splitlines()[0][:200]}") from None
        return pa.table({name: pa.array([], pa.string()) for name in names})
    if wrong:
        said = "; ".join(wrong[:LINES_NAMED])
        raise HubError(f"{path.name} names {len(names)} columns, and {len(wrong)} of its lines hold another number: {said}")
    if any(arrow.any(arrow.match_substring_regex(column, "[\r\n]")).as_py() for column in rows.columns):
        _check_quotes(path, encoding, delimiter)
    return rows


def _check_quotes(path: Path, encoding: str, delimiter: str) -> None:
    """A quote that nobody closed takes the rows below it into its cell, and Arrow says nothing: only Python's reader does."""
    line = 0
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            for _ in reader:
                line = reader.line_num
        except csv.Error:
            raise HubError(
                f"{path.name}: in the row that begins on line {line + 1}, a quote is not closed where its cell ends"
            ) from None


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(4)
    marked = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "gb18030"):
        if _decodes(path, encoding):
            return encoding
    raise HubError(f"{path.name} is not {'UTF-16, as it begins' if marked else 'UTF-8 nor GB18030'}")


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _workbook(path: Path) -> Any:
    """The first sheet; a number is written as a person would, a date as `YYYY-MM-DD`."""
    try:
        sheet: Sequence[Sequence[object]] = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python(skip_empty_area=True)
    except (CalamineError, OSError) as error:
        raise HubError(f"{path.name} cannot be read as a workbook: {str(error)[:200]}") from None
    if not sheet:
        raise HubError(f"{path.name} is empty: the first row of its first sheet must name the columns")
    names = _checked(path, [_cell(value) for value in sheet[0]])
    columns: list[list[str]] = [[_cell(row[place]) for row in _filled(sheet[1:])] for place in range(len(names))]
    return pa.table({name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)})


def _filled(rows: Sequence[Sequence[object]]) -> Iterator[Sequence[object]]:
    return (row for row in rows if any(value != "" for value in row))


def _cell(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, bool) or not isinstance(value, Number):
        return "" if value is None else str(value)
    # A binary number: a workbook knows no other. Six decimals are more than any currency has, and none is told of a larger one.
    number = Decimal(str(value))
    return _plain(number.quantize(_MICRO) if abs(number) < _EXACT_BELOW else number)


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _parquet(connection: duckdb.DuckDBPyConnection, path: Path, table: str) -> list[str]:
    source = f"read_parquet({literal(path)}, file_row_number = true)"
    try:
        described = connection.execute(f"describe select * exclude (file_row_number) from {source}").fetchall()
        names = _checked(path, [str(column[0]) for column in described])
        kinds = zip(described, names, strict=True)
        cells = ", ".join(f"{_text_of(str(column[0]), str(column[1]))} as {_quoted([name])}" for column, name in kinds)
        connection.execute(
            f"create or replace table {table} as select file_row_number + 1 as _row_no, {cells} from {source} order by 1"
        )
    except duckdb.Error as error:
        raise HubError(f"{path.name} cannot be read as Parquet: {str(error).splitlines()[0][:200]}") from None
    return names


def _text_of(name: str, kind: str) -> str:
    column = _quoted([name])
    if kind in {"DOUBLE", "FLOAT"}:
        exact = f"(try_cast({column} as decimal(38, 6)))::varchar"
        return f"coalesce(regexp_replace({exact}, '\\.?0+$', ''), {column}::varchar, '')"
    return f"coalesce({column}::varchar, '')"


def _checked(path: Path, names: list[str]) -> list[str]:
    named = [name.strip() or f"column {place}" for place, name in enumerate(names, 1)]
    folded = [name.casefold() for name in named]
    twice = sorted({name for name in named if folded.count(name.casefold()) > 1})
    if twice or ROW in folded:
        said = ", ".join(repr(name) for name in twice or [ROW])
        raise HubError(f"{path.name} names a column more than once, or as the row's number: {said}")
    return named


def _quoted(names: list[str]) -> str:
    return ", ".join('"' + name.replace('"', '""') + '"' for name in names)
