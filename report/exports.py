"""Whole lists as CSV beside the page, by PostgreSQL's own `COPY`, so that a million breaks cost no memory here."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import psycopg
from psycopg import sql as composed
from sqlalchemy import Connection, text

from report import breaks, sql
from report.words import Said

BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # without it a spreadsheet takes UTF-8 for the machine's own encoding
TEXT_TYPES = frozenset({25, 1043})  # text, varchar
# A cell beginning so is a formula to a spreadsheet; CSV has no other way to say it is text (OWASP, "CSV Injection").
FORMULA = r"^[=+\-@\t\r]"

EVERYTHING: dict[str, object] = dict.fromkeys(
    ("feed", "province", "period", "state", "batch", "reason", "rule", "step", "cycle", "limit")
)

EXPORTS: tuple[tuple[str, str, Said], ...] = (
    ("batches.csv", sql.BATCHES, Said("Every batch with its sums", "全部批次及其平衡")),
    ("gates.csv", sql.ALL_GATE_RESULTS, Said("Every rule of every batch", "全部校验结果")),
    ("quarantine.csv", sql.QUARANTINE, Said("Every quarantined row, without its values", "全部隔离记录，不含内容")),
    ("breaks.csv", sql.BREAKS, Said("Every break of this publication", "本次发布的全部差异")),
    ("break_ledger.csv", f"{breaks.LEDGER} order by break_id", Said("Every break as it stands now", "差异台账现状")),
    ("causes.csv", breaks.CAUSES, Said("Breaks at stake by root cause", "按根因汇总的差异")),
    ("break_acts.csv", breaks.ACTS, Said("What people did with breaks", "差异处理记录")),
    ("signatures.csv", breaks.SIGNATURES, Said("Signed months", "账期签核")),
    ("missing.csv", sql.MISSING, Said("Every feed named at a cut-off", "全部未到接口")),
    ("attempts.csv", sql.ATTEMPTS, Said("Every attempt of every step", "全部执行记录")),
)


def write(connection: Connection, out: Path) -> list[tuple[str, Said, int]]:
    """Writes every list under `out`, in the connection's own snapshot; returns name, label and rows of each."""
    return [(name, label, _copy(connection, statement, out / name)) for name, statement, label in EXPORTS]


def _copy(connection: Connection, statement: str, path: Path) -> int:
    driver = cast("psycopg.Connection[tuple[object, ...]]", connection.connection.driver_connection)
    names = _columns(connection, statement)
    guarded = composed.SQL(", ").join(_guard(name, is_text) for name, is_text in names)
    inner = str(text(statement).bindparams(**_used(statement)).compile(connection, compile_kwargs={"literal_binds": True}))
    # `%` was doubled for a statement with parameters; this one has none.
    query = composed.SQL("copy (select {} from ({}) as listed) to stdout (format csv, header)").format(
        guarded, composed.SQL(inner.replace("%%", "%"))
    )
    with path.open("wb") as file, driver.cursor() as cursor:
        file.write(BYTE_ORDER_MARK)
        with cursor.copy(query) as copy:
            for block in copy:
                file.write(block)
        return cursor.rowcount


def _columns(connection: Connection, statement: str) -> list[tuple[str, bool]]:
    result = connection.execute(text(statement), _used(statement) | ({"limit": 0} if ":limit" in statement else {}))
    with result:
        description = result.cursor.description if result.cursor else ()
        return [(str(column[0]), column[1] in TEXT_TYPES) for column in description]


def _used(statement: str) -> dict[str, object]:
    return {name: value for name, value in EVERYTHING.items() if f":{name}" in statement}


def _guard(name: str, is_text: bool) -> composed.Composable:
    column = composed.Identifier(name)
    if not is_text:
        return column
    return composed.SQL("case when {0} ~ {1} then '''' || {0} else {0} end as {0}").format(column, composed.Literal(FORMULA))
