"""Survivorship as it is declared (`identity/model/survivorship.toml`), and which values a steward may give instead."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from adapters.feeds import PROVINCES
from hub.errors import FixContract, NotAllowed, NotFound
from identity import normalise
from schemas.codes import CODE_TABLES
from schemas.entities import ENTITIES
from store.tables import GOLDEN_ATTRIBUTES

DEFAULT = Path(__file__).parent / "model" / "survivorship.toml"
System = Literal["crm", "group", "billing", "orders"]


class Criterion(StrEnum):
    VALIDITY = "validity"
    TRUST = "trust"
    RECENCY = "recency"
    COMPLETENESS = "completeness"


class Survivorship(BaseModel):
    """Of one attribute: the systems that may give it, most trusted first, and the criteria in their order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    systems: tuple[System, ...] = Field(min_length=1)
    decide: tuple[Criterion, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.systems)) != len(self.systems) or len(set(self.decide)) != len(self.decide):
            raise ValueError("a system or a criterion is named twice")
        return self


def load_survivorship(path: Path = DEFAULT) -> Mapping[str, Survivorship]:
    """Attribute → how it is chosen, for every golden attribute. Raises FixContract where the file declares anything else."""
    try:
        declared = {name: Survivorship.model_validate(said) for name, said in tomllib.loads(path.read_text("utf-8")).items()}
    except (ValidationError, tomllib.TOMLDecodeError) as error:
        raise FixContract(f"{path.name}: {error}") from error
    if set(declared) != set(GOLDEN_ATTRIBUTES):
        odd = sorted(set(declared) ^ set(GOLDEN_ATTRIBUTES))
        raise FixContract(f"{path.name} must declare every golden attribute and no other; it differs in {', '.join(odd)}")
    return {name: declared[name] for name in GOLDEN_ATTRIBUTES}


@cache
def survivorship() -> Mapping[str, Survivorship]:
    """The declaration in force."""
    return load_survivorship()


def accepted_value(attribute: str, value: str) -> str:
    """The value as the golden record will hold it. Raises NotFound for an unknown attribute, which lists the known ones, and
    NotAllowed where the attribute cannot have it; the message never repeats a personal value."""
    if attribute not in GOLDEN_ATTRIBUTES:
        raise NotFound(f"no attribute {attribute!r}; known: {', '.join(GOLDEN_ATTRIBUTES)}", attribute=attribute)
    stripped = value.strip()
    if not stripped:
        raise NotAllowed(f"{attribute} cannot be set to nothing", attribute=attribute)
    if attribute in _CODES:
        return _valid_code(attribute, stripped)
    allowed = _allowed(attribute)
    if allowed and stripped not in allowed:
        raise NotAllowed(f"{attribute} cannot be {stripped!r}; allowed: {', '.join(allowed)}", attribute=attribute)
    return stripped


_CODES = {"uscc": normalise.uscc, "org_code": normalise.org_code}


def _valid_code(attribute: str, value: str) -> str:
    code = _CODES[attribute](value)
    if not code.reason.identifies:
        raise NotAllowed(f"{value!r} is no {attribute}: {code.reason.value}", attribute=attribute)
    return code.text


def _allowed(attribute: str) -> tuple[str, ...]:
    if attribute == "province":
        return PROVINCES
    codes = next((column.codes for column in ENTITIES["customer"].columns if column.name == attribute), None)
    return tuple(dict.fromkeys(code.value for code in CODE_TABLES[codes].values())) if codes else ()
