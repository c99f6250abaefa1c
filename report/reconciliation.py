"""The page of reconciliation beside the report: money at stake by rule, age, owner and system, root causes, trend, signed months,
breaks with both sides' rows and what people did. Read only, from one snapshot; equal stores make equal pages."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from sqlalchemy import Connection

from hub.money import yuan
from reconcile.explain import Explanation, explain_in
from reconcile.figures import FIGURES
from report import breaks, words
from report.charts import Bars, Trend, bars, trend
from report.queries import publication
from report.render import TEMPLATES, environment
from report.words import Said

BREAKS_SHOWN = 40
CAUSES_SHOWN = 30

SECTIONS: tuple[tuple[str, Said], ...] = (
    ("stake", Said("At stake", "涉及金额")),
    ("causes", Said("Root causes", "根因")),
    ("trend", Said("Trend", "趋势")),
    ("signed", Said("Sign-off", "签核")),
    ("drill", Said("Breaks", "差异明细")),
    ("waivers", Said("Waivers", "豁免")),
    ("requests", Said("Corrections asked", "更正请求")),
)
SYSTEM_NAMES = {code: f"{said.en} {said.zh}" for code, said in words.SYSTEMS.items()}


@dataclass(frozen=True)
class Charts:
    by_rule: Bars
    by_age: Bars
    by_owner: Bars
    by_system: Bars
    money: Trend
    count: Trend


@dataclass(frozen=True)
class Ledger:
    """Everything the page is made of. `drill`: the breaks with most money at stake, each explained."""

    publication: Mapping[str, object] | None
    standing: int
    unsettled: int
    waived: int
    counted_fen: int
    charts: Charts
    causes: Sequence[Mapping[str, object]]
    nights: Sequence[Mapping[str, object]]
    months: Sequence[Mapping[str, object]]
    signatures: Sequence[Mapping[str, object]]
    drill: Sequence[Explanation]
    waivers: Sequence[Mapping[str, object]]
    requests: Sequence[Mapping[str, object]]


def read_ledger(connection: Connection) -> Ledger:
    """The ledger as it stands: what people did since the last publication is in it."""
    rules = breaks.sums(connection, "rule")
    listed = [row for row in breaks.listing(connection, limit=BREAKS_SHOWN) if row["state"] != "closed"]
    nights = breaks.trend(connection)
    return Ledger(
        publication=publication(connection),
        standing=_sum(rules, "breaks"),
        unsettled=_sum(rules, "unsettled"),
        waived=_sum(rules, "waived"),
        counted_fen=_sum(rules, "counted_fen"),
        charts=_charts(connection, rules, nights),
        causes=breaks.causes(connection, CAUSES_SHOWN),
        nights=nights,
        months=breaks.months(connection),
        signatures=breaks.signatures(connection),
        drill=[explain_in(connection, str(row["break_id"])) for row in listed],
        waivers=breaks.waivers(connection),
        requests=breaks.requests(connection),
    )


def render_ledger(ledger: Ledger) -> str:
    """The page as one HTML text."""
    script = (TEMPLATES / "enhance.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        environment()
        .get_template("reconciliation.html.j2")
        .render(
            ledger=ledger,
            sections=SECTIONS,
            figures=FIGURES,
            style=Markup((TEMPLATES / "style.css").read_text("utf-8")),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            script_hash=f"sha256-{digest}",
        )
    )


def _charts(connection: Connection, rules: Sequence[Mapping[str, object]], nights: Sequence[Mapping[str, object]]) -> Charts:
    named = [{**row, "rule": " ".join(words.rule(row["rule"]))} for row in rules]
    systems = [
        {**row, "system": SYSTEM_NAMES.get(str(row["system"]), row["system"])} for row in breaks.sums(connection, "system")
    ]
    owners = [
        {**row, "owner": " ".join(words.said(words.OWNERS, row["owner"] or "–")).strip()}
        for row in breaks.sums(connection, "owner")
    ]
    ages = [{**row, "age": f"{row['age']} days 天"} for row in breaks.sums(connection, "age")]
    return Charts(
        by_rule=bars("Money at stake by rule", named, "rule", "counted_fen", yuan),
        by_age=bars("Money at stake by age in days", ages, "age", "counted_fen", yuan),
        by_owner=bars("Money at stake by owner", owners, "owner", "counted_fen", yuan),
        by_system=bars("Money at stake by system", systems, "system", "counted_fen", yuan),
        money=trend("Money in breaks by night", nights, "money_fen", yuan),
        count=trend("Breaks by night", nights, "breaks", "{:,}".format),
    )


def _sum(rows: Sequence[Mapping[str, object]], name: str) -> int:
    return sum(int(str(row[name] or 0)) for row in rows)
