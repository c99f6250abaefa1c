"""How a firm is reached, in comparable form: telephone, address, the name of a contact. None of it identifies a firm."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from identity import regions
from identity.codes import NULLS
from identity.names import fold_script, fold_scripts, split_place

# 工信部 电信网编号计划 (2017): mobile 1[3-9] + 9 digits; fixed 0 + area code (2-3 digits) + 7-8 digits; 400/800 + 7 digits.
_MOBILE = re.compile(r"1[3-9]\d{9}")
_FIXED = re.compile(r"0\d{9,11}|[48]00\d{7}|[2-9]\d{6,7}|9[56]\d{3,4}")
_COUNTRY = re.compile(r"^(?:\+|00)86")
_EXTENSION = re.compile(r"(?:转|分机|EXT\.?|X|#).*$")
_SEVERAL = re.compile(r"[/;,、;,|]|\s{2,}|\s(?=1[3-9]\d{9}|0\d{2,3})")
_JUNK_PHONES = frozenset(("13800138000", "13800000000", "13900000000", "13000000000", "13888888888", "12345678901", "12345678"))
_TITLES = re.compile(r"(?:先生|女士|小姐|总经理|副总经理|经理|主任|老师|董事长|法人|老板|总)$")
_SPACES = re.compile(r"[\s,.;:、。，；：\-—_#()（）\[\]【】'\"·]+")
_NUMBERS = re.compile(r"\d+|[A-Z]")
_DIGITS = str.maketrans("〇零一二三四五六七八九", "00123456789")
_UNIT_NUMBER = re.compile(r"[〇零一二三四五六七八九]+(?=号|楼|层|栋|座|幢|室|单元|期)")
_INNER = re.compile(
    r"^(?:[一-龥]{1,6}?(?:经济技术开发区|高新技术开发区|开发区|高新区|新区|自治县|自治州|地区|区|县|市|镇|乡|街道办事处|街道))(?=..)"
)


class Address(NamedTuple):
    """`street` is everything up to the house number, places of administration left out; `detail` the numbers behind it."""

    city: str
    street: str
    detail: str


NOWHERE = Address("", "", "")


def phone(text: str | None) -> str:
    """The first number of a field as digits with its area code; empty where it is none, or a filler."""
    digits = text or ""
    if not (digits.isascii() and _MOBILE.fullmatch(digits)):  # most are written so, and need no folding
        digits = _digits_of(fold_script(digits).strip())
    filler = digits in _JUNK_PHONES or len(set(digits[-7:])) == 1
    return "" if filler else digits


def _digits_of(raw: str) -> str:
    if raw in NULLS:
        return ""
    if "E+" in raw or raw.endswith(".0"):
        raw = raw.removesuffix(".0")
    first = _EXTENSION.sub("", _SEVERAL.split(raw)[0])
    digits = re.sub(r"\D", "", _COUNTRY.sub("", _SPACES.sub("", first)))
    digits = digits[1:] if _MOBILE.fullmatch(digits[1:]) and digits[:1] == "0" else digits
    return digits if _MOBILE.fullmatch(digits) or _FIXED.fullmatch(digits) else ""


def contact(text: str | None) -> str:
    """A person's name without title; empty where it is not one."""
    folded = _SPACES.sub("", fold_script(text or ""))
    bare = _TITLES.sub("", folded)
    return "" if folded in NULLS or not 2 <= len(bare) <= 20 else bare


def addresses(texts: Sequence[str | None]) -> list[Address]:
    """The addresses of a batch (order of places after GB/T 23705: province, city, district, street, number, room)."""
    return [_address(text) for text in fold_scripts([text or "" for text in texts])]


def address(text: str | None) -> Address:
    return addresses([text])[0]


def _address(raw: str) -> Address:
    if raw.strip() in NULLS:
        return NOWHERE
    written = _SPACES.sub("", raw)
    places, _, rest = split_place(written.removeprefix("中国"))
    rest = rest or written
    while inner := _INNER.match(rest):
        rest = rest[inner.end() :]
    rest = _UNIT_NUMBER.sub(lambda found: found[0].translate(_DIGITS), rest)
    if len(rest) < 3:
        return NOWHERE
    house = _NUMBERS.search(rest)
    if not house:
        return Address(regions.path(places), rest, "")
    street = f"{rest[: house.start()]}{house[0].lstrip('0') or '0'}"
    return Address(regions.path(places), street, "".join(_NUMBERS.findall(rest, house.end())))
