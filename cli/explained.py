"""How `bsshub explain` shows a person what `--json` gives a program."""

from __future__ import annotations

from dataclasses import asdict

from cli.output import show
from identity.explain import Explanation

CELL_COLUMNS = {
    "attribute": "attribute", "value": "value", "system": "system", "province": "in", "source_key": "record", "rule": "rule",
    "batch_id": "batch", "row_no": "row", "file": "file",
}  # fmt: skip
DECISION_COLUMNS = ("decision_id", "kind", "verdict", "attribute", "state", "decided_by", "decided_at", "reason", "confirmed_by")


def show_explanation(explanation: Explanation) -> None:
    """Tables: attributes, their candidates where several had a say, records, kin, decisions."""
    several = {one.attribute for one in explanation.candidates if one.place > 1}
    candidates = [asdict(one) for one in explanation.candidates if one.attribute in several]
    members = [{**asdict(member), "why": "; ".join(label.en for label in member.why)} for member in explanation.members]
    kin = [{**asdict(one), "evidence": "; ".join(one.evidence)} for one in explanation.hierarchy]
    show(
        [asdict(cell) for cell in explanation.cells],
        json_output=False,
        title=f"{explanation.customer_id}: each attribute and the row that won 各属性及胜出记录",
        columns=CELL_COLUMNS,
    )
    show(
        candidates, json_output=False, title="Who else had a say, best first 候选值", empty="no attribute had several candidates"
    )
    show(members, json_output=False, title="Its source records, and why they are one 源记录及归一依据")
    show(kin, json_output=False, title="Who stands above and below 上下级", empty="nobody")
    show(
        list(explanation.decisions),
        json_output=False,
        title="What stewards decided of it 数据专员裁定",
        empty="nothing",
        columns=DECISION_COLUMNS,
    )
