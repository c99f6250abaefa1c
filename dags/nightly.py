"""The two DAGs of a night: `cutoff` names the feeds that did not come, `unify` makes and publishes one truth of the rest.

Both are partitioned by the cycle, `YYYYMMDD`. `unify` runs on the fan-in asset, once an event, one run at a time; which
feeds have passed it asks the ledger, and it ends at once where the night is incomplete or already published as it is.
"""

from __future__ import annotations

import logging
from typing import Any

from airflow.sdk import DAG, CronPartitionTimetable, PartitionedAssetTimetable, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from adapters.feeds import FEEDS
from dags.policy import TASK_DEFAULTS
from dags.wiring import BSS_CYCLE, DAY_KEY, ZONE, calendar_ends, opened_hub, period_of, report_cycle

OWNER = "bsshub@operator"
DUE_HOUR = max(feed.contract.due_hour for feed in FEEDS.values() if feed.contract.period == "daily")

log = logging.getLogger(__name__)

with DAG(
    dag_id="cutoff",
    dag_display_name="cutoff 截止点名",
    description="At the due time, names the feeds that did not come; the night goes on without them",
    doc_md=__doc__,
    schedule=CronPartitionTimetable(f"0 {DUE_HOUR} * * *", timezone=ZONE, run_offset=-1, key_format=DAY_KEY),
    catchup=False,
    end_date=calendar_ends(),
    max_active_runs=1,
    tags={"night"},
    default_args={**TASK_DEFAULTS, "owner": OWNER},
) as cutoff_dag:

    @task(outlets=[BSS_CYCLE], do_xcom_push=False)
    def cutoff(*, outlet_events: Any = None) -> None:
        from pipeline import cutoff as cut_off

        context = get_current_context()
        cycle = period_of(context)
        with opened_hub() as hub:
            missing = cut_off(hub, cycle, run_id=context["dag_run"].run_id)
        for instance in missing:
            log.warning("cycle %s: did not come: %s", cycle, instance)
        report_cycle(context, outlet_events, cycle, news=True)

    cutoff()

with DAG(
    dag_id="unify",
    dag_display_name="unify 归一对账发布",
    description="Resolve, reconcile, publish and report one night, as soon as the ledger says it is complete",
    doc_md=__doc__,
    schedule=PartitionedAssetTimetable(assets=BSS_CYCLE),
    catchup=False,
    max_active_runs=1,
    tags={"night"},
    default_args={**TASK_DEFAULTS, "owner": OWNER, "retries": 3},
) as unify_dag:

    @task(do_xcom_push=False)
    def unify() -> None:
        from pipeline import unify as unify_cycle

        context = get_current_context()
        with opened_hub() as hub:
            summary = unify_cycle(hub, period_of(context), run_id=context["dag_run"].run_id)
        log.info("%s", summary.sentence())
        if summary.publication_id is None:
            raise AirflowSkipException(summary.reason)

    unify()
