"""One place that sets up logs, and one place that redacts them."""

from __future__ import annotations

import logging
import re

_SECRETS = (
    re.compile(r"(?i)(authorization['\"]?\s*[:=]\s*['\"]?(?:bearer|basic)\s+)[^\s'\",]+"),
    re.compile(r"(?i)((?:password|passwd|pwd|secret|token|callerpwd)['\"]?\s*[:=]\s*['\"]?)[^\s'\"&,;<]+"),
    re.compile(r"(://[^:/@\s]+:)[^@\s]+(?=@)"),
    re.compile(r"(<callerPwd>)[^<]*"),
)


def redact(text: str) -> str:
    """The text with whatever looks like a credential replaced by `***`."""
    for pattern in _SECRETS:
        text = pattern.sub(r"\1***", text)
    return text


class _Redacting(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def configure(level: int = logging.INFO) -> None:
    """Logs to stderr, redacted. Libraries that log requests at INFO are held at WARNING."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Redacting("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("paramiko", "zeep", "urllib3", "great_expectations", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
