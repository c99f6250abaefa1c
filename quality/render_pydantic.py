"""The rules as a pydantic model of one record as sent: explains a refused row to a person, validates payloads at the edge.

It reads the sender's text itself, apart from the staging's SQL, so each can be held against the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache, partial
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model, model_validator
from pydantic_core import PydanticCustomError

from hub.periods import SHANGHAI
from quality.rules import Check, InCodes, Present, Typed, UniqueKey, Whole, checks_of, day_of
from schemas.codes import CODE_TABLES
from schemas.contract import Between, Column, Contract, DateBetween, Equals, Matches, Ordered, Product, RequiredWhen, Type

Value = str | int | bool | date | datetime | None
BIGINT = range(-(2**63), 2**63)
FAULTS = {
    "missing": "required and missing 必填缺失",
    "type": "cannot be read as its type 格式错误",
    "code": "unknown code 代码不在码表",
}


class SentRecord(BaseModel):
    """Base of the models: fields are the sender's names, values text as sent."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def explain_row(contract: Contract, values: Mapping[str, str | None], period: str) -> list[str]:
    """What is wrong with a record, in words, one a fault; no value is repeated. `values` by the sender's names."""
    return [_sentence(contract, rule_id, fault) for rule_id, fault in broken_rules(contract, values, period)]


def broken_rules(contract: Contract, values: Mapping[str, str | None], period: str) -> list[tuple[str, str]]:
    """(rule id, fault) of every rule the record breaks; `rule` is the fault of the contract's own rules."""
    try:
        row_model(contract, period).model_validate(values)
    except ValidationError as error:
        found = [(str(one["ctx"]["rule_id"]), one["type"]) for one in error.errors() if "rule_id" in one.get("ctx", {})]
        rules = [name for one in error.errors() for name in one.get("ctx", {}).get("rules", [])]
        if not rules:  # pydantic judges the whole only where every part is sound; the sound parts are judged here
            rules = _broken_declared(contract, period, _readable(contract, values))
        return [*found, *((name, "rule") for name in rules)]
    return []


def _sentence(contract: Contract, rule_id: str, fault: str) -> str:
    check = next(check for check in checks_of(contract) if check.rule_id == rule_id)
    label = contract.column(str(check.column)).label
    return f"{check.column} ({label.en} {label.zh}): {FAULTS.get(fault, f'breaks rule {rule_id} 违反规则')}"


@cache
def row_model(contract: Contract, period: str) -> type[SentRecord]:
    """The model of one record of the feed in that period."""
    fields: dict[str, Any] = {
        column.name: (
            Annotated[Any, BeforeValidator(partial(_field, column))],
            Field(None, alias=column.source, validate_default=True),
        )
        for column in contract.columns
    }

    def judge(row: SentRecord) -> SentRecord:
        broken = _broken_declared(contract, period, {column.name: getattr(row, column.name) for column in contract.columns})
        if broken:
            raise PydanticCustomError("rule", "breaks {rules}", {"rules": broken})
        return row

    validators: dict[str, Any] = {"judge": model_validator(mode="after")(judge)}
    return create_model(contract.feed_id.replace(".", "_"), __base__=SentRecord, __validators__=validators, **fields)


def _field(column: Column, sent: str | None) -> Value:
    value, fault = read(column, sent)
    if fault is None and value is None and column.required:
        fault = "missing"
    if fault is None:
        return value
    rule = f"{column.name}_codes" if fault == "code" else f"{column.name}_required" if column.required else f"{column.name}_typed"
    raise PydanticCustomError(fault, "{rule_id}", {"rule_id": rule})


def _readable(contract: Contract, values: Mapping[str, str | None]) -> dict[str, Value]:
    return {column.name: read(column, values.get(column.source))[0] for column in contract.columns}


def _broken_declared(contract: Contract, period: str, row: Mapping[str, Value]) -> list[str]:
    return [check.rule_id for check in checks_of(contract) if _breaks(check, period, row)]


def _breaks(check: Check, period: str, row: Mapping[str, Any]) -> bool:  # noqa: PLR0911 (one arm a rule)
    match check.test:
        case Whole() | Present() | Typed() | InCodes() | UniqueKey():
            return False
        case Between(column=column, low=low, high=high):
            return _outside(row[column], low, high)
        case DateBetween(column=column, low=low, high=high):
            return _outside(row[column], day_of(low, period), day_of(high, period))
        case Matches(column=column, pattern=pattern):
            return row[column] is not None and re.fullmatch(pattern, row[column], re.ASCII) is None
        case Ordered(lower=lower, upper=upper):
            return None not in (row[lower], row[upper]) and bool(row[lower] > row[upper])
        case Equals(column=column):
            return row[column] not in (None, period)
        case RequiredWhen(column=column, when=when, values=values):
            return row[column] is None and row[when] in values
        case Product(result=result, left=left, right=right, tolerance=tolerance):
            known = (row[result], row[left], row[right])
            return None not in known and abs(known[0] - known[1] * known[2]) > tolerance


def _outside(value: Any, low: Any, high: Any) -> bool:
    return value is not None and ((low is not None and value < low) or (high is not None and value > high))


def read(column: Column, sent: str | None) -> tuple[Value, str | None]:
    """(value, fault) of a field as sent; nothing sent is (None, None)."""
    text = _clean(column, sent)
    if text is None:
        return None, None
    if column.type is Type.CODE:
        code = CODE_TABLES[str(column.codes)].get(text)
        return (code.value, None) if code else (None, "code")
    try:
        value = _READERS[column.type](text)
    except ValueError:
        return None, "type"
    return value, None


def _clean(column: Column, sent: str | None) -> str | None:
    text = (sent or "").strip(" 　")
    nothing = {"", "N/A"}
    if column.type is Type.DATE:
        nothing |= {"00010101", "0001-01-01"} | ({"29991231", "2999-12-31"} if column.open_ended else set())
    elif column.type is Type.TIMESTAMP:
        nothing |= {"00010101000000", "0001-01-01 00:00:00"}
    return None if text in nothing else text


def _matched(pattern: str, text: str) -> str:
    if re.fullmatch(pattern, text, re.ASCII) is None:
        raise ValueError(pattern)
    return text


def _whole(number: int) -> int:
    if number not in BIGINT:
        raise ValueError("does not fit 64 bits")
    return number


def _integer(text: str) -> int:
    return _whole(int(_matched(r"[+-]?[0-9]{1,19}", text)))


def _yuan(text: str) -> int:
    amount = _matched(r"[+-]?([0-9]{1,26}|[0-9]{1,3}(,[0-9]{3}){1,8})(\.[0-9]{1,2}0*)?", text)
    return _whole(int(Decimal(amount.replace(",", "")) * 100))


def _date(text: str) -> date:
    return datetime.strptime(_matched(r"[0-9]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}", text).replace("-", ""), "%Y%m%d").date()  # noqa: DTZ007


def _moment(text: str) -> datetime:
    if re.fullmatch(r"[0-9]{14}", text, re.ASCII):
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=SHANGHAI)
    form = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?"
    moment = datetime.fromisoformat(_matched(form, text))
    return moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)


def _boolean(text: str) -> bool:
    return {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}[_matched("true|t|1|false|f|0", text)]


_READERS: dict[Type, Callable[[str], Value]] = {
    Type.TEXT: str,
    Type.INTEGER: _integer,
    Type.FEN: _integer,
    Type.YUAN: _yuan,
    Type.DATE: _date,
    Type.TIMESTAMP: _moment,
    Type.BOOLEAN: _boolean,
}
