"""The steward's desk in Airflow: each morning the likeliest pairs of the review queue are asked of people, one form a pair.

Airflow's own human-in-the-loop task asks; who answers is the person logged in. What nobody answers before the next morning stays
in the queue, as it was, and is asked again if it is still among the likeliest. A decision takes effect at the next `unify`; with
`BSSHUB_FOUR_EYES` once a second person has confirmed it (`bsshub steward confirm`).
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG, CronTriggerTimetable, Param, task, task_group
from airflow.sdk.exceptions import AirflowSkipException

from dags.policy import TASK_DEFAULTS
from dags.wiring import ZONE, calendar_ends, opened_hub

OWNER = "bsshub@operator"
VERDICTS = {"Same customer 同一客户": "same", "Different customers 不同客户": "different", "Cannot tell 无法判断": "unsure"}
UNANSWERED = "Cannot tell 无法判断"
ANSWERED_WITHIN = timedelta(hours=23)

log = logging.getLogger(__name__)

with DAG(
    dag_id="steward",
    dag_display_name="steward 数据专员审核",
    description="Asks people about the pairs of records that the model would not decide alone",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("30 9 * * 1-5", timezone=ZONE),
    catchup=False,
    end_date=calendar_ends(),
    # While the pairs of a morning wait for their answers another run would ask the same.
    max_active_runs=1,
    tags={"steward"},
    default_args={**TASK_DEFAULTS, "owner": OWNER},
) as steward_dag:

    @task
    def cases() -> list[dict[str, str]]:
        from pipeline import steward_cases

        with opened_hub() as hub:
            return steward_cases(hub)

    @task_group
    def pair(case: dict[str, str]) -> None:
        @task
        def told(case: dict[str, str]) -> dict[str, str]:
            """A mapped group's argument has no parts that a template could take; this task's XCom has."""
            return case

        @task(do_xcom_push=False)
        def record(case: dict[str, str], answer: dict[str, Any]) -> None:
            person = answer["responded_by_user"]
            if person is None:
                raise AirflowSkipException("nobody answered in time; the pair stays in the queue")
            from pipeline import record_answer

            reason = answer["params_input"].get("reason") or "answered in Airflow"
            verdict = VERDICTS[answer["chosen_options"][0]]
            with opened_hub() as hub:
                log.info("%s", record_answer(hub, case, verdict, by=person["name"], reason=reason))

        asked = told(case)
        answer = HITLOperator(
            task_id="judge",
            subject=asked["subject"],  # type: ignore[index]  # what travels is an XCom's name
            body=asked["body"],  # type: ignore[index]
            options=list(VERDICTS),
            defaults=UNANSWERED,
            params={"reason": Param("", type="string", title="Reason 理由", maxLength=400)},
            response_timeout=ANSWERED_WITHIN,
        )
        record(asked, answer.output)

    pair.expand(case=cases())
