"""The gate: rules, referee, account, decision. Nothing of a batch reaches the store before it (ARCHITECTURE, "Gate")."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from adapters.staging import Staged
from hub.errors import InvariantBroken
from hub.money import yuan
from quality import referee
from quality.findings import RowFindings, find, write_verdict
from quality.render_gx import expectation, failed_rows
from quality.rules import Check, UniqueKey, checks_of
from quality.verdict import RefusalCode, RuleResult, Verdict
from schemas.batch import Account, Delivery, Kind
from schemas.contract import Contract, Severity

# Below this many quarantined rows their share says nothing: an increment of a quiet night may be five rows.
MASS_FAILURE_FLOOR = 20
CORRECTIONS = frozenset({Kind.CORRECTION_INSERT, Kind.CORRECTION_DELETE})


def judge(contract: Contract, period: str, staged: Staged, delivery: Delivery, out: Path) -> Verdict:
    """Judges one staged batch; writes `out/verdict.parquet`, `out/validation.json`, `out/index.html` anew.

    Raises InvariantBroken where predicates and Great Expectations disagree on how many rows break a rule.
    """
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    checks = checks_of(contract)
    with workspace(out) as (database, connection):
        found = find(connection, contract, checks, period, files=staged.files, out=out)
        if found.total.rows != staged.rows:
            raise InvariantBroken(
                f"{contract.feed_id}: {staged.rows} rows were staged, {found.total.rows} can be read", feed=contract.feed_id
            )
        rules = _referee(contract, period, found, database, out)
        write_verdict(connection, contract, found, out / "verdict.parquet")
    refusal = _refusal(contract, delivery, found)
    return Verdict(
        decision="refused" if refusal else "accepted",
        code=refusal[0] if refusal else None,
        reason=refusal[1] if refusal else None,
        account=_account(found, refused=refusal is not None),
        rules=rules,
        warnings=_warnings(contract, found),
        verdict_file=out / "verdict.parquet",
        validation_json=out / "validation.json",
        docs_page=out / "index.html",
    )


@contextmanager
def workspace(out: Path) -> Iterator[tuple[Path, Any]]:
    """A DuckDB file of this batch, opened as GX will open it: DuckDB allows one configuration a file and process."""
    database = out / "gate.duckdb"
    engine = sa.create_engine(referee.duckdb_url(database))
    raw = engine.raw_connection()
    try:
        yield database, raw.driver_connection
    finally:
        raw.close()
        engine.dispose()
        database.unlink(missing_ok=True)
        shutil.rmtree(out / "spill", ignore_errors=True)


def _referee(contract: Contract, period: str, found: RowFindings, database: Path, out: Path) -> tuple[RuleResult, ...]:
    asked: dict[str, list[Check]] = {"records": [], "key_groups": []}
    for check in found.checks:
        asked["key_groups" if isinstance(check.test, UniqueKey) else "records"].append(check)
    judged = [
        referee.Judged(relation, [expectation(contract, check, period, found.total.rows) for check in checks])
        for relation, checks in asked.items()
    ]
    findings = referee.judge(database, contract.feed_id, judged, {"feed": contract.feed_id, "period": period})
    referee.write_documents(findings, out / "validation.json", out / "index.html")
    ordered = [check for checks in asked.values() for check in checks]
    return agree(contract, found, ordered, findings.results)


def agree(
    contract: Contract, found: RowFindings, checks: Sequence[Check], results: Sequence[dict[str, Any]]
) -> tuple[RuleResult, ...]:
    """One result a rule. Raises InvariantBroken where the referee counted other rows than the predicate found."""
    rules = tuple(
        RuleResult(
            rule_id=check.rule_id,
            severity=check.severity,
            error_class=check.error_class,
            failed_sql=found.failed(check),
            failed_gx=failed_rows(check, result, found.total.rows),
        )
        for check, result in zip(checks, results, strict=True)
    )
    apart = [
        f"{rule.rule_id}: {rule.failed_sql} by SQL, {rule.failed_gx} by GX" for rule in rules if rule.failed_sql != rule.failed_gx
    ]
    if apart:
        raise InvariantBroken(f"{contract.feed_id}: predicate and referee disagree: {'; '.join(apart)}", feed=contract.feed_id)
    return rules


def _account(found: RowFindings, *, refused: bool) -> Account:
    total, quarantined, duplicate = found.total, found.quarantined, found.duplicates
    facts = {"received": total.rows, "received_fen": total.fen, "unreadable": found.unreadable}
    if refused:
        return Account(refused=total.rows, refused_fen=total.fen, **facts)
    return Account(
        accepted=total.rows - quarantined.rows - duplicate.rows,
        accepted_fen=total.fen - quarantined.fen - duplicate.fen,
        quarantined=quarantined.rows,
        quarantined_fen=quarantined.fen,
        duplicate=duplicate.rows,
        duplicate_fen=duplicate.fen,
        **facts,
    )


def _refusal(  # noqa: PLR0911 (one arm a reason)
    contract: Contract, delivery: Delivery, found: RowFindings
) -> tuple[RefusalCode, str] | None:
    """The first reason to refuse the batch as a whole, in the order in which a sender would mend them."""
    rows, control = found.total.rows, delivery.control
    if delivery.declared_rows not in (None, rows):
        return RefusalCode.ROWS, f"{rows} rows came, the sender declared {delivery.declared_rows}"
    if control is not None and control.rows != rows:
        return RefusalCode.CONTROL_ROWS, f"{rows} rows came, the control totals say {control.rows}"
    if control is not None and not found.unreadable and control.amount_fen not in (None, found.total.fen):
        return (
            RefusalCode.CONTROL_AMOUNT,
            f"the rows sum to {yuan(found.total.fen)}, the control totals say {yuan(control.amount_fen)}",
        )
    if delivery.kind not in CORRECTIONS and rows < contract.bounds.min_rows:
        return RefusalCode.TOO_FEW_ROWS, f"{rows} rows came, at least {contract.bounds.min_rows} are due"
    for check in found.checks:
        if check.severity is Severity.CRITICAL and found.failed(check):
            return RefusalCode.CRITICAL_RULE, f"{found.failed(check)} rows break {check.rule_id}"
    bad = found.quarantined.rows
    if bad >= MASS_FAILURE_FLOOR and bad > contract.bounds.max_bad_share * rows:
        return RefusalCode.MASS_FAILURE, f"{bad} of {rows} rows are bad, more than {contract.bounds.max_bad_share:.1%}"
    return None


def _warnings(contract: Contract, found: RowFindings) -> tuple[str, ...]:
    broken = [
        f"{check.rule_id}: {found.failed(check)} rows"
        for check in found.checks
        if check.severity is Severity.WARNING and found.failed(check)
    ]
    most = contract.bounds.max_rows
    if most is not None and found.total.rows > most:
        broken.append(f"{found.total.rows} rows came, at most {most} were expected")
    return tuple(broken)
