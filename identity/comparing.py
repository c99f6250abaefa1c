"""What two records are compared by, as a Splink model: the levels of each comparison in SQL that DuckDB and Spark both read.

A level's weight comes from the settings. Weights of names shift with the trade name's frequency: 中国 on both sides says less
than 珅璡 does. `content` below is the table of `identity.contents`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from identity.settings import LEVELS, IdentitySettings

# The columns of a record that the model looks at; a pair's score is a function of these and of the model alone.
COMPARED = (
    "core", "head_core", "trade", "industry", "place", "form", "branch", "figures", "sketch", "is_group", "short_core",
    "uscc", "uscc_ok", "org", "licence", "phone", "city", "street", "detail", "contact",
)  # fmt: skip
# The frequency column holds multiples of this, so that every level shifts by the same bits, whatever its own weight.
_TYPICAL = 2.0**-30
MULTIPLE, FREQUENCY = "tf_trade", "trade"

_WITHIN = "(left(place_l, length(place_r)) = place_r or left(place_r, length(place_l)) = place_l)"
_ONE_FORM = "(form_l = form_r or form_l = '' or form_r = '')"
_ALIKE = f"{_WITHIN} and figures_l = figures_r and is_group_l = is_group_r and branch_l = branch_r"
_SHORTER = "least(length(core_l), length(core_r))"
_NEAR = (
    f"{_SHORTER} >= 4 and abs(length(core_l) - length(core_r)) <= 1 and levenshtein(sketch_l, sketch_r) "
    f"<= case when {_SHORTER} >= 9 then 3 when {_SHORTER} >= 6 then 2 else 1 end"
)
_ONE_START = "left(core_l, 2) = left(core_r, 2)"
# Two lines of business under one trade name are sisters; two trade names in one line of business are strangers.
_SISTERS = "(trade_l = trade_r and industry_l <> '' and industry_r <> '' and industry_l <> industry_r)"
_STRANGERS = "(industry_l = industry_r and industry_l <> '' and trade_l <> trade_r)"
_SHORTENED = (
    "(left(head_core_l, length(head_core_r)) = head_core_r or left(head_core_r, length(head_core_l)) = head_core_l "
    "or short_core_l = core_r or core_l = short_core_r)"
)
_IN_PLACE = "place_l <> '' and place_r <> ''"
_TYPED = f"{_ALIKE} and {_ONE_START} and {_NEAR} and not {_SISTERS} and not {_STRANGERS}"
_SLIP = (
    "not (uscc_ok_l and uscc_ok_r) and least(length(uscc_l), length(uscc_r)) >= 15 "
    "and (uscc_l = uscc_r or levenshtein(uscc_l, uscc_r) <= 2)"
)
_ROUNDED = (
    "left(uscc_l, 15) = left(uscc_r, 15) and length(uscc_l) = 18 and (right(uscc_l, 3) = '000' or right(uscc_r, 3) = '000')"
)

_CONDITIONS: Mapping[str, Mapping[str, str]] = {
    "name": {
        "same": f"core_l = core_r and place_l = place_r and place_l <> '' and {_ONE_FORM}",
        "region_wider": f"core_l = core_r and place_l <> '' and place_r <> '' and {_WITHIN} and {_ONE_FORM}",
        "region_unsaid": f"core_l = core_r and {_WITHIN} and {_ONE_FORM}",
        "form_differs": f"core_l = core_r and {_WITHIN}",
        "slip_in_place": f"{_IN_PLACE} and {_TYPED}",
        "typing_slip": _TYPED,
        "short_in_place": f"{_IN_PLACE} and {_ALIKE} and {_ONE_START} and {_SHORTENED}",
        "shortened": f"{_ALIKE} and {_ONE_START} and {_SHORTENED}",
        "trade_slip": f"{_ALIKE} and {_NEAR} and not {_SISTERS}",
        "region_differs": "core_l = core_r",
        "trade_only": _ONE_START,
        "different": "ELSE",
    },
    "code": {
        "uscc": "uscc_l = uscc_r and uscc_ok_l and uscc_ok_r",
        "organisation": "org_l = org_r",
        "slip": _SLIP,
        "rounded": _ROUNDED,
        "both_valid_differ": "uscc_l <> uscc_r and uscc_ok_l and uscc_ok_r",
        "organisation_differs": "org_l <> org_r",
        "differ": "ELSE",
    },
    "licence": {"same": "licence_l = licence_r", "differ": "ELSE"},
    "phone": {"same": "phone_l = phone_r", "differ": "ELSE"},
    "address": {
        "same": "street_l = street_r and detail_l = detail_r and (city_l is null or city_r is null or city_l = city_r)",
        "less_detail": (
            "street_l = street_r and (left(detail_l, length(detail_r)) = detail_r or left(detail_r, length(detail_l)) = detail_l "
            "or right(detail_l, length(detail_r)) = detail_r or right(detail_r, length(detail_l)) = detail_l) "
            f"and (city_l is null or city_r is null or {_WITHIN.replace('place', 'city')})"
        ),
        "same_building": "street_l = street_r",
        "differ": "ELSE",
    },
    "contact": {"same": "contact_l = contact_r", "differ": "ELSE"},
}
_MISSING: Mapping[str, str] = {
    "name": "core_l is null or core_r is null",
    "code": "(uscc_l is null or uscc_r is null) and (org_l is null or org_r is null)",
    "licence": "licence_l is null or licence_r is null",
    "phone": "phone_l is null or phone_r is null",
    "address": "street_l is null or street_r is null",
    "contact": "contact_l is null or contact_r is null",
}
_BY_FREQUENCY = frozenset(LEVELS["name"]) - {"trade_slip", "trade_only", "different"}


def model(settings: IdentitySettings, *, training: bool = False) -> dict[str, Any]:
    """The Splink settings of the model: weights of the settings, or for `training` their m and u as a start."""
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": "content",
        "probability_two_random_records_match": settings.prior,
        "blocking_rules_to_generate_predictions": [],
        "comparisons": [_comparison(name, settings, training=training) for name in LEVELS],
        "retain_matching_columns": False,
        "retain_intermediate_calculation_columns": not training,
    }


def level_sql(comparison: str) -> str:
    """The name of the level two sides (`core_l`, `core_r`, …) agree at; NULL where a side says nothing."""
    cases = " ".join(
        f"else '{level}'" if condition == "ELSE" else f"when {condition} then '{level}'"
        for level, condition in _CONDITIONS[comparison].items()
    )
    return f"case when {_MISSING[comparison]} then null {cases} end"


def weight_sql(comparison: str, level: str, settings: IdentitySettings) -> str:
    """The bits of a level named by the SQL expression `level`, the trade name's frequency included."""
    cases = " ".join(f"when '{name}' then {given.weight}" for name, given in settings.weights[comparison].items())
    if comparison != "name":
        return f"case {level} {cases} end"
    shifted = ", ".join(f"'{name}'" for name in sorted(_BY_FREQUENCY))
    shift = f"case when {level} in ({shifted}) then log2(greatest({MULTIPLE}_l, {MULTIPLE}_r) / {_TYPICAL!r}) else 0 end"
    return f"(case {level} {cases} end - {shift})"


