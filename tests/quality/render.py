"""A staged and judged batch as text a person can check line by line."""

from __future__ import annotations

from pathlib import Path

from adapters.staging import Staged
from adapters.staging.session import session
from quality import Verdict
from schemas.contract import Contract


def staged_text(contract: Contract, staged: Staged) -> str:
    """One paragraph a row: its place, its fields that are there, its errors."""
    names = [column.name for column in contract.columns]
    shown = ", ".join(f'"{name}"::VARCHAR' for name in names)
    files = [str(path) for path in staged.files]
    with session(1) as connection:
        rows = connection.execute(
            f"SELECT _row_no, _object, _offset, _length, _errors, {shown} FROM read_parquet($files) ORDER BY _row_no",
            {"files": files},
        ).fetchall()
    lines = []
    for number, place, offset, length, errors, *values in rows:
        where = f"object {place} record {offset}" if length is None else f"object {place} bytes {offset}+{length}"
        lines.append(f"row {number} ({where})" + (f" errors {', '.join(errors)}" if errors else ""))
        lines += [f"  {name} = {value}" for name, value in zip(names, values, strict=True) if value is not None]
    return "\n".join(lines)


def verdict_text(verdict: Verdict) -> str:
    """The decision, the account, every broken rule, every row that is not accepted."""
    account = {name: value for name, value in verdict.account.model_dump().items() if value}
    lines = [f"{verdict.decision}" + (f" {verdict.code}: {verdict.reason}" if verdict.code else "")]
    lines.append("account " + ", ".join(f"{name} {value}" for name, value in account.items()))
    lines += [f"rule {rule.rule_id} ({rule.severity}): {rule.failed_sql}" for rule in verdict.rules if rule.failed_sql]
    lines += [f"row {row[0]} {row[1]} {row[2]} {row[3]} | {row[4]}" for row in verdict_rows(verdict.verdict_file)]
    return "\n".join(lines)


def verdict_rows(path: Path) -> list[tuple[int, str, str, str, str]]:
    with session(1) as connection:
        return connection.execute(f"SELECT * FROM '{path}' ORDER BY _row_no").fetchall()
