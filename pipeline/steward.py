"""The steward's queue as cases to hand to people, and what they answer: what the Airflow task and any other form calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.errors import NotAllowed
from identity import desk
from identity.decisions import Record, decide_pair, verdict_of
from pipeline.hub import Hub

CASES = 20


def steward_cases(hub: Hub, limit: int = CASES) -> list[dict[str, str]]:
    """The likeliest open pairs: `a`, `b` (records), and what a person reads, `subject` and `body` (Markdown, both languages).
    Firms' names and how far the records agree, no personal value."""
    return [_case(row) for row in desk.queue(hub.engine, state="open", limit=limit)]


def record_answer(hub: Hub, case: Mapping[str, str], verdict: str, *, by: str, reason: str) -> str:
    """Notes a person's verdict on a case and says so. Told twice (a task killed after it was noted), or decided by somebody else
    meanwhile, the decision that stands is left."""
    one, other = Record.parse(case["a"]), Record.parse(case["b"])
    try:
        decision = decide_pair(
            hub.engine, one, other, verdict_of(verdict), by=by, reason=reason, four_eyes=hub.settings.four_eyes
        )
    except NotAllowed as refused:
        if "decision_id" not in refused.facts:
            raise
        return refused.message
    return f"decision {decision.decision_id}: {verdict}, {decision.state}"


def _case(row: Mapping[str, Any]) -> dict[str, str]:
    first, second = ((row[name] or "–").replace("|", "｜") for name in ("a_name", "b_name"))  # a bar would end the table's cell
    subject = f"{first} / {second}: one customer? 是否同一客户?"
    body = (
        f"| record 记录 | name 名称 | customer 客户 |\n|---|---|---|\n"
        f"| `{row['a']}` | {first} | {row['customer_a']} |\n| `{row['b']}` | {second} | {row['customer_b']} |\n\n"
        f"Weight 权重: **{row['weight']:+.1f}** bits\n\n{row['why']}\n\n{row['why_zh']}\n\n"
        f"In full 详情: `bsshub steward show {row['pair']}`"
    )
    return {"pair": str(row["pair"]), "a": str(row["a"]), "b": str(row["b"]), "subject": subject, "body": body}
