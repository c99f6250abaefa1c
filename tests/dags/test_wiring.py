"""Connections as a task finds them."""

from __future__ import annotations

import json

import pytest
from airflow.sdk import Connection as AirflowConnection
from airflow.sdk.exceptions import AirflowNotFoundException

from dags import wiring
from dags.wiring import airflow_connection
from hub.errors import FixConnection

STORED = AirflowConnection(
    conn_id="bss_crm_gd",
    conn_type="http",
    host="crm.gd",
    port=8443,
    login="hub",
    password="s3cret",
    extra=json.dumps({"prefix": "/gd"}),
)


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_BSS_CRM_GD", raising=False)


def test_a_connection_stored_in_airflow_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AirflowConnection, "get", lambda conn_id: STORED if conn_id == "bss_crm_gd" else None)
    found = airflow_connection("bss_crm_gd")
    assert (found.conn_type, found.host, found.port, found.login) == ("http", "crm.gd", 8443, "hub")
    assert found.password.get_secret_value() == "s3cret"
    assert found.extra == {"prefix": "/gd"}


def test_the_variable_comes_first_and_is_read_as_outside_airflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AirflowConnection, "get", lambda _: STORED)
    monkeypatch.setenv("AIRFLOW_CONN_BSS_CRM_GD", json.dumps({"conn_type": "sftp", "host": "other", "schema": "/drop"}))
    found = airflow_connection("bss_crm_gd")
    assert (found.conn_type, found.host, found.schema) == ("sftp", "other", "/drop")


def test_its_password_is_masked_in_the_tasks_log(monkeypatch: pytest.MonkeyPatch) -> None:
    masked: list[str] = []
    monkeypatch.setattr(wiring, "mask_secret", masked.append)
    monkeypatch.setattr(AirflowConnection, "get", lambda _: STORED)
    airflow_connection("bss_crm_gd")
    assert masked == ["s3cret"]


def test_a_missing_connection_says_what_to_define(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: str) -> AirflowConnection:
        raise AirflowNotFoundException

    monkeypatch.setattr(AirflowConnection, "get", none)
    with pytest.raises(FixConnection, match="AIRFLOW_CONN_BSS_CRM_GD"):
        airflow_connection("bss_crm_gd")
