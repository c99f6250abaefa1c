"""What the page shows, derived from what the store said: sums that must balance, groups, shares, words. No SQL, no HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import cast

from hub.money import yuan
from report.words import Said, feed_label, record_error

Row = Mapping[str, object]
GATE_PARTS = ("accepted", "quarantined", "duplicate", "refused")
LOAD_PARTS = ("inserted", "updated", "unchanged", "stale", "deleted")
OPEN_STATES = frozenset({"open", "explained"})


@dataclass(frozen=True)
class Facts:
    """Everything the page is made of, read in one snapshot of the store. `findings` is None where `verify` was not run.

    The batches and what hangs on them are the newest; `*_total` say how many the store holds.
    """

    publication: Row | None
    feeds: Sequence[Row]
    batches: Sequence[Row]
    batches_total: int
    gate_results: Sequence[Row]
    quarantine: Sequence[Row]
    break_rules: Sequence[Row]
    breaks: Sequence[Row]
    breaks_total: int
    missing: Sequence[Row]
    totals: Sequence[Row]
    attempts: Sequence[Row]
    attempts_total: int
    findings: Sequence[str] | None = None


@dataclass(frozen=True)
class Equation:
    """`total = Σ parts` (invariant 1). `gap` is what is missing from the parts; 0 where it balances."""

    total: int
    parts: tuple[int, ...]

    @property
    def gap(self) -> int:
        return self.total - sum(self.parts)

    @property
    def balances(self) -> bool:
        return self.gap == 0


@dataclass(frozen=True)
class BatchSums:
    """One batch's four sums: gate and load, in rows and in fen. One refused before its rows were counted has none; one not
    loaded has no load sums."""

    batch: Row
    gate_rows: Equation | None
    gate_fen: Equation | None
    load_rows: Equation | None
    load_fen: Equation | None

    @property
    def balances(self) -> bool:
        return all(sum_.balances for sum_ in (self.gate_rows, self.gate_fen, self.load_rows, self.load_fen) if sum_)


@dataclass(frozen=True)
class Flow:
    """Where the received rows of one period went."""

    period: str
    equation: Equation


@dataclass(frozen=True)
class GateSheet:
    """One batch's rules; `docs` is the relative link to its Data Docs, None where GX left none."""

    batch: Row
    rules: Sequence[Row]
    docs: str | None

    @property
    def failed(self) -> int:
        return sum(1 for rule in self.rules if number(rule, "failed_sql") or number(rule, "failed_gx"))

    @property
    def disagreements(self) -> int:
        return sum(1 for rule in self.rules if rule["failed_gx"] is not None and rule["failed_sql"] != rule["failed_gx"])


@dataclass(frozen=True)
class Page:
    facts: Facts
    sums: Sequence[tuple[str, Sequence[BatchSums]]]
    flows: Sequence[Flow]
    gates: Sequence[GateSheet]
    exports: Sequence[tuple[str, Said, int]] = field(default_factory=tuple)

    @property
    def unbalanced(self) -> int:
        return sum(1 for _, sums in self.sums for sum_ in sums if not sum_.balances)

    @property
    def counted(self) -> int:
        """Batches whose rows were counted: one that was not has no sums that could balance."""
        return sum(1 for _, sums in self.sums for sum_ in sums if sum_.gate_rows)

    @property
    def wrongs(self) -> Sequence[tuple[str, Said]]:
        """What does not add up, each with the section that shows it."""
        disagreeing = sum(1 for gate in self.gates if gate.disagreements)
        findings = len(self.facts.findings or ())
        all_ = (
            ("batches", self.unbalanced, "Batches that do not balance", "不平衡的批次"),
            ("gates", disagreeing, "Batches whose two counts disagree", "两方计数不一的批次"),
            ("invariants", findings, "Findings of verify", "核验异常"),
        )
        return [(section, Said(f"{en}: {n}", f"{zh}：{n}")) for section, n, en, zh in all_ if n]

    @property
    def not_current(self) -> int:
        """Feeds that failed, did not come, were refused, or lag behind the published night."""
        return sum(1 for feed in self.facts.feeds if feed["state"] != "current")

    @property
    def verdict(self) -> str:
        """`bad` where anything seen or found is wrong; `unknown` where `verify` was not run; `partial` where not every feed is
        current; else `good`. Whether the systems agree with each other is not in it: that is what breaks say.
        """
        if self.wrongs:
            return "bad"
        if self.facts.findings is None:
            return "unknown"
        return "partial" if self.not_current else "good"


def number(row: Row, name: str) -> int:
    """An integer column, 0 where it is NULL. PostgreSQL sums BIGINTs as NUMERIC, hence the conversion."""
    value = row[name]
    return 0 if value is None else int(cast("int", value))


def total(rows: Iterable[Row], name: str) -> int:
    return sum(number(row, name) for row in rows)


def equation(row: Row, whole: str, parts: Sequence[str], unit: str = "") -> Equation:
    return Equation(number(row, whole + unit), tuple(number(row, part + unit) for part in parts))


def batch_sums(row: Row) -> BatchSums:
    counted, loaded = row["received"] is not None, row["inserted"] is not None
    return BatchSums(
        batch=row,
        gate_rows=equation(row, "received", GATE_PARTS) if counted else None,
        gate_fen=equation(row, "received", GATE_PARTS, "_fen") if counted else None,
        load_rows=equation(row, "accepted", LOAD_PARTS) if loaded else None,
        load_fen=equation(row, "accepted", LOAD_PARTS, "_fen") if loaded else None,
    )


def by_period(batches: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Newest period first; a month stands after the days that lie in it. Within a period in the order given."""

    def period(row: Row) -> str:
        return str(row["period"])

    newest = sorted(batches, key=period, reverse=True)
    return [(name, list(rows)) for name, rows in groupby(newest, key=period)]


def flow(period: str, batches: Sequence[Row]) -> Flow:
    """Of the deliveries that stand: a row that was sent again was received once."""
    batches = [row for row in batches if row["stands"]]
    return Flow(period, Equation(total(batches, "received"), tuple(total(batches, part) for part in GATE_PARTS)))


def compose(facts: Facts, docs: Mapping[int, str], exports: Sequence[tuple[str, Said, int]]) -> Page:
    """The page of these facts. `docs` maps a batch to the relative link of its Data Docs."""
    periods = by_period(facts.batches)
    rules: dict[object, list[Row]] = {}
    for rule in facts.gate_results:
        rules.setdefault(rule["batch_id"], []).append(rule)
    return Page(
        facts=facts,
        sums=[(period, [batch_sums(row) for row in rows]) for period, rows in periods],
        flows=[flow(period, rows) for period, rows in periods],
        gates=[
            GateSheet(row, rules.get(row["batch_id"], []), docs.get(number(row, "batch_id")))
            for _, batches in periods
            for row in batches
            if row["batch_id"] in rules
        ],
        exports=exports,
    )


def share(part: object, whole: object) -> str:
    """A bar's width. A part that is not nothing is at least visible."""
    portion, of = int(cast("int", part or 0)), int(cast("int", whole or 0))
    if portion <= 0 or of <= 0:
        return "0%"
    return f"{max(min(portion / of, 1.0) * 100, 0.6):.2f}%"


def money(fen: object) -> str:
    return yuan(None if fen is None else int(cast("int", fen)))


def feed_said(feed_id: object) -> Said:
    return feed_label(str(feed_id))


def error_said(code: object) -> Said:
    return record_error(None if code is None else str(code))
