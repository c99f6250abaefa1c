"""Holds the three renderings of a contract's rules against each other, row by row, on a small batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from adapters.staging import stage
from quality import referee
from quality.findings import find
from quality.gate import workspace
from quality.render_gx import expectation
from quality.render_pydantic import broken_rules
from quality.rules import UniqueKey, Whole, checks_of
from schemas.batch import Layout
from schemas.contract import Contract
from tests.landed import landed

Broken = dict[int, set[str]]
Sent = Mapping[str, str]

# With the row number as index GX names the rows; it is asked to only here.
NAMING_ROWS = {"result_format": "COMPLETE", "unexpected_index_column_names": ["_row_no"], "partial_unexpected_count": 10_000}


def broken_three_ways(contract: Contract, period: str, rows: Sequence[Sent], folder: Path) -> tuple[Broken, Broken, Broken]:
    """Row number → ids of the rules it breaks: by SQL, by Great Expectations, by pydantic. `rows` by the sender's names."""
    lines = "".join("|".join(row[column.source] for column in contract.columns) + "\r\n" for row in rows)
    staged = stage(contract, period, Layout.DELIMITED, landed(folder / "landed", lines.encode("gb18030")), folder / "rows")
    checks = [check for check in checks_of(contract) if not isinstance(check.test, Whole | UniqueKey)]
    everyone = range(1, len(rows) + 1)
    by_sql: Broken = {number: set() for number in everyone}
    by_gx: Broken = {number: set() for number in everyone}
    out = folder / "gate"
    out.mkdir()
    with workspace(out) as (database, connection), pytest.MonkeyPatch.context() as patch:
        every = checks_of(contract)
        find(connection, contract, every, period, files=staged.files, out=out)
        for number, bits in connection.execute("SELECT _row_no, bits FROM broken").fetchall():
            by_sql[number] = {check.rule_id for bit, check in enumerate(every) if bits >> bit & 1}
        patch.setattr(referee, "RESULT_FORMAT", NAMING_ROWS)
        asked = [expectation(contract, check, period, len(rows)) for check in checks]
        found = referee.judge(database, "agreement", [referee.Judged("records", asked)], {})
    for check, result in zip(checks, found.results, strict=True):
        for place in result.get("unexpected_index_list") or []:
            by_gx[int(place["_row_no"])].add(check.rule_id)
    by_pydantic = {number: {rule for rule, _ in broken_rules(contract, row, period)} for number, row in enumerate(rows, 1)}
    return by_sql, by_gx, by_pydantic
