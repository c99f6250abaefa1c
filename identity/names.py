"""A firm's name taken apart: 行政区划 + 字号 + 行业 + 组织形式 (企业名称登记管理规定, 国务院令第734号, art. 6), and a tail
(分支机构, art. 13: the name of its owner in front). The place may stand in brackets or be left out, the legal form shortened.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from opencc import OpenCC

from identity import lexicon, regions
from identity.codes import NULLS
from identity.regions import REGIONS


class Name(NamedTuple):
    """A firm's name. Every part is empty where it is not said.

    `folded` compares whole names; `core` has lost place and legal form: trade name (字号), line of business, and a branch's tail.
    `trade` begins it; `industry` is what is left of it where it is made of known words. `place` is `province/city/district`.
    `form` is the class of the legal form; `figures` are its numbers in order (第一, 2厂); `is_group`: 集团 or 控股 is part of it.
    `sketch` is `core` with one ASCII character for each of its own: an engine that counts edits in bytes counts characters in it.
    """

    folded: str
    core: str
    trade: str
    industry: str
    place: str
    form: str
    branch: str
    figures: str
    sketch: str
    is_group: bool = False


NOBODY = Name("", "", "", "", "", "", "", "", "")


class _Sketch(dict[int, int]):
    """Each character → one of 94. That two different ones fall together (1 in 94) makes two names look one edit nearer."""

    def __missing__(self, character: int) -> int:
        self[character] = 33 + (character * 2654435761 >> 16) % 94
        return self[character]


_SKETCH = _Sketch()

_PUNCTUATION = re.compile(r"[\s,.;:'\"、。，；：!?！？·•・\-‐-―−_*#《》<>“”‘’`~^|\\/=+]+")
_BRACKETS = re.compile(r"[(\[{【〔<「『]([^)\]}】〕>」』]*)[)\]}】〕>」』]?")
_ASIDE = re.compile(r"^(?:原|曾用名|筹|筹备|已?注销|已?停用|已?作废|旧|新|个体|个体工商户|一般纳税人|测试)")
_PARENT = re.compile(r".+?(?<![分支子])(?:公司|有限合伙)(?=.)")
_OTHER_PARENT = re.compile(r".+?(?:集团|总厂|厂|银行|酒店|医院|学校|大学|事务所|中心|超市)(?=.)")
_BRANCH_END = re.compile(rf"(?<=.)(?:{'|'.join(sorted(lexicon.BRANCH_WORDS, key=len, reverse=True))})$")
# Also what a small firm may call itself; a branch only behind a company's full name.
_WEAK_BRANCHES = frozenset(
    ("经营部", "服务部", "门市部", "门市", "工作站", "服务站", "服务点", "连锁店", "网点", "专卖店", "直营店", "旗舰店")
)
_MARKER = re.compile(r"^(?:省|市|特别行政区|(?:[壮回维]\S{0,3})?自治区|自治州|地区)")
_DISTRICT = re.compile(
    r"^(?!.?(?:小区|特区|园区|社区))([一-龥]{1,3}?(?:经济技术开发区|高新技术开发区|开发区|高新区|新区|自治县|区|县|市))(?=..)"
)
_TAIL_MARKERS = re.compile(r"[省市区县]")
_FIGURE = re.compile(r"[0-9一二三四五六七八九十〇零]+")
_NO_FIGURE = "五金"
_ORDINAL = re.compile(r"第([一二三四五六七八九十]+)|([一二三四五六七八九十]+)(?=分|号|店|厂|部|中心|支)")
_DIGITS = {"一": 1, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
_FORMS = lexicon.LEGAL_FORMS
_FORM_END = re.compile(rf"({'|'.join(form for form, _ in _FORMS)})$")
_FORM_CLASS = dict(_FORMS)
_GROUP = ("集团", "控股")
_BATCH_END = "\n"


@cache
def _script() -> OpenCC:
    return OpenCC("t2s")


def fold_script(text: str) -> str:
    """NFKC (UAX #15), capitals, Traditional characters as Simplified ones (OpenCC's table `t2s`)."""
    return str(_script().convert(unicodedata.normalize("NFKC", text).upper()))


def names(texts: Sequence[str | None]) -> list[Name]:
    """The names of a batch; script is folded for all of them at once, which is where the time goes."""
    joined = fold_script(_BATCH_END.join((text or "").replace("\n", " ").replace("\r", " ") for text in texts))
    return [_parse(line) for line in joined.split(_BATCH_END)] if texts else []


def name(text: str | None) -> Name:
    return names([text])[0]


def _parse(raw: str) -> Name:
    raw = raw.strip()
    if raw in NULLS:
        return NOBODY
    noted: list[str] = []
    written = _BRACKETS.sub(lambda found: _bracket(found[1], noted), _PUNCTUATION.sub("", raw))
    if len(written) < 2 or written.isdigit():
        return NOBODY._replace(folded=written)
    head, branch = _split_branch(written)
    form = _FORM_END.search(head)
    bare = head[: form.start()] if form and form.start() > 1 else head
    if bare.endswith("集团有限"):
        bare = bare[:-2]
    places, district, rest = split_place(bare)
    rest = rest or bare
    if noted and (not places or rest.startswith(places[-1])):
        places = noted
    figures = ".".join(_number(found) for found in _FIGURE.findall((rest + branch).replace(_NO_FIGURE, "")))
    rest = _ORDINAL.sub(_as_digits, rest)
    trade, industry = _split_industry(rest)
    place = regions.path(places) + (f"/{district}" if district else "")
    form_class = _FORM_CLASS[form[1]] if form else ""
    is_group = any(word in rest for word in _GROUP)
    core = rest + branch
    sketch = core.translate(_SKETCH)
    return Name(written, core, trade, industry, place, form_class, branch, figures, sketch, is_group)


def _bracket(inside: str, places: list[str]) -> str:
    """What brackets add to a name: a place is noted, an aside dropped, anything else stays."""
    if not inside or _ASIDE.match(inside):
        return ""
    found, _, rest = split_place(inside)
    if inside in REGIONS or (found and len(rest) < 2):
        places.extend(found or [inside])
        return ""
    return inside


def _split_branch(text: str) -> tuple[str, str]:
    """(the owner's name, the branch's own tail in one form); the tail is empty where the name is no branch's.

    Where the owner's legal form was left out, the tail begins behind its line of business, or at the last place named.
    """
    word = _BRANCH_END.search(text)
    if not word:
        return text, ""
    parent = _PARENT.match(text, 0, word.start() + 1)
    if not parent and word[0] in _WEAK_BRANCHES:
        return text, ""
    parent = parent or _OTHER_PARENT.match(text, 0, word.start() + 1)
    begins = parent.end() if parent else _behind_business(text[: word.start()])
    begins = begins if 0 < begins <= word.start() else word.start()
    return text[:begins], _tail(text[begins:])


def _behind_business(text: str) -> int:
    ends = [text.rfind(word) + len(word) for word in _words_in(text)]
    begins = [text.rfind(region, 2) for region in REGIONS]
    return max([*ends, 0]) or max([*begins, 0])


def _words_in(text: str) -> list[str]:
    """Known words from the third character on."""
    found = []
    for start in range(2, len(text) - 1):
        for length in range(min(lexicon.LONGEST, len(text) - start), 1, -1):
            if text[start : start + length] in lexicon.WORDS:
                found.append(text[start : start + length])
                break
    return found


def _tail(text: str) -> str:
    """佛山市第一分公司 and 广东佛山一分公司 are one tail: markers and an outer province go, ordinals become digits."""
    places, district, rest = split_place(text)
    return _ORDINAL.sub(_as_digits, "".join((*places[-1:], _TAIL_MARKERS.sub("", district + rest))))


def _as_digits(found: re.Match[str]) -> str:
    return _number(found[1] or found[2])


def _number(text: str) -> str:
    """十一 → 11; digits stay."""
    if text.isascii():
        return text
    tens, ten, ones = text.rpartition("十")
    if not ten:
        return "".join(str(_DIGITS.get(c, 0 if c in "〇零" else c)) for c in text)
    return str(_DIGITS.get(tens, 1) * 10 + _DIGITS.get(ones, 0))


def split_place(text: str) -> tuple[list[str], str, str]:
    """(province and city as far as said, district, the rest). 中山中山堂 keeps its second, 深圳大学 the place it is named for."""
    places: list[str] = []
    rest, marked = text, False
    for _ in range(2):
        if rest[:2] not in regions.STARTS:
            break
        length = next((n for n in range(min(regions.LONGEST, len(rest)), 1, -1) if rest[:n] in REGIONS), 0)
        place = rest[:length]
        if not length or place in places or (places and REGIONS[place] != places[0]):
            break
        marker = _MARKER.match(rest[length:])
        places.append(place)
        marked, rest = bool(marker), rest[length + (marker.end() if marker else 0) :]
    if not places or not rest:
        return places, "", rest
    district = _DISTRICT.match(rest)
    if district and (marked or not _known(rest)):
        return places, district[1], rest[district.end() :]
    if text != places[-1] and _is_nameless(rest):
        return places, "", places[-1] + rest
    return places, "", rest


def _known(text: str) -> bool:
    return any(text[:n] in lexicon.WORDS for n in range(2, lexicon.LONGEST + 1))


def _is_nameless(rest: str) -> bool:
    """Nothing is left that could be a trade name: known words, and a character at most before them."""
    trade, industry = _split_industry(rest, least=0)
    return len(trade) < 2 and bool(industry or trade)


def _split_industry(text: str, least: int = 2) -> tuple[str, str]:
    """(trade name, line of business): known words are taken off the end, longest first, as long as `least` characters stay."""
    end = len(text)
    while end > least and text[end - 2 : end] in lexicon.ENDS:
        length = next((n for n in range(min(lexicon.LONGEST, end - least), 1, -1) if text[end - n : end] in lexicon.WORDS), 0)
        if not length:
            break
        end -= length
    return text[:end], text[end:]
