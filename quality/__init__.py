"""The gate every batch passes: rules said once and rendered three ways, the verdict, the quarantine."""

from quality.gate import gate
from quality.render_pydantic import explain_row
from quality.verdict import RuleResult, Verdict

__all__ = ["RuleResult", "Verdict", "explain_row", "gate"]