def _comparison(name: str, settings: IdentitySettings, *, training: bool) -> dict[str, Any]:
    missing = {"sql_condition": _MISSING[name], "label_for_charts": "a side says nothing", "is_null_level": True}
    return {
        "output_column_name": name,
        "comparison_levels": [missing, *(_level(name, level, settings, training=training) for level in LEVELS[name])],
    }


def _level(comparison: str, name: str, settings: IdentitySettings, *, training: bool) -> dict[str, Any]:
    given = settings.weights[comparison][name]
    level: dict[str, Any] = {"sql_condition": _CONDITIONS[comparison][name], "label_for_charts": name}
    if training:
        held = {"fix_m_probability": True, "fix_u_probability": True} if given.held else {}
        return {**level, "m_probability": given.m, "u_probability": min(given.u, 0.999), **held}
    if comparison == "name" and name in _BY_FREQUENCY:
        # Only the ratio m/u counts; u is the same for all, since the frequency is told in multiples of it.
        level |= {"tf_adjustment_column": FREQUENCY, "tf_adjustment_weight": 1.0, "disable_tf_exact_match_detection": True}
        return {**level, "m_probability": _TYPICAL * 2.0**given.weight, "u_probability": _TYPICAL}
    return {**level, "m_probability": given.m, "u_probability": given.u}


def frequency_sql(multiple: str) -> str:
    """The frequency column of a trade name that is `multiple` times as common as a typical one."""
    return f"{_TYPICAL!r} * coalesce({multiple}, 1.0)"
