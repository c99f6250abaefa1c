"""Codes by their standards, names by their anatomy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.normalise import USCC_ALPHABET, CodeClass, name, org_code, uscc
from simulator import codes
from simulator.names import VARIANTS, NameParts


@pytest.mark.parametrize(
    ("text", "folded", "reason"),
    [
        ("91110000600037341L", "91110000600037341L", CodeClass.VALID),
        ("９１１１００００６０００３７３４１ｌ", "91110000600037341L", CodeClass.VALID),
        (" 9111 0000-600037341L ", "91110000600037341L", CodeClass.VALID),
        ("91110000600037341X", "91110000600037341X", CodeClass.CHECK_DIGIT),
        ("91350200M000123456", "91350200M000123456", CodeClass.PILOT),
        ("91110000600037341", "91110000600037341", CodeClass.LENGTH),
        ("9111000060003734IL", "91110000600037341L", CodeClass.LOOKALIKE),
        ("914401017889900000", "914401017889900000", CodeClass.ROUNDED),
        ("9.144E+17", "9.144E+17", CodeClass.ROUNDED),
        ("9144010178899012V4", "9144010178899012V4", CodeClass.LENGTH),
        ("111111111111111111", "111111111111111111", CodeClass.JUNK),
        ("123456789012345678", "123456789012345678", CodeClass.JUNK),
        ("N/A", "", CodeClass.MISSING),
        ("  ", "", CodeClass.MISSING),
        (None, "", CodeClass.MISSING),
    ],
)
def test_uscc_classes(text: str | None, folded: str, reason: CodeClass) -> None:
    assert (uscc(text).text, uscc(text).reason) == (folded, reason)


@pytest.mark.parametrize(
    ("text", "folded", "reason"),
    [
        ("60003734-1", "600037341", CodeClass.VALID),
        ("600037341", "600037341", CodeClass.VALID),
        ("600037342", "600037342", CodeClass.CHECK_DIGIT),
        ("00000000-0", "000000000", CodeClass.JUNK),
        ("6000373", "6000373", CodeClass.LENGTH),
        ("无", "", CodeClass.MISSING),
    ],
)
def test_organisation_code_classes(text: str, folded: str, reason: CodeClass) -> None:
    assert (org_code(text).text, org_code(text).reason) == (folded, reason)


@given(st.text(USCC_ALPHABET, min_size=17, max_size=17).filter(lambda body: len(set(body)) > 2))
def test_exactly_one_check_character_is_right_letters_in_front_included(body: str) -> None:
    right = codes.uscc_check(body)
    assert [c for c in USCC_ALPHABET if uscc(body + c).reason is CodeClass.VALID] == [right]


@given(st.text("0123456789ACDEFGHJKLMNPQRTUWXY", min_size=8, max_size=8).filter(lambda body: len(set(body)) > 3))
def test_exactly_one_organisation_check_character_is_right(body: str) -> None:
    if org_code(body + "0").reason is CodeClass.JUNK:
        return
    assert [c for c in "0123456789X" if org_code(body + c).reason is CodeClass.VALID] == [codes.org_check(body)]


@given(st.text())
def test_any_text_has_a_class_and_a_name(text: str) -> None:
    assert isinstance(uscc(text).reason, CodeClass)
    assert isinstance(org_code(text).reason, CodeClass)
    assert name(text).core.startswith(name(text).trade)


@pytest.mark.parametrize("kind", sorted(set(VARIANTS) - {"typing_error", "short_name"}))
@pytest.mark.parametrize("tail", ["", "佛山第一分公司"])
def test_ways_to_write_a_name_fold_to_one_core(kind: str, tail: str) -> None:
    parts = NameParts("广州", "华恒", "科技", "有限公司", tail=tail)
    branch = tail.replace("第一", "1")
    assert name(VARIANTS[kind](parts)).core == name(parts.full()).core == f"华恒科技{branch}"
    assert name(VARIANTS[kind](parts)).branch == branch


@pytest.mark.parametrize(
    ("text", "core", "branch"),
    [
        ("广东省深圳市腾达 贸易有限责任公司", "腾达贸易", ""),
        ("中山中山堂有限公司", "中山堂", ""),
        ("上海", "上海", ""),
        ("营业部", "营业部", ""),
        ("華恒科技有限公司南京營業部", "华恒科技南京营业部", "南京营业部"),
        ("中国银行广州支行", "中国银行广州支行", "广州支行"),
    ],
)
def test_names(text: str, core: str, branch: str) -> None:
    assert (name(text).core, name(text).branch) == (core, branch)
