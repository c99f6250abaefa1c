"""Registered codes with their check digits: organisation code (GB 11714), USCC (GB 32100-2015), licence (GS15-2006)."""

from __future__ import annotations

import random

USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = tuple(3**i % 31 for i in range(17))
_ORG_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_ORG_LETTERS = "MNPQ"
_ORG_BODY = "0123456789ACDEFGHJKLMNPQRTUWXY"

# Codes that many unrelated firms share: fillers clerks type, and one real agent's code copied onto its clients.
JUNK_USCCS = ("111111111111111111", "000000000000000000", "123456789012345678", "91440101MA59AGNT0L")


def org_check(body: str) -> str:
    """Check character of an 8-character organisation code body."""
    rest = 11 - sum(int(c, 36) * w for c, w in zip(body, _ORG_WEIGHTS, strict=True)) % 11
    return {10: "X", 11: "0"}.get(rest, str(rest))


def uscc_check(body: str) -> str:
    """Check character of a 17-character USCC body."""
    total = sum(USCC_ALPHABET.index(c) * w for c, w in zip(body, _USCC_WEIGHTS, strict=True))
    return USCC_ALPHABET[-total % 31]


def uscc_valid(code: str) -> bool:
    """True for an 18-character code of the right alphabet with the right check character."""
    return len(code) == 18 and all(c in USCC_ALPHABET for c in code) and uscc_check(code[:17]) == code[17]


def licence_check(body: str) -> str:
    """Check digit of a 14-digit licence body (ISO 7064 MOD 11,10)."""
    p = 10
    for c in body:
        p = ((int(c) + p) % 10 or 10) * 2 % 11
    return str((11 - p) % 10)


class CodeMint:
    """Issues codes no other firm of this world has."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._taken: set[str] = set()

    def org_code(self, modern: bool) -> str:
        """A new 9-character organisation code; modern ones (after 2015) start `MA`, old ones are digits."""
        while True:
            if modern:
                body = "MA" + self._rng.choice("5123") + "".join(self._rng.choices(_ORG_BODY, k=5))
            else:
                body = f"{self._rng.randrange(10_000_000, 80_000_000)}"
            if body not in self._taken:
                self._taken.add(body)
                return body + org_check(body)

    def licence_no(self, region_code: str) -> str:
        """A 15-digit licence number of a region; uniqueness by the caller's large range."""
        body = f"{region_code}{self._rng.randrange(1, 100_000_000):08d}"
        return body + licence_check(body)

    def pilot_uscc(self) -> str:
        """A pilot-era code `9135xxxxM000…`: genuine, yet its check character is wrong."""
        while True:
            body = f"9135{self._rng.choice(('0100', '0200', '0300', '0500'))}M000{self._rng.randrange(100_000):05d}"
            code = body + self._rng.choice([c for c in USCC_ALPHABET if c != uscc_check(body)])
            if body not in self._taken:
                self._taken.add(body)
                return code


def uscc(department: str, region_code: str, org_code: str) -> str:
    """The USCC of a firm: department and type (2), region (6), organisation code (9), check (1)."""
    body = f"{department}{region_code}{org_code}"
    return body + uscc_check(body)


def rounded_by_excel(code: str) -> str:
    """What Excel leaves of an 18-digit number: 15 significant digits, then zeros."""
    return code[:15] + "000"
