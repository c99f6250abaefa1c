"""Which rows break which rule: one pass of predicates and one of keys, in a DuckDB file so that memory stays flat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from quality.render_gx import records_view, shared_keys
from quality.render_sql import BROKEN_RECORD, broken_rules
from quality.rules import Check, UniqueKey
from schemas.contract import Contract, ErrorClass, Severity

MEMORY_LIMIT = "600MB"
SAME_KEY = "other rows of this batch have the same key"
DUPLICATE_ROW = "duplicate_row"  # the rule named where a row repeats an earlier one; no fault of either


@dataclass(frozen=True)
class Pattern:
    """Rows that break the same rules for the same staging errors: `broken` has bit i set for rule i."""

    number: int
    broken: int
    errors: tuple[str, ...]
    rows: int
    fen: int


@dataclass(frozen=True)
class Tally:
    rows: int = 0
    fen: int = 0


@dataclass(frozen=True)
class RowFindings:
    """All that is known of a batch's rows. Money is fen; `unreadable` counts rows whose amount is there and cannot be read."""

    checks: Sequence[Check]
    total: Tally
    unreadable: int
    patterns: Sequence[Pattern]
    duplicates: Tally
    sharing_key: Tally

    @cached_property
    def quarantined(self) -> Tally:
        refused = [pattern for pattern in self.patterns if pattern.broken & row_bits(self.checks)]
        rows = sum(pattern.rows for pattern in refused) + self.sharing_key.rows
        return Tally(rows, sum(pattern.fen for pattern in refused) + self.sharing_key.fen)

    def failed(self, check: Check) -> int:
        if isinstance(check.test, UniqueKey):
            return self.sharing_key.rows
        bit = 1 << self.checks.index(check)
        return sum(pattern.rows for pattern in self.patterns if pattern.broken & bit)


def row_bits(checks: Sequence[Check]) -> int:
    """The rules that keep a row out; a warning only reports."""
    return sum(1 << bit for bit, check in enumerate(checks) if check.severity is not Severity.WARNING)


def find(
    connection: Any, contract: Contract, checks: Sequence[Check], period: str, *, files: Sequence[Path], out: Path
) -> RowFindings:
    """Leaves the relations `staged`, `broken`, `repeats` and what GX judges: `records`, `key_groups`."""
    _prepare(connection, files, out)
    money = "NULL::BIGINT" if contract.money is None else f'"{contract.money}"'
    connection.execute(f"""
        CREATE TABLE broken AS SELECT _row_no, fen, bits, array_to_string(_errors, ',') AS errors
        FROM (SELECT _row_no, _errors, {money} AS fen, {broken_rules(contract, checks, period)} AS bits FROM staged)
        WHERE bits <> 0""")
    unique = next(check.test for check in checks if isinstance(check.test, UniqueKey))
    _find_repeats(connection, contract, checks, unique, money)
    connection.execute(f"CREATE VIEW records AS {records_view(contract, checks)}")
    connection.execute(f"CREATE TABLE key_groups AS {shared_keys(unique)}")
    connection.execute("CHECKPOINT")
    total = connection.execute(f"SELECT count(*), sum({money}), count(*) FILTER ({_unreadable(contract)}) FROM staged").fetchone()
    return RowFindings(
        checks,
        Tally(total[0], int(total[1] or 0)),
        total[2],
        _patterns(connection),
        _tally(connection, "duplicate"),
        _tally(connection, "quarantined"),
    )


def _prepare(connection: Any, files: Sequence[Path], out: Path) -> None:
    listed = ", ".join(f"'{path}'" for path in files)
    connection.execute(f"SET GLOBAL memory_limit = '{MEMORY_LIMIT}'")
    connection.execute(f"SET GLOBAL temp_directory = '{out / 'spill'}'")
    connection.execute("SET GLOBAL TimeZone = 'Asia/Shanghai'")
    connection.execute(f"CREATE VIEW staged AS SELECT * FROM read_parquet([{listed}])")


