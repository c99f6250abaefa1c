"""Closing a month in Airflow: its figures are shown to a person, who signs them or does not.

Triggered by hand, with the month as `period`. Airflow's own human-in-the-loop task asks; who answers is the person logged in,
whose name stands on the signature. Only the figures that were shown are signed: if they change meanwhile, or a critical break of
the month is not settled, the run fails and says so, and nothing is signed.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from dags.policy import TASK_DEFAULTS
from dags.wiring import calendar_ends, opened_hub

OWNER = "bsshub@operator"
SIGN, LEAVE = "Sign 签核", "Do not sign 不签核"
ANSWERED_WITHIN = timedelta(days=5)

log = logging.getLogger(__name__)

with DAG(
    dag_id="close_period",
    dag_display_name="close_period 账期签核",
    description="Shows a month's figures to a person, who signs them; a later change of one is a break of its own",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    end_date=calendar_ends(),
    max_active_runs=1,
    tags={"sign-off"},
    params={"period": Param("", type="string", pattern=r"^[0-9]{6}$", description="the month to close, YYYYMM")},
    default_args={**TASK_DEFAULTS, "owner": OWNER},
) as close_period_dag:

    @task
    def propose() -> dict[str, str]:
        from pipeline.close import proposal_text, propose_period

        period = str(get_current_context()["params"]["period"])
        with opened_hub() as hub:
            proposal = propose_period(hub, period)
        return {"period": period, "digest": proposal.digest, "body": proposal_text(proposal)}

    @task(do_xcom_push=False)
    def sign(shown: dict[str, str], answer: dict[str, Any]) -> None:
        person = answer["responded_by_user"]
        if person is None or answer["chosen_options"] != [SIGN]:
            raise AirflowSkipException("the month was not signed")
        from pipeline.close import close_period

        note = answer["params_input"].get("note") or ""
        run_id = get_current_context()["dag_run"].run_id
        with opened_hub() as hub:
            signature_id = close_period(
                hub, shown["period"], by=person["name"], note=note, expected=shown["digest"], run_id=run_id
            )
        log.info("%s signed as %s by %s", shown["period"], signature_id, person["name"])

    proposal = propose()
    answer = HITLOperator(
        task_id="ask",
        subject="Close {{ params.period }} 签核账期 {{ params.period }}",
        body=proposal["body"],  # type: ignore[index]  # what travels is an XCom's name
        options=[SIGN, LEAVE],
        defaults=LEAVE,
        params={"note": Param("", type="string", title="Note 说明", maxLength=400)},
        response_timeout=ANSWERED_WITHIN,
    )
    sign(proposal, answer.output)  # type: ignore[arg-type]
