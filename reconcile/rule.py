"""What a reconciliation rule declares: one SELECT over the candidate extract, and the words and bounds around it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from schemas.contract import Label


class Severity(StrEnum):
    """`critical` breaks above their bound stop the publication; the others are published beside the data they judge."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"


@dataclass(frozen=True)
class Ref:
    """Rows of one entity that a break speaks of: `key` names the column of `found` with their source key (text, or a list)."""

    entity: str
    system: str
    key: str
    many: bool = False


@dataclass(frozen=True)
class Summed:
    """Rows that a side of the break adds up: those of `entity` whose `column` is the subject's. They may be thousands, so they
    are not kept with the break, but looked up by whoever explains it."""

    entity: str
    column: str


@dataclass(frozen=True)
class Base:
    """What a rule judges: of `rows` (a FROM clause with one column `province`) those for which `where` holds. `subjects` counts
    them. Bases of the same rows are counted in one pass over them. Of an entity alone (`rows` is `core.product`) its parts are
    counted each, and the counts kept: `where` asks for columns of a row, by their names alone, and for nothing else."""

    rows: str
    where: str = "true"
    subjects: str = "count(*)"


@dataclass(frozen=True)
class Rule:
    """One comparison of two systems.

    `found` selects, a row a subject that does not agree: `province`, the columns of `subject` (text; `month` `YYYYMM` where
    the grain is a month), `left_value`, `right_value` (text), `money_fen` (BIGINT, at stake, ≥ 0), the columns of `details`,
    of `refs`, of `cause` and `customer`, and `touched_at` where there is a grace period. `base`: what was judged, by province.
    `needs` are the entities both sides come from: a province without any row of one of them is not judged.

    `undetermined`: an SQL expression over the columns of `found`: the disagreement may come from rows in quarantine
    (`is_withheld(feed, province, key)`), so it is neither a break nor proof that one is gone.

    `cause`: an SQL expression over the columns of `found`, the text that breaks of one cause share (`account:gd|A123`); breaks
    of different rules that look at the same money share it too. `customer`: the column of `found` that tells whose break it
    is (`product_id_crm`, `account_no`, `customer_key`: keys of one province).

    `by_product`: where a finding looks at the rows of one product and those that they name (an account, a customer, an
    agreement), and at nothing else but the months judged, the column of `found` that names the product. A night asks such a
    rule about touched products alone (`reconcile.near`). The day may come in by `grace_days` only. None where it looks further.

    `missing` is the row whose absence is the break, its key a part of the subject. Once it is there the break is mended, whatever
    came of the rows that named it; else a row in quarantine that names the whole subject holds the break open.

    `tolerance` is the share of the base within which the rule passes; every case is listed all the same; from `warns_above`
    (share of the base) on, it passes with a warning. Above `stops_above` (share of the base; critical rules only) nothing is
    published, unless no more than `stops_floor` cases do it: a handful in a small base is work for a person, no reason to
    withhold a night. `grace_days`: for so long after `touched_at` (timestamptz) a disagreement may be work in progress,
    and is undetermined. `deadline_days`: explained by T+n 16:00.
    """

    rule_id: str
    family: str
    title: Label
    meaning: Label
    grain: Label
    subject: tuple[str, ...]
    match_keys: str
    left: Label
    right: Label
    found: str
    base: Base
    needs: tuple[str, ...]
    severity: Severity
    owner_role: str
    source: str
    cause: str
    customer: str | None = None
    refs: tuple[Ref, ...] = ()
    summed: Summed | None = None
    missing: Ref | None = None
    details: tuple[str, ...] = ()
    by_product: str | None = None
    undetermined: str = "false"
    tolerance: Decimal = Decimal(0)
    warns_above: Decimal | None = None
    stops_above: Decimal | None = None
    stops_floor: int = 20
    grace_days: int = 0
    deadline_days: int = 1

    def __post_init__(self) -> None:
        if (self.severity is Severity.CRITICAL) != (self.stops_above is not None):
            raise ValueError(f"{self.rule_id}: a critical rule, and no other, says above which share it stops the publication")
        if self.warns_above is not None and not Decimal(0) <= self.warns_above < self.tolerance:
            raise ValueError(f"{self.rule_id}: the warning band lies below the tolerance")

    @property
    def by_month(self) -> bool:
        return "month" in self.subject