def _find_repeats(connection: Any, contract: Contract, checks: Sequence[Check], unique: UniqueKey, money: str) -> None:
    """Rows equal to an earlier one, and rows that share a key. Only rows whose key's hash comes twice are compared."""
    key = _names(unique.columns)
    everything = _names([column.name for column in contract.columns])
    refused = f"SELECT _row_no FROM broken WHERE bits & {row_bits(checks)} <> 0"
    connection.execute(f"CREATE TABLE twice AS SELECT hash({key}) AS h FROM staged GROUP BY h HAVING count(*) > 1")
    connection.execute(f"""
        CREATE TABLE suspects AS
        SELECT _row_no, {money} AS fen, {key}, first_value(_row_no) OVER same AS first_row
        FROM (SELECT * FROM staged WHERE hash({key}) IN (FROM twice) AND _row_no NOT IN ({refused}))
        WINDOW same AS (PARTITION BY {everything} ORDER BY _row_no)""")
    connection.execute(f"""
        CREATE TABLE repeats AS
        SELECT _row_no, fen, 'duplicate' AS outcome, first_row FROM suspects WHERE first_row <> _row_no
        UNION ALL
        SELECT _row_no, fen, 'quarantined', NULL
        FROM (SELECT *, count(*) OVER (PARTITION BY {key}) AS sharing FROM suspects WHERE first_row = _row_no)
        WHERE sharing > 1""")
    # What GX groups by the keys themselves: a row whose key's hash comes once shares its key with none.
    connection.execute(f"""
        CREATE VIEW candidates AS SELECT {key} FROM (SELECT * FROM staged WHERE hash({key}) IN (FROM twice))
        ANTI JOIN ({refused} UNION ALL SELECT _row_no FROM repeats WHERE outcome = 'duplicate') USING (_row_no)""")


def _unreadable(contract: Contract) -> str:
    if contract.money is None:
        return "WHERE false"
    entry = f"{contract.position(contract.money):02d}{ErrorClass.TYPE}:type"
    return f"WHERE ({BROKEN_RECORD}) OR list_contains(_errors, '{entry}')"


def _patterns(connection: Any) -> list[Pattern]:
    """The distinct patterns, numbered; kept as relation `patterns` for the verdict to join."""
    connection.execute("""
        CREATE TABLE patterns AS
        SELECT row_number() OVER (ORDER BY bits, errors) AS number, *
        FROM (SELECT bits, errors, count(*) AS rows, coalesce(sum(fen), 0) AS fen FROM broken GROUP BY bits, errors)""")
    rows = connection.execute("SELECT number, bits, errors, rows, fen FROM patterns ORDER BY number").fetchall()
    return [Pattern(n, bits, tuple(errors.split(",")) if errors else (), count, int(fen)) for n, bits, errors, count, fen in rows]


def _tally(connection: Any, outcome: str) -> Tally:
    row = connection.execute("SELECT count(*), coalesce(sum(fen), 0) FROM repeats WHERE outcome = ?", [outcome]).fetchone()
    return Tally(row[0], int(row[1]))


def _names(columns: Sequence[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


def write_verdict(connection: Any, contract: Contract, found: RowFindings, path: Path) -> None:
    """`_row_no`, `outcome`, `reason`, `rule_id`, `detail` of every row that is not accepted, in row order."""
    bits = row_bits(found.checks)
    texts = [_words(contract, found.checks, pattern) for pattern in found.patterns if pattern.broken & bits]
    named = {"number": pa.int64(), "reason": pa.string(), "rule_id": pa.string(), "detail": pa.string()}
    connection.register("words", pa.Table.from_pylist(texts, pa.schema(named)))
    unique = found.checks[-1]
    duplicate = contract.record_error(None, ErrorClass.BUSINESS)
    connection.execute(f"""
        COPY (
            SELECT _row_no, 'quarantined' AS outcome, reason, rule_id, detail
            FROM broken JOIN patterns ON broken.bits = patterns.bits AND broken.errors IS NOT DISTINCT FROM patterns.errors
            JOIN words USING (number)
            UNION ALL
            SELECT _row_no, outcome,
                CASE outcome WHEN 'quarantined' THEN '{unique.record_error(contract)}' ELSE '{duplicate}' END,
                CASE outcome WHEN 'quarantined' THEN '{unique.rule_id}' ELSE '{DUPLICATE_ROW}' END,
                CASE outcome WHEN 'quarantined' THEN '{SAME_KEY}' ELSE 'equal to row ' || first_row END
            FROM repeats
            ORDER BY _row_no
        ) TO '{path}' (FORMAT parquet)""")
    connection.unregister("words")


def _words(contract: Contract, checks: Sequence[Check], pattern: Pattern) -> dict[str, object]:
    """The fault in words: columns, faults and rules, never a value."""
    broken = [check for bit, check in enumerate(checks) if pattern.broken >> bit & 1]
    first = next(check for check in broken if check.severity is not Severity.WARNING)
    faults = [_fault(contract, entry) for entry in pattern.errors]
    rules = [
        f"{check.column}: breaks {check.rule_id}" for check in broken if check.rule_id in {rule.name for rule in contract.rules}
    ]
    return {
        "number": pattern.number,
        "reason": first.record_error(contract),
        "rule_id": first.rule_id,
        "detail": "; ".join([*faults, *rules]) or f"breaks {first.rule_id}",
    }


def _fault(contract: Contract, entry: str) -> str:
    """`104:type` → `amount_fen: type`."""
    place, fault = entry.split(":")
    number = int(place[:2])
    return f"{contract.columns[number - 1].name if number else 'record'}: {fault}"
