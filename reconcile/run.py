"""One reconciliation run over one candidate publication."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import duckdb
from sqlalchemy import Connection, Engine, text

from hub.money import yuan
from identity.extract import RECONCILE_COLUMNS, Extract, open_extract
from identity.versions import alone, write_changes
from reconcile import ledger, shared
from reconcile.judge import judge
from reconcile.near import Near
from reconcile.rule import Rule
from reconcile.rules import RULES
from store import outbox, sequence

RUN_COLUMNS = ("cycle", "subjects", "breaks", "money_fen", "tolerance", "passed", "warned", "waived", "undetermined")


@dataclass(frozen=True)
class RuleOutcome:
    """What one rule saw: `breaks` of `subjects` judged, the money at stake; beside them, what quarantine leaves undetermined
    and what a waiver covers. `warned`: within the tolerance, and within its warning band."""

    rule_id: str
    subjects: int
    breaks: int
    money_fen: int
    undetermined: int
    waived: int
    tolerance: str
    passed: bool
    warned: bool
    stops: bool


@dataclass(frozen=True)
class ReconcileSummary:
    """What a run did. `seq` is the sequence at which its result is visible, `extract` the digest of what it read.

    `blocks_publication`: a critical rule broke its bound; `reasons` say which, in both languages.
    """

    seq: int
    extract: str
    outcomes: tuple[RuleOutcome, ...]
    opened: int
    closed: int
    reopened: int
    blocks_publication: bool
    reasons: tuple[str, ...] = field(default=())

    @property
    def breaks(self) -> int:
        return sum(outcome.breaks for outcome in self.outcomes)


def reconcile(
    engine: Engine,
    seq: int,
    cycle: str,
    batches: Sequence[int],
    periods: Sequence[str] | None = None,
    *,
    rules: Sequence[Rule] = RULES,
    extract: Extract | None = None,
) -> ReconcileSummary:
    """Runs the rules over the rows visible at `seq` and writes breaks and rule runs in one transaction; twice changes nothing.

    `cycle`: the night `YYYYMMDD`. `batches`: the fact batches the candidate names. `periods`: months to judge (`YYYYMM`), by
    default every month of those batches. `extract`: one already open, of at least `RECONCILE_COLUMNS` and those batches.
    Raises RetryLater where the store cannot be read or written.
    """
    if extract is None:
        with open_extract(engine, seq, RECONCILE_COLUMNS, batches) as own:
            return reconcile(engine, seq, cycle, batches, periods, rules=rules, extract=own)
    connection = extract.connection
    near = Near(extract, rules, batches, periods)
    shared.prepare(extract, batches, periods, near.ask)
    judge(extract, rules, cycle, near)
    with alone(engine, "reconcile") as store:
        ledger.meet(connection, cycle)
        outcomes = tuple(_outcome(connection, rule) for rule in rules)
        changes = ledger.age(connection, cycle, rules)
        runs = [outcome for outcome in outcomes if not _known_run(store, cycle, outcome)]
        written_at = sequence.current(store)
        if changes or runs:
            written_at = sequence.advance(store)
            write_changes(store, connection, ledger.BREAKS, written_at)
            outbox.withdraw_of_open(store)
            for outcome in runs:
                _record_run(store, cycle, written_at, outcome)
    near.remember()
    opened, closed, reopened = _lives(connection)
    reasons = tuple(_reason(rule, outcome) for rule, outcome in zip(rules, outcomes, strict=True) if outcome.stops)
    return ReconcileSummary(written_at, extract.digest(), outcomes, opened, closed, reopened, bool(reasons), reasons)


def _outcome(connection: duckdb.DuckDBPyConnection, rule: Rule) -> RuleOutcome:
    counts = "not undetermined and waiver_id is null"
    row = connection.execute(
        f"select count(*) filter ({counts}), coalesce(sum(money_fen) filter ({counts}), 0)::bigint, "
        "count(*) filter (undetermined), count(*) filter (not undetermined and waiver_id is not null), "
        f"count(*) filter ({counts} and accepted), "
        "(select coalesce(sum(subjects), 0)::bigint from judged where rule_id = ?) from seen where rule_id = ?",
        [rule.rule_id, rule.rule_id],
    ).fetchone()
    breaks, money_fen, undetermined, waived, accepted, subjects = (int(value) for value in row or ())
    allowed = int(rule.tolerance * subjects)
    tolerance = f"≤ {rule.tolerance * 100:f}%" if rule.tolerance else "0"
    # What a person has accepted withholds no night: else nobody could let one go.
    bound = None if rule.stops_above is None else max(rule.stops_above * subjects, Decimal(rule.stops_floor))
    stops = bound is not None and breaks - accepted > bound
    passed = breaks <= allowed
    warned = passed and rule.warns_above is not None and breaks > rule.warns_above * subjects
    return RuleOutcome(rule.rule_id, subjects, breaks, money_fen, undetermined, waived, tolerance, passed, warned, stops)


def _reason(rule: Rule, outcome: RuleOutcome) -> str:
    bound = f"{(rule.stops_above or Decimal(0)) * 100:f}%"
    of = f"{outcome.breaks:,} / {outcome.subjects:,}, {yuan(outcome.money_fen)}"
    return f"{rule.title.en}: {of}; the bound is {bound} · {rule.title.zh}: {of}; 上限 {bound}"


def _lives(connection: duckdb.DuckDBPyConnection) -> tuple[int, int, int]:
    """Breaks that this run opened, closed and opened again."""
    row = connection.execute("""
        select count(*) filter (known.break_id is null), count(*) filter (now.state = 'closed'),
            count(*) filter (known.state = 'closed' and now.state = 'open')
        from breaks_opening now left join breaks_known known using (break_id)
    """).fetchone()
    opened, closed, reopened = (int(count) for count in row or ())
    return opened, closed, reopened


def _known_run(store: Connection, cycle: str, outcome: RuleOutcome) -> bool:
    """True where the rule's last recorded run was of this night and saw the same."""
    last = store.execute(
        text(f"select {', '.join(RUN_COLUMNS)} from recon.rule_run where rule_id = :rule order by seq desc limit 1"),
        {"rule": outcome.rule_id},
    ).one_or_none()
    return last is not None and last._asdict() == _run(cycle, outcome)


def _record_run(store: Connection, cycle: str, seq: int, outcome: RuleOutcome) -> None:
    values = {"seq": seq, "rule_id": outcome.rule_id, **_run(cycle, outcome)}
    store.execute(
        text(
            f"insert into recon.rule_run ({', '.join(values)}, ran_at) "
            f"values ({', '.join(f':{name}' for name in values)}, clock_timestamp())"
        ),
        values,
    )


def _run(cycle: str, outcome: RuleOutcome) -> dict[str, object]:
    return {name: cycle if name == "cycle" else getattr(outcome, name) for name in RUN_COLUMNS}
