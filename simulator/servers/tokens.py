"""OAuth2 client credentials: who may have a token, and how long it serves."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from simulator.servers.rudeness import Rudeness


@dataclass(frozen=True)
class Login:
    name: str
    password: str = field(repr=False)

    def accepts(self, name: str, password: str) -> bool:
        right_name = hmac.compare_digest(self.name.encode(), name.encode())
        return hmac.compare_digest(self.password.encode(), password.encode()) and right_name


def basic_login(header: str) -> tuple[str, str]:
    """Name and password of an HTTP Basic header; two empty strings where it is none."""
    scheme, _, packed = header.partition(" ")
    try:
        name, _, password = base64.b64decode(packed, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return (name, password) if scheme.lower() == "basic" else ("", "")


@dataclass
class _Token:
    province: str
    ends: float
    uses_left: int | None


class TokenDesk:
    """Issues tokens and honours them until their time or their uses run out, or they are revoked.

    A count of uses, beside the time, lets a pull meet an expired token at the same page on every machine.
    """

    def __init__(self, logins: Mapping[str, Login], rudeness: Rudeness, clock: Callable[[], float]) -> None:
        self._logins = logins
        self._rudeness = rudeness
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: dict[str, _Token] = {}

    def issue(self, province: str, name: str, password: str) -> str | None:
        """None where the login is refused."""
        if not self._logins[province].accepts(name, password):
            return None
        token = secrets.token_urlsafe(24)
        now = self._clock()
        with self._lock:
            self._tokens = {text: each for text, each in self._tokens.items() if each.ends > now}
            self._tokens[token] = _Token(province, now + self._rudeness.token_life_s, self._rudeness.token_uses)
        return token

    def admit(self, province: str, token: str) -> bool:
        with self._lock:
            known = self._tokens.get(token)
            if known is None or known.province != province or known.ends <= self._clock() or known.uses_left == 0:
                return False
            if known.uses_left is not None:
                known.uses_left -= 1
            return True

    def revoke(self, token: str) -> None:
        with self._lock:
            self._tokens.pop(token, None)
