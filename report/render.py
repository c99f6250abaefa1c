"""The page as one HTML text: style and script inside it, everything from the store escaped. Equal pages give equal bytes."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hub.periods import SHANGHAI
from report import words
from report.page import Page, error_said, feed_said, money, share, total
from report.words import Said

TEMPLATES = Path(__file__).parent / "templates"

SECTIONS: tuple[tuple[str, Said], ...] = (
    ("feeds", Said("Feeds", "接口")),
    ("missing", Said("Missing", "未到")),
    ("batches", Said("Batches", "批次")),
    ("gates", Said("Gates", "校验")),
    ("quarantine", Said("Quarantine", "隔离")),
    ("breaks", Said("Breaks", "差异")),
    ("published", Said("Published", "发布")),
    ("attempts", Said("Attempts", "执行")),
    ("invariants", Said("Invariants", "不变量")),
    ("exports", Said("Full lists", "清单")),
)

TONES: Mapping[str, str] = {
    "current": "good",
    "loaded": "good",
    "done": "good",
    "closed": "good",
    "corrected": "good",
    "accepted": "good",
    "refused": "bad",
    "failed": "bad",
    "missing": "bad",
    "open": "warn",
    "behind": "warn",
    "waiting": "warn",
    "unfinished": "warn",
    "explained": "warn",
}


@dataclass(frozen=True)
class Tile:
    """One key figure: the figure, what it is out of, what it counts, and the section that shows it."""

    figure: str
    of: str
    said: Said
    section: str
    tone: str = ""


def render(page: Page) -> str:
    script = (TEMPLATES / "enhance.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            page=page,
            facts=page.facts,
            sections=SECTIONS,
            tiles=_tiles(page),
            invariants=words.INVARIANTS,
            style=Markup((TEMPLATES / "style.css").read_text("utf-8")),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            script_hash=f"sha256-{digest}",
        )
    )


def environment() -> Environment:
    """The templates, their filters, everything escaped."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "period": period,
        "period_zh": period_zh,
        "moment": moment,
        "money": money,
        "share": share,
        "tone": lambda state: TONES.get(str(state), ""),
        "said": lambda word, table: words.said(cast("Mapping[str, Said]", getattr(words, table)), word),
        "feed_said": feed_said,
        "error_said": error_said,
        "rule_said": words.rule,
        "column_said": words.money_column,
        "entity_said": words.entity,
        "rule_meaning": words.rule_meaning,
        "rule_sides": words.rule_sides,
    }
    return environment


def _tiles(page: Page) -> Sequence[Tile]:
    facts = page.facts
    current = len(facts.feeds) - page.not_current
    newest = page.flows[0].equation if page.flows else None
    open_breaks, at_stake = total(facts.break_rules, "open"), total(facts.break_rules, "open_fen")
    return (
        Tile(f"{current}", f"/ {len(facts.feeds)}", Said("feeds current", "接口已到位"), "feeds", _tone(page.not_current > 0)),
        Tile(f"{newest.total if newest else 0:,}", "", Said("rows received, newest period", "最新账期收到行数"), "batches"),
        Tile(
            f"{page.counted - page.unbalanced}",
            f"/ {page.counted}",
            Said("batches balance", "批次平衡"),
            "batches",
            "bad" if page.unbalanced else "good",
        ),
        Tile(f"{total(facts.quarantine, 'rows'):,}", "", Said("rows in quarantine", "隔离记录"), "quarantine"),
        Tile(f"{open_breaks:,}", "", Said("breaks not settled", "未了结差异"), "breaks"),
        Tile(_short_money(at_stake), "", Said("at stake in breaks", "差异涉及金额"), "breaks"),
    )


def _tone(attention: bool) -> str:
    return "warn" if attention else "good"


def _short_money(fen: int) -> str:
    """Whole yuan: a key figure, not an account; the exact sum stands in its section."""
    return f"¥{fen // 100:,}"


def period(text: object) -> str:
    """`20260314` → `2026-03-14`, `202602` → `2026-02`."""
    digits = str(text)
    return "-".join(part for part in (digits[:4], digits[4:6], digits[6:]) if part)


def period_zh(text: object) -> str:
    digits = str(text)
    day = f"{int(digits[6:])}日" if digits[6:] else ""
    return f"{digits[:4]}年{int(digits[4:6])}月{day}"


def moment(value: object) -> str:
    return "–" if value is None else f"{cast('datetime', value).astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"
