"""Codes by their standards, names by their anatomy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.checking import surely_valid_org_codes, surely_valid_usccs
from identity.normalise import USCC_ALPHABET, CodeClass, address, licence_no, name, org_code, phone, taxpayer_id, uscc
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


@given(
    st.lists(
        st.one_of(st.text(USCC_ALPHABET, min_size=17, max_size=17).map(lambda body: body + codes.uscc_check(body)), st.text())
    )
)
def test_what_is_surely_valid_is_valid(texts: list[str]) -> None:
    for sure, judge in ((surely_valid_usccs(texts), uscc), (surely_valid_org_codes([t[8:17] for t in texts]), org_code)):
        assert all((judge(text).text, judge(text).reason) == (text, CodeClass.VALID) for text in sure)
    plain = [text for text in texts if uscc(text).reason is CodeClass.VALID and uscc(text).text == text]
    assert set(plain) - surely_valid_usccs(texts) == set()


@given(st.text("0123456789", min_size=14, max_size=14).filter(lambda body: len(set(body)) > 3))
def test_exactly_one_licence_check_digit_is_right(body: str) -> None:
    assert [c for c in "0123456789" if licence_no(body + c).reason is CodeClass.VALID] == [codes.licence_check(body)]


@pytest.mark.parametrize(
    ("text", "folded", "reason"),
    [
        ("440101600037341", "440101600037341", CodeClass.VALID),
        ("440101600037342", "440101600037342", CodeClass.CHECK_DIGIT),
        ("91110000600037341L", "91110000600037341L", CodeClass.VALID),
        ("123456", "123456", CodeClass.JUNK),
        ("44010160003734", "44010160003734", CodeClass.LENGTH),
    ],
)
def test_taxpayer_ids(text: str, folded: str, reason: CodeClass) -> None:
    assert (taxpayer_id(text).text, taxpayer_id(text).reason) == (folded, reason)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("+86 138-1234-5678", "13812345678"), ("０２０－１２３４５６７８ 转 8", "02012345678"), ("(020)87654321", "02087654321"),
        ("13812345678/13912345678", "13812345678"), ("013812345678", "13812345678"), ("13800138000", ""), ("无", ""), ("123", ""),
    ],
)  # fmt: skip
def test_telephones(text: str, folded: str) -> None:
    assert phone(text) == folded


def test_ways_to_write_an_address_fold_to_one() -> None:
    ways = ["广东省广州市天河区人民路12号3楼05室", "廣州天河區人民路１２號305", "广州市 天河区 人民路 十二号 305室"]
    assert {(address(way).street, address(way).detail) for way in ways[:2]} == {("人民路12", "305")}
    assert address("人民路12号").detail == ""
    assert address("某处").street == address("").street == ""


@pytest.mark.parametrize(
    ("text", "core", "place", "branch"),
    [
        ("北京市朝阳区华恒科技有限公司", "华恒科技", "北京/朝阳区", ""),
        ("深圳大学", "深圳大学", "广东/深圳", ""),
        ("安庆宇医药（惠州）有限公司", "安庆宇医药", "广东/惠州", ""),
        ("华恒集团有限公司佛山分公司", "华恒集团佛山分公司", "", "佛山分公司"),
        ("广州华恒科技有限公司天河区第十一分公司", "华恒科技天河11分公司", "广东/广州", "天河11分公司"),
        ("华恒科技天河分公司", "华恒科技天河分公司", "", "天河分公司"),
        ("佛山市华恒五金经营部", "华恒五金经营部", "广东/佛山", ""),
        ("华恒置业（深圳）有限公司（筹）", "华恒置业", "广东/深圳", ""),
        ("中国银行股份有限公司广州天河支行", "中国银行广州天河支行", "", "广州天河支行"),
    ],
)
def test_the_anatomy_of_names(text: str, core: str, place: str, branch: str) -> None:
    assert (name(text).core, name(text).place, name(text).branch) == (core, place, branch)
