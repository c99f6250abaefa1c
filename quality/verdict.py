"""What the gate found: the decision on a batch, its account, and one result a rule."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Literal

from schemas.batch import Account, Record
from schemas.contract import ErrorClass, Severity

Decision = Literal["accepted", "refused"]


class RefusalCode(StrEnum):
    """Why a whole batch is refused. `rows` is the sender's file code of the same name (DOMAIN §3)."""

    ROWS = "rows"
    CONTROL_ROWS = "control_rows"
    CONTROL_AMOUNT = "control_amount"
    TOO_FEW_ROWS = "too_few_rows"
    CRITICAL_RULE = "critical_rule"
    MASS_FAILURE = "mass_failure"


class RuleResult(Record):
    """`failed_sql` rows break the rule by its predicate, `failed_gx` by its expectation; the gate demands they be equal."""

    rule_id: str
    severity: Severity
    error_class: ErrorClass
    failed_sql: int
    failed_gx: int


class Verdict(Record):
    """`verdict_file` names the rows that are not accepted (`_row_no`, `outcome`, `reason`, `rule_id`, `detail`); where the
    batch is refused it is what would have been found row by row, to tell the sender, and every row counts as refused."""

    decision: Decision
    code: RefusalCode | None
    reason: str | None
    account: Account
    rules: tuple[RuleResult, ...]
    warnings: tuple[str, ...]
    verdict_file: Path
    validation_json: Path
    docs_page: Path
