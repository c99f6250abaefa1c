"""The steps of the road as plain functions. Airflow and the command line call these and nothing deeper."""

from adapters.feeds import PROVINCES
from pipeline.audit import verify_store, write_report
from pipeline.check import check_sources
from pipeline.cutoff import cutoff
from pipeline.gate import GateSummary, gate
from pipeline.hub import Hub, open_hub
from pipeline.load import load
from pipeline.night import CycleResult, run_cycle, run_feed
from pipeline.pull import pull
from pipeline.quarantined import explain_quarantined
from pipeline.replay import replay
from pipeline.steward import record_answer, steward_cases
from pipeline.unify import UnifySummary, has_news, unify

__all__ = [
    "PROVINCES",
    "CycleResult",
    "GateSummary",
    "Hub",
    "UnifySummary",
    "check_sources",
    "cutoff",
    "explain_quarantined",
    "gate",
    "has_news",
    "load",
    "open_hub",
    "pull",
    "record_answer",
    "replay",
    "run_cycle",
    "run_feed",
    "steward_cases",
    "unify",
    "verify_store",
    "write_report",
]
