"""The contract of a feed: columns, keys, code tables, bounds, rules, labels. Facts only; nothing here reads a row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hub.periods import PeriodKind, ends_at
from schemas.codes import CODE_TABLES


class Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Type(StrEnum):
    """A staged and canonical type. Money is always fen (BIGINT); timestamps carry a zone, sources speak Shanghai."""

    TEXT = "text"
    INTEGER = "integer"
    FEN = "fen"  # the source sends integer fen
    YUAN = "yuan"  # the source sends yuan as decimal text; the hub keeps fen
    DATE = "date"
    TIMESTAMP = "timestamp"
    BOOLEAN = "boolean"
    CODE = "code"  # a code table's canonical value, text

    @property
    def is_money(self) -> bool:
        return self in (Type.FEN, Type.YUAN)


class Severity(StrEnum):
    """What a rule's violation does: refuse the batch, quarantine the row, or only be reported."""

    CRITICAL = "critical"
    ROW = "row"
    WARNING = "warning"


class ErrorClass(StrEnum):
    """The last digit of a record error (DOMAIN §3)."""

    PRIMARY_KEY = "1"
    FOREIGN_KEY = "2"
    CODE_SET = "3"
    TYPE = "4"
    RANGE = "5"
    BUSINESS = "6"


class Label(Fact):
    en: str
    zh: str


class Column(Fact):
    """One column. `name` is canonical (staged, core, portal); `source` is what the sender calls it.

    `width` is bytes of the source encoding, for fixed-width layouts. `personal` values reach no report, log or GX result,
    and views mask them.
    """

    name: str
    source: str
    type: Type
    label: Label
    width: int | None = None
    required: bool = False
    personal: bool = False
    codes: str | None = None
    open_ended: bool = False

    @model_validator(mode="after")
    def _codes_belong_to_code_columns(self) -> Self:
        if (self.type is Type.CODE) != (self.codes is not None):
            raise ValueError(f"{self.name}: a code column names its code table, and no other does")
        if self.codes is not None and self.codes not in CODE_TABLES:
            raise ValueError(f"{self.name}: no code table {self.codes!r}; known: {sorted(CODE_TABLES)}")
        return self


class Between(Fact):
    """The value, where present, lies within [low, high]; a bound of None is open. Integers and fen."""

    kind: Literal["between"] = "between"
    name: str
    column: str
    low: int | None = None
    high: int | None = None
    severity: Severity = Severity.ROW


class DateBetween(Fact):
    """The date, where present, lies within [low, high]; `period_start` / `period_end` stand for the batch's own period."""

    kind: Literal["date_between"] = "date_between"
    name: str
    column: str
    low: str | None = None
    high: str | None = None
    severity: Severity = Severity.ROW


class Matches(Fact):
    """The text, where present, matches the whole of this regular expression (RE2 and `re` agree on what is used here)."""

    kind: Literal["matches"] = "matches"
    name: str
    column: str
    pattern: str
    severity: Severity = Severity.ROW


class Ordered(Fact):
    """`lower` ≤ `upper` where both are present."""

    kind: Literal["ordered"] = "ordered"
    name: str
    lower: str
    upper: str
    severity: Severity = Severity.ROW


class Equals(Fact):
    """The column equals the batch's period text."""

    kind: Literal["equals_period"] = "equals_period"
    name: str
    column: str
    severity: Severity = Severity.ROW


class RequiredWhen(Fact):
    """`column` is present wherever `when` has one of `values` (canonical codes)."""

    kind: Literal["required_when"] = "required_when"
    name: str
    column: str
    when: str
    values: tuple[str, ...]
    severity: Severity = Severity.ROW


class Product(Fact):
    """`result` equals `left` × `right` where all are present, within `tolerance` (fen)."""

    kind: Literal["product"] = "product"
    name: str
    result: str
    left: str
    right: str
    tolerance: int = 0
    severity: Severity = Severity.WARNING


Rule = Between | DateBetween | Matches | Ordered | Equals | RequiredWhen | Product


class Bounds(Fact):
    """A broken minimum or share refuses the batch; a broken maximum warns (STYLE rule 4).

    `max_bad_share` is the share of rows quarantined above which the fault is the sender's, not the rows' (mass failure).
    """

    min_rows: int = 0
    max_rows: int | None = None
    max_bad_share: float = 0.05


class Mode(StrEnum):
    FULL = "full"
    INCREMENTAL = "incremental"
    EVENT = "event"


class Contract(Fact):
    """What one feed promises. `entity` is the core table it fills; `unit` is its five-digit unit number (DOMAIN §3).

    A key column is required. `version` orders two states of one row; without it, the period and the resend number do.
    `deleted_flag` names the boolean column by which the sender announces a removal.
    """

    system: str
    feed: str
    unit: str = Field(pattern=r"^[0-9]{5}$")
    entity: str
    period: PeriodKind
    mode: Mode
    label: Label
    owner: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    version: str | None = None
    deleted_flag: str | None = None
    money: str | None = None
    ignored: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    bounds: Bounds = Bounds()
    due_hour: int = 9
    due_day: int | None = None

    @property
    def feed_id(self) -> str:
        return f"{self.system}.{self.feed}"

    def due_at(self, period: str) -> datetime:
        """When the period must have come, Shanghai time: the morning after a day, the due day after a month (DOMAIN §3)."""
        after = ends_at(period)
        return after.replace(day=self.due_day or after.day, hour=self.due_hour)

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    def position(self, name: str) -> int:
        """The column's number in the record, from 1 (DOMAIN §3: unit(5) + column(2) + class(1))."""
        return next(i for i, column in enumerate(self.columns, 1) if column.name == name)

    def record_error(self, name: str | None, error: ErrorClass) -> str:
        """The eight-digit record error code; column 00 is the record as a whole."""
        return f"{self.unit}{self.position(name) if name else 0:02d}{error.value}"

    @property
    def personal(self) -> frozenset[str]:
        return frozenset(column.name for column in self.columns if column.personal)

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names):
            raise ValueError(f"{self.feed_id}: a column is named twice")
        single = [self.version, self.deleted_flag, self.money]
        used: Sequence[str] = [*self.key, *(name for name in single if name)]
        for rule in self.rules:
            used = [*used, *rule.model_dump(include={"column", "lower", "upper", "when", "result", "left", "right"}).values()]
        unknown = sorted(set(used) - set(names))
        if unknown:
            raise ValueError(f"{self.feed_id}: no columns {unknown}; known: {names}")
        if not all(self.column(name).required for name in self.key):
            raise ValueError(f"{self.feed_id}: a key column must be required")
        return self
