"""Closing a month: what would be signed, and the signature. The command line and the `close_period` DAG call these."""

from __future__ import annotations

from hub.money import yuan
from pipeline.hub import Hub
from reconcile.figures import FIGURES
from reconcile.signoff import Proposal, propose, sign
from store.attempts import attempt


def propose_period(hub: Hub, period: str) -> Proposal:
    """The figures of a month (`YYYYMM`) as published, and what stands in the way of signing them."""
    return propose(hub.engine, period)


def close_period(
    hub: Hub, period: str, *, by: str, note: str = "", expected: str | None = None, run_id: str | None = None
) -> int:
    """Signs the month; the signature's id. `expected`: the digest of the figures the person was shown.

    Raises NotAllowed as `reconcile.signoff.sign` does.
    """
    with attempt(hub.engine, "sign", period=period, run_id=run_id):
        return sign(hub.engine, period, by=by, note=note, expected=expected)


def figure_shown(figure: str, value: int) -> str:
    """A figure's value for a person: money in yuan, counts as they are."""
    return yuan(value) if figure.endswith("_fen") else f"{value:,}"


def proposal_text(proposal: Proposal) -> str:
    """The proposal as Markdown, in both languages, for the person who signs."""
    lines = [f"## {proposal.period}", f"Publication {proposal.publication_id} · 发布 {proposal.publication_id}", ""]
    lines += ["| Province 省份 | Figure 数字 | |", "|---|---|---:|"]
    for one in proposal.figures:
        label = FIGURES[one.figure]
        lines.append(f"| {one.province} | {label.en} · {label.zh} | {figure_shown(one.figure, one.value)} |")
    if proposal.unsettled:
        lines += ["", "Critical breaks not settled · 未了结的严重差异:"]
        lines += [f"- {rule}: {count:,}" for rule, count in proposal.unsettled.items()]
    return "\n".join(lines)
