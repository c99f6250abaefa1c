"""What Airflow does next, by the kind of error."""

from __future__ import annotations

from datetime import datetime, timedelta

import psycopg
import pytest
import sqlalchemy.exc
from airflow.sdk import RetryAction
from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException, AirflowTaskTimeout

from dags import policy
from dags.policy import LOOK_AGAIN_AFTER, ByNextMove, waiting_until
from hub import errors
from hub.periods import SHANGHAI

NOW = datetime(2026, 3, 6, 8, tzinfo=SHANGHAI)
RETRIED = [
    errors.RetryLater("429"),
    errors.NotYetDelivered("no file"),
    ConnectionRefusedError(),
    TimeoutError(),
    AirflowTaskTimeout(),
    psycopg.OperationalError("server closed the connection"),
    sqlalchemy.exc.OperationalError("select 1", {}, Exception()),
]
FAILED = [
    errors.HubError("…"),
    errors.RefuseDelivery("rows differ", code="F03"),
    errors.OutOfOrder("correction across the month", code="F08"),
    errors.FixConnection("wrong password"),
    errors.FixContract("a column is new"),
    errors.InvariantBroken("rows do not add up"),
    errors.NotFound("no feed"),
    KeyError("a defect of ours"),
    psycopg.errors.UniqueViolation("duplicate key"),
]


@pytest.mark.parametrize("error", RETRIED, ids=lambda error: type(error).__name__)
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    assert ByNextMove().evaluate(error, 1, 5).action is RetryAction.RETRY


@pytest.mark.parametrize("error", FAILED, ids=lambda error: type(error).__name__)
def test_what_a_person_or_a_new_delivery_must_mend_fails_at_once(error: Exception) -> None:
    assert ByNextMove().evaluate(error, 1, 5).action is RetryAction.FAIL


def test_every_kind_of_hub_error_is_decided_by_its_own_word() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.HubError)]
    assert len(kinds) > 6
    for kind in kinds:
        error = kind("…", code="F01") if issubclass(kind, errors.RefuseDelivery) else kind("…")
        granted = ByNextMove().evaluate(error, 1, 5).action
        assert granted is (RetryAction.RETRY if kind.retry else RetryAction.FAIL), kind


def test_the_reason_names_the_kind_and_quotes_nothing_of_the_error() -> None:
    reason = ByNextMove().evaluate(errors.FixConnection("password hunter2 refused"), 1, 5).reason
    assert reason is not None
    assert "FixConnection" in reason
    assert "hunter2" not in reason


def test_before_it_is_due_a_missing_delivery_is_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "now", lambda: NOW)
    with pytest.raises(AirflowRescheduleException) as raised, waiting_until(NOW + timedelta(hours=1)):
        raise errors.NotYetDelivered("no file")
    assert raised.value.reschedule_date == NOW + LOOK_AGAIN_AFTER


def test_the_last_look_is_when_it_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "now", lambda: NOW)
    due = NOW + LOOK_AGAIN_AFTER / 2
    with pytest.raises(AirflowRescheduleException) as raised, waiting_until(due):
        raise errors.NotYetDelivered("no file")
    assert raised.value.reschedule_date == due


def test_once_due_it_fails_and_says_since_when(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "now", lambda: NOW)
    with pytest.raises(AirflowFailException, match=r"overdue since 2026-03-06 08:00.*no file"), waiting_until(NOW):
        raise errors.NotYetDelivered("no file")


def test_other_errors_go_through_untouched() -> None:
    with pytest.raises(errors.FixConnection), waiting_until(NOW):
        raise errors.FixConnection("wrong password")
