"""The gate every batch passes: rules said once and rendered three ways, the verdict, the quarantine."""

from quality.gate import judge
from quality.quarantine import write_quarantine
from quality.render_pydantic import explain_row
from quality.verdict import RuleResult, Verdict

__all__ = ["RuleResult", "Verdict", "explain_row", "judge", "write_quarantine"]
