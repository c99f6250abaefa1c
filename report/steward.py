"""The steward's page beside the report: the queue with what speaks for and against each pair, decisions, what happened to ids,
signals. Read only, from one snapshot; equal stores make equal pages."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from sqlalchemy import Connection, text

from identity import desk
from identity.wording import VERDICTS, because, happened
from report.queries import publication
from report.render import TEMPLATES, environment
from report.words import Said
from schemas.contract import Label

PAIRS_SHOWN = 200
DECISIONS_SHOWN = 500
EVENTS_SHOWN = 300
SIGNALS_SHOWN = 300

SECTIONS: tuple[tuple[str, Said], ...] = (
    ("queue", Said("Review queue", "待审队列")),
    ("decisions", Said("Decisions", "裁定")),
    ("events", Said("What happened to ids", "编号变动")),
    ("signals", Said("Signals", "异常信号")),
)
STATES: Mapping[str, Said] = {
    "open": Said("open", "待审"),
    "unsure": Said("could not be told", "无法判断"),
    "proposed": Said("waits for a second person", "待复核"),
    "decided": Said("decided", "已裁定"),
    "standing": Said("standing", "有效"),
    "withdrawn": Said("withdrawn", "已撤回"),
}
# What creates an id is in the lists of customers; here stands what changes one.
_EVENTS = """
select e.recorded_from as sequence, e.customer_id, e.kind, nullif(e.other_id, '') as other_id, e.records, e.cause, r.ran_at
from core.identity_event e left join hub.identity_run r on r.seq = e.recorded_from
where e.kind <> 'minted'
order by e.recorded_from desc, e.customer_id, e.kind, e.other_id limit :limit
"""
_TOTALS = """
select (select count(*) from core.review_pair where recorded_to is null) as pairs,
    (select count(*) from hub.steward_decision) as decisions,
    (select count(*) from core.identity_event where kind <> 'minted') as events,
    (select coalesce(sum(times), 0)::bigint from core.identity_signal where recorded_to is null) as signals
"""
_SIGNAL_KINDS = """
select kind, sum(times)::bigint as times from core.identity_signal where recorded_to is null
group by kind order by times desc, kind
"""


@dataclass(frozen=True)
class Desk:
    """Everything the page is made of. The lists are the first of so many as `totals` says."""

    publication: Mapping[str, object] | None
    pairs: Sequence[Mapping[str, Any]]
    decisions: Sequence[Mapping[str, Any]]
    events: Sequence[Mapping[str, Any]]
    signal_kinds: Sequence[Mapping[str, Any]]
    signals: Sequence[Mapping[str, Any]]
    totals: Mapping[str, int]


def read_desk(connection: Connection) -> Desk:
    """The desk as the store stands now: a steward works on what is newest, published or not."""
    events = connection.execute(text(_EVENTS), {"limit": EVENTS_SHOWN}).mappings()
    return Desk(
        publication=publication(connection),
        pairs=desk.queue(connection, limit=PAIRS_SHOWN),
        decisions=desk.decisions(connection, limit=DECISIONS_SHOWN),
        events=[_event(dict(row)) for row in events],
        signal_kinds=[dict(row) for row in connection.execute(text(_SIGNAL_KINDS)).mappings()],
        signals=desk.signals(connection, limit=SIGNALS_SHOWN),
        totals=dict(connection.execute(text(_TOTALS)).mappings().one()),
    )


def render_desk(shown: Desk) -> str:
    script = (TEMPLATES / "enhance.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    template = environment().get_template("steward.html.j2")
    return template.render(
        desk=shown,
        sections=SECTIONS,
        states=STATES,
        verdicts={word: _pair(label) for word, label in VERDICTS.items()},
        style=Markup((TEMPLATES / "style.css").read_text("utf-8")),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        script_hash=f"sha256-{digest}",
    )


def _event(row: dict[str, Any]) -> dict[str, Any]:
    told, why = happened(row["kind"], row["other_id"], row["records"]), because(row["cause"])
    return {**row, "happened": _pair(told), "because": _pair(why)}


def _pair(label: Label) -> Said:
    return Said(label.en, label.zh)
