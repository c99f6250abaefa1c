"""What a steward is told of a comparison is what the comparison found."""

from __future__ import annotations

import duckdb
import pytest

from identity.comparing import level_sql
from identity.names import name
from identity.wording import LEVELS

NAMES = ("core", "head_core", "trade", "industry", "place", "form", "branch", "figures", "sketch", "is_group", "short_core")


def level_of_names(one: str, other: str) -> str:
    sides = []
    for side, written in (("l", one), ("r", other)):
        said = name(written)
        values = {**{column: getattr(said, column, None) for column in NAMES}, "head_core": said.core}
        sides += [f"{duckdb.ConstantExpression(value)} as {column}_{side}" for column, value in values.items()]
    return str(duckdb.sql(f"select {level_sql('name')} from (select {', '.join(sides)})").fetchall()[0][0])


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("华恒智慧云计算数据存储科技有限公司", "华恒智会云计祘数据存储科机有限公司", "typing_slip"),
        ("广州华恒智慧云计算数据存储科技有限公司", "广州华恒智会云计祘数据存储科机有限公司", "slip_in_place"),
        ("广州珅璡智慧云计算数据存储服务有限公司", "广州华恒智慧云计祘数据存储服务有限公司", "trade_slip"),
    ],
)
def test_names_three_characters_apart_are_told_so(one: str, other: str, level: str) -> None:
    assert level_of_names(one, other) == level
    told = LEVELS["name", level]
    assert ("up to three characters" in told.en, "不超过三字" in told.zh) == (True, True), told
    assert ("trade names differ" in told.en, "字号不同" in told.zh) == (level == "trade_slip", level == "trade_slip")


def test_codes_two_characters_apart_are_told_so() -> None:
    sides = "'91440101MA59P7XQ24' as uscc_l, '91440101MA59P7XQ99' as uscc_r, true as uscc_ok_l, false as uscc_ok_r"
    found = duckdb.sql(f"select {level_sql('code')} from (select {sides}, null as org_l, null as org_r)").fetchall()
    told = LEVELS["code", str(found[0][0])]
    assert ("up to two characters" in told.en, "不超过两位" in told.zh, "not both valid" in told.en) == (True, True, True)
