"""Check digits of many codes at once. What is not surely valid here is judged by itself (`identity.codes`), with its reason."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from identity.codes import USCC_ALPHABET

_ORG_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NOT_OF_IT = 255
_USCC_WEIGHTS = np.array([pow(3, place, 31) for place in range(17)], np.int64)
_ORG_WEIGHTS = np.array([3, 7, 9, 10, 5, 8, 4, 2], np.int64)


def surely_valid_usccs(texts: Sequence[str]) -> frozenset[str]:
    """Those that are written as the standard writes them and whose check character holds (GB 32100-2015)."""
    codes, digits = _digits(texts, 18, USCC_ALPHABET)
    if not codes:
        return frozenset()
    totals = digits[:, :17] @ _USCC_WEIGHTS % 31
    holds = ((31 - totals) % 31 == digits[:, 17]) & _unlike_fillers(digits, 10)
    # Fifteen digits and three zeros are what a spreadsheet leaves.
    rounded = (digits < 10).all(axis=1) & (digits[:, 15:] == 0).all(axis=1)
    return _those(codes, holds & ~rounded)


def surely_valid_org_codes(texts: Sequence[str]) -> frozenset[str]:
    """Those that are written in nine characters and whose check character holds (GB 11714-1997)."""
    codes, digits = _digits(texts, 9, _ORG_ALPHABET)
    if not codes:
        return frozenset()
    expected = 11 - digits[:, :8] @ _ORG_WEIGHTS % 11
    written = np.where(expected == 10, _ORG_ALPHABET.index("X"), np.where(expected == 11, 0, expected))
    return _those(codes, (written == digits[:, 8]) & _unlike_fillers(digits[:, :8], 36))


def surely_valid_licences(texts: Sequence[str]) -> frozenset[str]:
    """Those that are written in fifteen digits and whose check digit holds (GS15-2006, ISO 7064 MOD 11,10)."""
    codes, digits = _digits(texts, 15, "0123456789")
    if not codes:
        return frozenset()
    product = np.full(len(codes), 10, np.int64)
    for place in range(14):
        total = (digits[:, place] + product) % 10
        product = np.where(total == 0, 10, total) * 2 % 11
    return _those(codes, ((11 - product) % 10 == digits[:, 14]) & _unlike_fillers(digits, 10))


def _digits(texts: Sequence[str], length: int, alphabet: str) -> tuple[list[str], npt.NDArray[np.int64]]:
    """The texts of that length and alphabet, and the value of each of their characters."""
    codes = [text for text in texts if len(text) == length and text.isascii()]
    values = np.full(256, _NOT_OF_IT, np.int64)
    values[np.frombuffer(alphabet.encode(), np.uint8)] = np.arange(len(alphabet))
    digits = values[np.frombuffer("".join(codes).encode(), np.uint8)].reshape(-1, length)
    fits = (digits != _NOT_OF_IT).all(axis=1)
    return [code for code, fit in zip(codes, fits, strict=True) if fit], digits[fits]


def _unlike_fillers(digits: npt.NDArray[np.int64], base: int) -> npt.NDArray[np.bool_]:
    """Neither one character throughout nor a run."""
    steps = np.diff(digits, axis=1)
    wrapped = steps % base if base == 10 else steps
    alike: npt.NDArray[np.bool_] = (steps == 0).all(axis=1)
    run: npt.NDArray[np.bool_] = (wrapped == 1).all(axis=1) | (wrapped == (9 if base == 10 else -1)).all(axis=1)
    return ~(alike | run)


def _those(codes: list[str], chosen: npt.NDArray[np.bool_]) -> frozenset[str]:
    return frozenset(code for code, is_one in zip(codes, chosen, strict=True) if is_one)
