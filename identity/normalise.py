"""Names and registered codes in one comparable form, each code with the reason why it may or may not be believed.

Pure functions over one value. They are applied to the distinct values of a column (`identity.folding`), never to the rows
of a feed.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from stdnum.cn import uscc as stdnum_uscc

from identity.regions import REGIONS


class CodeClass(StrEnum):
    """Why a code may be believed, or not. A failed check digit is a reason, never a silent rejection (DOMAIN §5)."""

    VALID = "valid"
    PILOT = "pilot"  # genuine code of the pilot areas, its check digit wrong
    CHECK_DIGIT = "check_digit"
    LENGTH = "length"  # not 18 (9) characters of the standard's alphabet
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


@dataclass(frozen=True)
class Name:
    """A firm's name. `folded` compares whole names; `core` has lost region and legal form and begins with the trade name
    (字号); `trade` are its first two characters; `branch` is the tail of a branch (分公司, 营业部, …), empty where the firm
    is none."""

    folded: str
    core: str
    trade: str
    branch: str


USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_SHAPE = re.compile(rf"[{USCC_ALPHABET}]{{18}}")
_PILOT_SHAPE = re.compile(r"9135\d{4}M000")
_ORG_SHAPE = re.compile(r"[0-9A-Z]{8}[0-9X]")
_ORG_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_NULLS = frozenset({"", "N/A", "NA", "NULL", "NONE", "-", "无"})
_SEPARATORS = re.compile(r"[\s\-‐-―−_./·]+")
_RUNS = ("01234567890123456789", "98765432109876543210", "12345678901234567890")


def _folded_code(text: str | None) -> str:
    folded = unicodedata.normalize("NFKC", text or "").upper().strip()
    return "" if folded in _NULLS else _SEPARATORS.sub("", folded)


def _is_filler(code: str) -> bool:
    """One character throughout, or a run of digits: what is typed to get past a mandatory field."""
    return len(set(code)) == 1 or (len(code) > 5 and any(code in run for run in _RUNS))


def _check_character_holds(code: str) -> bool:
    # stdnum refuses letters among the first eight, legal for some departments; its check digit serves them all.
    return bool(stdnum_uscc.is_valid(code)) or stdnum_uscc.calc_check_digit(code[:17]) == code[17]


def uscc(text: str | None) -> Code:
    """统一社会信用代码 (GB 32100-2015): 18 characters, weights 3^i mod 31. Pilot codes `9135xxxxM000…` are known genuine."""
    code = _folded_code(text)
    if not code:
        return Code("", CodeClass.MISSING)
    if _is_filler(code):
        return Code(code, CodeClass.JUNK)
    if not _USCC_SHAPE.fullmatch(code):
        return Code(code, CodeClass.LENGTH)
    if _check_character_holds(code):
        return Code(code, CodeClass.VALID)
    return Code(code, CodeClass.PILOT if _PILOT_SHAPE.match(code) else CodeClass.CHECK_DIGIT)


def org_code(text: str | None) -> Code:
    """组织机构代码 (GB 11714-1997): 8 characters and a check character, weights 3,7,9,10,5,8,4,2, 11 − Σ mod 11."""
    code = _folded_code(text)
    if not code:
        return Code("", CodeClass.MISSING)
    if _is_filler(code[:8]):
        return Code(code, CodeClass.JUNK)
    if not _ORG_SHAPE.fullmatch(code):
        return Code(code, CodeClass.LENGTH)
    total = sum(int(c, 36) * weight for c, weight in zip(code[:8], _ORG_WEIGHTS, strict=True))
    expected = {10: "X", 11: "0"}.get(11 - total % 11, str(11 - total % 11))
    return Code(code, CodeClass.VALID if code[8] == expected else CodeClass.CHECK_DIGIT)


_PUNCTUATION = re.compile(r"[\s,.;:'\"、。，；：·•\-—_*#《》<>“”‘’]+")
_BRACKETS = re.compile(r"[(\[{【〔]([^)\]}】〕]*)[)\]}】〕]")
# The few Traditional characters of tails and legal forms; whole names in Traditional script are folded by issue 3's OpenCC.
_TRADITIONAL = str.maketrans("營業辦處門廣東蘇責團華國", "营业办处门广东苏责团华国")
_BRANCH_WORDS = r"(?:分公司|支公司|分行|支行|分店|分院|分校|营业部|营业厅|办事处|门市部|经营部|项目部|代表处|工作站|分厂|分部)"
_BRANCH_END = re.compile(rf"(?<=.){_BRANCH_WORDS}$")
_PARENT = re.compile(r".+?(?:公司|集团|厂|银行|酒店|医院|学校|大学|事务所|中心)(?=.)")
_LEGAL_FORM = re.compile(r"(?:(?:股份)?有限责任公司|(?:股份|集团|控股)?有限公司|集团公司|公司|有限合伙)$")
_MARKER = re.compile(r"^(?:省|市|区|县|特别行政区|自治区)")
_REGION_MAX = max(len(name) for name in REGIONS)


def name(text: str | None) -> Name:
    """A firm's name = 行政区划 + 字号 + 行业 + 组织形式 (企业名称登记管理规定), the region possibly in brackets."""
    raw = unicodedata.normalize("NFKC", text or "").upper().strip()
    if raw in _NULLS:
        return Name("", "", "", "")
    written = _PUNCTUATION.sub("", raw).translate(_TRADITIONAL)
    folded = _BRACKETS.sub(r"\1", written)
    without_region = _BRACKETS.sub(lambda found: "" if _is_region(found[1]) else found[1], written)
    head, branch = _split_branch(without_region)
    core = _strip_region(_LEGAL_FORM.sub("", head)) or head
    return Name(folded, core + branch, core[:2], branch)


def _split_branch(text: str) -> tuple[str, str]:
    """(the parent's name, the branch's own tail); the tail is empty where the name is no branch's.

    Where the parent's legal form was left out, the tail begins at the last place named.
    """
    word = _BRANCH_END.search(text)
    if not word:
        return text, ""
    parent = _PARENT.match(text, 0, word.start() + 1)
    begins = parent.end() if parent else max(text.rfind(region, 1) for region in REGIONS)
    begins = begins if begins > 0 else word.start()
    return text[:begins], text[begins:]


def _is_region(text: str) -> bool:
    return _strip_region(text) == ""


def _strip_region(text: str) -> str:
    """Without the places that open it: a province, a city, each once (广东省深圳市 …; 中山中山堂 keeps its second)."""
    seen: set[str] = set()
    for _ in range(2):
        length = next((n for n in range(_REGION_MAX, 1, -1) if text[:n] in REGIONS and text[:n] not in seen), 0)
        if not length:
            return text
        seen.add(text[:length])
        text = _MARKER.sub("", text[length:])
    return text
