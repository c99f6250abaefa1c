"""What the DAG files share: the fan-in asset, the hub as a task opens it, the facts a task reads from its run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset
from airflow.sdk import Connection as AirflowConnection
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret
from pydantic import SecretStr

from hub.errors import FixConnection
from hub.periods import check_kind, ends_at, now
from hub.settings import Connection, environment_connection
from schemas.contract import Contract

if TYPE_CHECKING:
    from pipeline import Hub

# One asset for all feeds, its partition key the cycle: with one asset a feed, two that finish together each open a pending
# run and neither sees all events (apache/airflow#71070). `unify` asks the ledger which feeds have passed.
BSS_CYCLE = Asset(name="bss_cycle", uri="bsshub://cycle")
ZONE = "Asia/Shanghai"
DAY_KEY, MONTH_KEY = "%Y%m%d", "%Y%m"


def calendar_ends() -> datetime | None:
    """When the sources' calendar ends: `BSSHUB_LAST_NIGHT` (YYYYMMDD) of a simulated world, whose DAGs run when triggered
    and must not ask it for tonight; None of a real one."""
    last = os.environ.get("BSSHUB_LAST_NIGHT")
    return ends_at(check_kind(last, "daily")) if last else None


@contextmanager
def opened_hub() -> Iterator[Hub]:
    """The hub of this worker's environment, sources found through Airflow. Imports the road only here, in the task."""
    from pipeline import open_hub

    with open_hub(airflow_connection) as hub:
        yield hub


def airflow_connection(conn_id: str) -> Connection:
    """The connection as Airflow knows it: its `AIRFLOW_CONN_*` variable, else a secrets backend or the metadata database.

    Raises FixConnection where there is none.
    """
    named = bool(os.environ.get(f"AIRFLOW_CONN_{conn_id.upper()}"))
    found = environment_connection(conn_id) if named else _stored_connection(conn_id)
    mask_secret(found.password.get_secret_value())
    return found


def _stored_connection(conn_id: str) -> Connection:
    try:
        stored = AirflowConnection.get(conn_id)
    except AirflowNotFoundException:
        wanted = f"define it in Airflow, or set AIRFLOW_CONN_{conn_id.upper()}"
        raise FixConnection(f"no connection {conn_id}: {wanted}", conn_id=conn_id) from None
    return Connection(
        conn_id=conn_id,
        conn_type=stored.conn_type or "",
        host=stored.host or "",
        port=stored.port,
        login=stored.login or "",
        password=SecretStr(stored.password or ""),
        schema=stored.schema or "",
        extra=json.loads(stored.extra) if stored.extra else {},
    )


def period_of(context: Any) -> str:
    """The partition key of the task's run: a feed's period, a cycle. A run without one was triggered without one."""
    key = context["dag_run"].partition_key
    if not key:
        raise ValueError(f"{context['dag_run'].run_id}: trigger with a partition key, YYYYMMDD or YYYYMM")
    return str(key)


def cycle_of(contract: Contract, period: str, conf: dict[str, Any] | None) -> str:
    """The night whose publication waits for this period: a day is its own night; a month serves the night in hand, which
    the run's `cycle` names where it is an old one, and is yesterday's otherwise."""
    if contract.period == "daily":
        return check_kind(period, "daily")
    named = (conf or {}).get("cycle")
    return check_kind(str(named), "daily") if named else f"{now() - timedelta(days=1):%Y%m%d}"


def report_cycle(context: Any, outlet_events: Any, cycle: str, *, news: bool) -> None:
    """Reports the cycle on the fan-in asset where its night is complete and not published yet as it is; else has the task
    report nothing (docs/decisions/0005). The cut-off reports in any case."""
    if news:
        # Without a key of its own the event would carry the run's, a month where the feed is monthly, and be dropped unseen.
        outlet_events[BSS_CYCLE].add_partitions(cycle)
    else:
        # What a task has for outlets when it ends is what it reports: emptied, it sends no event.
        context["task"].outlets = []
