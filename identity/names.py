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
_BRANCH_WORDS = tuple(lexicon.BRANCH_WORDS)
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
_FORM_CLASS = dict(lexicon.LEGAL_FORMS)
_FORMS = tuple(sorted(_FORM_CLASS, key=len, reverse=True))
_GROUP = ("集团", "控股")
_BATCH_END = "\n"


@cache
def _script() -> OpenCC:
    return OpenCC("t2s")


def fold_script(text: str) -> str:
    """NFKC (UAX #15), capitals, Traditional characters as Simplified ones (OpenCC's table `t2s`)."""
    return fold_scripts([text])[0]


def fold_scripts(texts: Sequence[str]) -> list[str]:
    """The same of a batch, text by text; a line break becomes a space. OpenCC takes all at once, because a call costs more than a
    text does; width goes text by text, because a text with nothing to fold costs next to nothing."""
    lines = [unicodedata.normalize("NFKC", _on_one_line(text)) for text in texts]
    return str(_script().convert(_BATCH_END.join(lines).upper())).split(_BATCH_END) if lines else []


def _on_one_line(text: str) -> str:
    """Brackets as NFKC has them: without them most names have nothing left for it to fold."""
    return text.replace("\n", " ").replace("\r", " ").replace("（", "(").replace("）", ")")


def names(texts: Sequence[str | None]) -> list[Name]:
    return [_parse(text) for text in fold_scripts([text or "" for text in texts])]


def name(text: str | None) -> Name:
    return names([text])[0]


def _parse(raw: str) -> Name:
    raw = raw.strip()
    if raw in NULLS:
        return NOBODY
    noted: list[str] = []
    written = _PUNCTUATION.sub("", raw)
    if _BRACKETS.search(written):
        written = _BRACKETS.sub(lambda found: _bracket(found[1], noted), written)
    if len(written) < 2 or written.isdigit():
        return NOBODY._replace(folded=written)
    head, branch = _split_branch(written)
    form = _form_of(head)
    bare = head[: len(head) - len(form)] if len(head) - len(form) > 1 else head
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
    form_class = _FORM_CLASS[form] if form else ""
    is_group = any(word in rest for word in _GROUP)
    core = rest + branch
    sketch = core.translate(_SKETCH)
    return Name(written, core, trade, industry, place, form_class, branch, figures, sketch, is_group)


def _form_of(text: str) -> str:
    """The longest legal form that ends the text; empty where none does."""
    return next((form for form in _FORMS if text.endswith(form)), "") if text.endswith(_FORMS) else ""


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
    word = _BRANCH_END.search(text) if text.endswith(_BRANCH_WORDS) else None
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
        for length in lexicon.BEGINS.get(text[start : start + 2], ()):
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
        place = _place_of(rest)
        if not place or place in places or (places and REGIONS[place] != places[0]):
            break
        marker = _MARKER.match(rest[len(place) :])
        places.append(place)
        marked, rest = bool(marker), rest[len(place) + (marker.end() if marker else 0) :]
    if not places or not rest:
        return places, "", rest
    district = _DISTRICT.match(rest)
    if district and (marked or not _known(rest)):
        return places, district[1], rest[district.end() :]
    if text != places[-1] and _is_nameless(rest):
        return places, "", places[-1] + rest
    return places, "", rest


def _place_of(text: str) -> str:
    """The longest place that begins the text; empty where none does."""
    for length in regions.STARTS.get(text[:2], ()):
        if text[:length] in REGIONS:
            return text[:length]
    return ""


def _known(text: str) -> bool:
    return any(text[:length] in lexicon.WORDS for length in lexicon.BEGINS.get(text[:2], ()))


def _is_nameless(rest: str) -> bool:
    """Nothing is left that could be a trade name: known words, and a character at most before them."""
    trade, industry = _split_industry(rest, least=0)
    return len(trade) < 2 and bool(industry or trade)


def _split_industry(text: str, least: int = 2) -> tuple[str, str]:
    """(trade name, line of business): known words are taken off the end, longest first, as long as `least` characters stay."""
    end = len(text)
    while word := _word_before(text, end, least):
        end -= word
    return text[:end], text[end:]


def _word_before(text: str, end: int, least: int) -> int:
    """The length of the longest known word that ends at `end` and leaves `least` characters before it; 0 where there is none."""
    for length in lexicon.ENDS.get(text[max(end - 2, 0) : end], ()):
        if length <= end - least and text[end - length : end] in lexicon.WORDS:
            return length
    return 0
