"""Registered codes in one comparable form, each with the reason why it may or may not be believed."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from stdnum.cn import uscc as stdnum_uscc


class CodeClass(StrEnum):
    """Why a code may be believed, or not. A failed check digit is a reason, never a silent rejection (DOMAIN §5)."""

    VALID = "valid"
    PILOT = "pilot"  # genuine code of the pilot areas, its check digit wrong
    LOOKALIKE = "lookalike"  # valid once letters the standard leaves out are read as the digits they look like
    CHECK_DIGIT = "check_digit"
    ROUNDED = "rounded"  # what a spreadsheet leaves of 18 digits: 15 of them, then zeros
    LENGTH = "length"  # not so many characters of the standard's alphabet
    JUNK = "junk"  # a filler a clerk types
    MISSING = "missing"

    @property
    def identifies(self) -> bool:
        return self in (CodeClass.VALID, CodeClass.PILOT)


@dataclass(frozen=True)
class Code:
    """A code folded to the standard's form, and its class. `text` is empty where it is missing."""

    text: str
    reason: CodeClass


USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
NULLS = frozenset(
    {
        "",
        "N/A",
        "NA",
        "NULL",
        "NONE",
        "NAN",
        "-",
        "--",
        "/",
        "#N/A",
        "?",
        "无",
        "暂无",
        "没有",
        "未知",
        "不详",
        "空",
        "待补",
        "待补充",
        "未填",
    }
)
_USCC_SHAPE = re.compile(rf"[{USCC_ALPHABET}]{{18}}")
_PILOT_SHAPE = re.compile(r"9135\d{4}M000")
_LOOKALIKES = str.maketrans("IOZS", "1025")  # GB 32100-2015 §5.2 leaves out I O Z S V for what they are taken for
_ROUNDED = re.compile(r"\d{15}000")
_SCIENTIFIC = re.compile(r"\d(?:\.\d+)?E\+?\d{1,2}")
_ORG_SHAPE = re.compile(r"[0-9A-Z]{8}[0-9X]")
_ORG_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_LICENCE_SHAPE = re.compile(r"\d{15}")
_OLD_TAXPAYER = re.compile(r"(?P<region>\d{6})(?P<org>[0-9A-Z]{8}[0-9X])")
_SEPARATORS = re.compile(r"[\s\-‐-―−_./·'`*]+")
_FLOAT_TAIL = re.compile(r"(?<=\d)\.0+$")
_RUNS = ("01234567890123456789", "98765432109876543210", "12345678901234567890")


def folded_code(text: str | None) -> str:
    """NFKC, capitals, no separators; what stands for nothing is empty."""
    folded = unicodedata.normalize("NFKC", text or "").upper().strip()
    if folded in NULLS:
        return ""
    if _SCIENTIFIC.fullmatch(folded):
        return folded
    return _SEPARATORS.sub("", _FLOAT_TAIL.sub("", folded))


def _is_filler(code: str) -> bool:
    """One character throughout, or a run of digits: what is typed to get past a mandatory field."""
    return len(set(code)) == 1 or (len(code) > 5 and any(code in run for run in _RUNS))


def _check_character_holds(code: str) -> bool:
    # stdnum refuses letters among the first eight, legal for some departments; its check digit serves them all.
    return bool(stdnum_uscc.is_valid(code)) or stdnum_uscc.calc_check_digit(code[:17]) == code[17]


def uscc(text: str | None) -> Code:
    """统一社会信用代码 (GB 32100-2015): 18 characters, weights 3^i mod 31. Pilot codes `9135xxxxM000…` are known genuine."""
    code = folded_code(text)
    if not code:
        return Code("", CodeClass.MISSING)
    if _is_filler(code):
        return Code(code, CodeClass.JUNK)
    if _ROUNDED.fullmatch(code) or _SCIENTIFIC.fullmatch(code):
        return Code(code, CodeClass.ROUNDED)
    if not _USCC_SHAPE.fullmatch(code):
        return _read_as_digits(code)
    if _check_character_holds(code):
        return Code(code, CodeClass.VALID)
    return Code(code, CodeClass.PILOT if _PILOT_SHAPE.match(code) else CodeClass.CHECK_DIGIT)


def _read_as_digits(code: str) -> Code:
    read = code.translate(_LOOKALIKES)
    if _USCC_SHAPE.fullmatch(read) and _check_character_holds(read):
        return Code(read, CodeClass.LOOKALIKE)
    return Code(code, CodeClass.LENGTH)


def org_code(text: str | None) -> Code:
    """组织机构代码 (GB 11714-1997): 8 characters and a check character, weights 3,7,9,10,5,8,4,2, 11 − Σ mod 11."""
    code = folded_code(text)
    if not code:
        return Code("", CodeClass.MISSING)
    if _is_filler(code[:8]):
        return Code(code, CodeClass.JUNK)
    if not _ORG_SHAPE.fullmatch(code):
        return Code(code, CodeClass.LENGTH)
    return Code(code, CodeClass.VALID if code[8] == _org_check(code) else CodeClass.CHECK_DIGIT)


def _org_check(code: str) -> str:
    total = sum(int(c, 36) * weight for c, weight in zip(code[:8], _ORG_WEIGHTS, strict=True))
    return {10: "X", 11: "0"}.get(11 - total % 11, str(11 - total % 11))


def licence_no(text: str | None) -> Code:
    """工商注册号 (GS15-2006): 15 digits, the last by ISO 7064 MOD 11,10. A USCC written here is no licence number: length."""
    code = folded_code(text)
    if not code:
        return Code("", CodeClass.MISSING)
    if _is_filler(code):
        return Code(code, CodeClass.JUNK)
    if not _LICENCE_SHAPE.fullmatch(code):
        return Code(code, CodeClass.LENGTH)
    product = 10
    for digit in code[:14]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return Code(code, CodeClass.VALID if str((11 - product) % 10) == code[14] else CodeClass.CHECK_DIGIT)


def taxpayer_id(text: str | None) -> Code:
    """纳税人识别号: the USCC since 2015 (国家税务总局公告2015年第57号); before, region(6) and organisation code(9).

    An old one is valid where its organisation code is.
    """
    code = folded_code(text)
    if len(code) in (17, 18, 19) or not code or _is_filler(code):
        return uscc(text)
    old = _OLD_TAXPAYER.fullmatch(code)
    if not old:
        return Code(code, CodeClass.LENGTH)
    return Code(code, org_code(old["org"]).reason)
