"""Everything of identity that a person may turn: which rules hold, the weights of the model, the thresholds. One file holds
them all (`identity/model/settings.json`), so that a change is one reviewed line; `load_settings` reads it or another.

Weights are in bits: log2 of how much likelier it is to see that agreement between two records of one firm than between two
records of two firms (Fellegi and Sunter 1969, as Splink uses it).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hub.errors import FixContract, NotFound

DEFAULT = Path(__file__).parent / "model" / "settings.json"
# What a pair is compared by, and the levels of each from the strongest agreement down; `identity.comparing` holds their meaning.
LEVELS: Mapping[str, tuple[str, ...]] = {
    "name": (
        "same", "region_wider", "region_unsaid", "form_differs", "slip_in_place", "typing_slip", "short_in_place",
        "shortened", "trade_slip", "region_differs", "trade_only", "different",
    ),
    "code": ("uscc", "organisation", "slip", "rounded", "both_valid_differ", "organisation_differs", "differ"),
    "licence": ("same", "differ"),
    "phone": ("same", "differ"),
    "address": ("same", "less_detail", "same_building", "differ"),
    "contact": ("same", "differ"),
}  # fmt: skip


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Level(_Frozen):
    """`m`: share of true pairs that agree at this level. `held`: the weight is set by review, training leaves it."""

    weight: float = Field(ge=-40, le=40)
    m: float = Field(gt=0, le=1)
    held: bool = False

    @property
    def u(self) -> float:
        """Share of strangers that agree at this level."""
        return self.m * math.pow(2.0, -self.weight)


class Rules(_Frozen):
    """What links before the model is asked; each may be switched off."""

    uscc: bool = True
    org_code: bool = True
    cross_references: bool = True
    model: bool = True
    steward: bool = True


class Thresholds(_Frozen):
    """Bits. A pair at `merge` or above is one customer; from `review` up a person is asked. A record that could belong to two
    firms goes to the better one only where that one is `margin` bits ahead."""

    merge: float
    review: float
    margin: float = Field(ge=0)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.review > self.merge:
            raise ValueError("review must not be above merge")
        return self


class Limits(_Frozen):
    """`strangers`: so many unrelated firms under one code within a source make it nobody's. `block`: a blocking key that more
    records share is too common to compare by. `alike`: so many records that say the same and nothing more are not merged."""

    strangers: int = Field(ge=2)
    block: int = Field(ge=2)
    alike: int = Field(ge=2)


class IdentitySettings(_Frozen):
    """`prior`: probability that two records picked at random are one firm. `model` names the version of weights and term
    frequencies (`identity/model/frequencies-VERSION.csv`)."""

    model: str
    prior: float = Field(gt=0, lt=1)
    thresholds: Thresholds
    limits: Limits
    rules: Rules = Rules()
    weights: Mapping[str, Mapping[str, Level]]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for comparison, levels in LEVELS.items():
            given = tuple(self.weights.get(comparison, {}))
            if sorted(given) != sorted(levels):
                raise ValueError(f"weights.{comparison} must hold {', '.join(levels)}; it holds {', '.join(given) or 'nothing'}")
        unknown = set(self.weights) - set(LEVELS)
        if unknown:
            raise ValueError(f"weights of unknown comparisons {sorted(unknown)}; known are {', '.join(LEVELS)}")
        return self

    @property
    def prior_weight(self) -> float:
        """Bits."""
        return math.log2(self.prior / (1 - self.prior))


def load_settings(path: Path | None = None) -> IdentitySettings:
    """The settings of a file; by default those that are in force. Raises NotFound, or FixContract where it is not such a file."""
    file = path or DEFAULT
    try:
        return IdentitySettings.model_validate(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise NotFound(f"no settings file {file}; copy {DEFAULT} and change what you want to try") from None
    except (ValidationError, ValueError) as error:
        raise FixContract(f"{file} is not a settings file of identity: {error}") from error
