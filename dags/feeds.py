"""One Airflow DAG a feed and province, all from `adapters.feeds` by one factory: pull → gate → load.

A run is partitioned by the feed's period (`YYYYMMDD`, `YYYYMM`). Between tasks go batch ids only. A feed that, once loaded,
leaves `unify` (nightly.py) work to do reports the cycle on the fan-in asset that it listens to.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, CronPartitionTimetable, Param, get_current_context, get_parsing_context, task

from adapters.feeds import FEEDS, PROVINCES
from dags.policy import TASK_DEFAULTS, waiting_until
from dags.wiring import BSS_CYCLE, DAY_KEY, MONTH_KEY, ZONE, calendar_ends, cycle_of, opened_hub, period_of, report_cycle
from schemas.contract import Contract

# From an hour after midnight until the feed is due, `pull` looks again and again (policy.py).
DAILY, MONTHLY = "0 1 * * *", "0 1 1 * *"


def dag_id_of(contract: Contract, province: str) -> str:
    return f"{contract.system}_{contract.feed}_{province}"


def feed_dag(contract: Contract, province: str) -> DAG:
    """The DAG of one feed instance."""
    daily = contract.period == "daily"
    dag = DAG(
        dag_id=dag_id_of(contract, province),
        dag_display_name=f"{contract.feed_id} {province} {contract.label.zh}",
        description=f"{contract.label.en} {contract.label.zh}, {province}, {contract.period}",
        doc_md=document(contract, province),
        # The period that has just ended: one tick before the one that runs. The key is written in Shanghai time.
        schedule=CronPartitionTimetable(
            DAILY if daily else MONTHLY, timezone=ZONE, run_offset=-1, key_format=DAY_KEY if daily else MONTH_KEY
        ),
        catchup=False,
        end_date=calendar_ends(),
        max_active_runs=4,
        tags={contract.system, province, contract.entity, contract.period},
        params={} if daily else {"cycle": Param(None, type=["null", "string"], description="the night it serves, YYYYMMDD")},
        default_args={**TASK_DEFAULTS, "owner": contract.owner},
    )
    with dag:
        steps(contract, province)
    return dag


def steps(contract: Contract, province: str) -> None:
    """The three tasks; each may be killed at any instant and run again."""

    @task
    def pull() -> list[int]:
        from pipeline import pull as pull_feed

        context = get_current_context()
        period = period_of(context)
        with waiting_until(contract.due_at(period)), opened_hub() as hub:
            return list(pull_feed(hub, contract.feed_id, province, period, run_id=context["dag_run"].run_id))

    @task
    def gate(batch_ids: list[int]) -> list[int]:
        from pipeline import gate as gate_batches

        with opened_hub() as hub:
            judged = gate_batches(hub, batch_ids, run_id=get_current_context()["dag_run"].run_id)
        return [summary.batch_id for summary in judged if summary.accepted]

    @task(outlets=[BSS_CYCLE], do_xcom_push=False)
    def load(batch_ids: list[int], *, outlet_events: Any = None) -> None:
        from pipeline import has_news
        from pipeline import load as load_batches

        context = get_current_context()
        cycle = cycle_of(contract, period_of(context), context["dag_run"].conf)
        with opened_hub() as hub:
            load_batches(hub, batch_ids, run_id=context["dag_run"].run_id)
            news = has_news(hub, cycle)
        report_cycle(context, outlet_events, cycle, news=news)

    load(gate(pull()))  # type: ignore[arg-type]  # what travels is an XCom's name


def document(contract: Contract, province: str) -> str:
    """What the DAG's page in Airflow says: the contract in both languages."""
    rows = "\n".join(
        f"| {column.name} | {column.source} | {column.type.value} | {column.label.en} | {column.label.zh} "
        f"| {'key' if column.name in contract.key else ''}{' personal' if column.personal else ''} |"
        for column in contract.columns
    )
    due = f"day {contract.due_day} of the next month" if contract.due_day else "the next day"
    return (
        f"# {contract.label.en} · {contract.label.zh}\n\n"
        f"`{contract.feed_id}` of `{province}`, unit {contract.unit}, {contract.period}, {contract.mode.value}; "
        f"due {due} at {contract.due_hour:02d}:00 (Asia/Shanghai). Owner: {contract.owner}. "
        f"Fills `core.{contract.entity}`. Connection: `bss_{contract.system}_{province}`.\n\n"
        f"| column | source | type | label | 名称 | |\n|---|---|---|---|---|---|\n{rows}\n"
    )


# A worker that runs one task needs one DAG; the processor, which names none, gets them all.
_wanted = get_parsing_context().dag_id
for _feed in FEEDS.values():
    for _province in PROVINCES:
        if _wanted in (None, dag_id_of(_feed.contract, _province)):
            globals()[dag_id_of(_feed.contract, _province)] = feed_dag(_feed.contract, _province)
