"""Periods, money, settings and redaction."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import FixConnection, HubError
from hub.logging import redact
from hub.money import fen_from_yuan, yuan
from hub.periods import ends_at, first_day, following, period_for_cycle, preceding, starts_at
from hub.settings import environment_connection

DAYS = st.dates().map(lambda day: f"{day:%Y%m%d}")
CONN = "AIRFLOW_CONN_BSS_CRM_GD"


@given(st.dates(min_value=first_day("20000101"), max_value=first_day("20991230")))
def test_following_and_preceding_undo_each_other(day: object) -> None:
    for period in (f"{day:%Y%m%d}", f"{day:%Y%m}"):
        assert preceding(following(period)) == period
        assert ends_at(period) == starts_at(following(period))


@pytest.mark.parametrize("text", ["", "2026", "20261", "20260230", "202613", "２０２６０１０１", "2026-01-01"])
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(HubError, match="neither a day"):
        first_day(text)


def test_a_night_asks_for_its_day_and_the_latest_month_that_had_passed() -> None:
    assert period_for_cycle("20260301", "daily") == "20260301"
    assert period_for_cycle("20260301", "monthly") == "202602"
    assert period_for_cycle("20260105", "monthly") == "202512"


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_fen_survive_yuan_text(fen: int) -> None:
    sign, whole, cents = "-" if fen < 0 else "", abs(fen) // 100, abs(fen) % 100
    assert fen_from_yuan(f"{sign}{whole:,}.{cents:02d}") == fen


@pytest.mark.parametrize("text", ["", "abc", "1.005", "NaN", "1e400000", "Infinity"])
def test_what_is_no_whole_fen_is_refused(text: str) -> None:
    with pytest.raises(HubError):
        fen_from_yuan(text)


def test_yuan_is_exact() -> None:
    assert yuan(123_456_789) == "¥1,234,567.89"
    assert yuan(None) == "–"


def test_a_connection_reads_as_uri_and_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONN, "http://hub:s%40cret@127.0.0.1:8080/?prefix=%2Fgd")
    from_uri = environment_connection("bss_crm_gd")
    monkeypatch.setenv(
        CONN,
        '{"conn_type":"http","login":"hub","password":"s@cret","host":"127.0.0.1","port":8080,"extra":{"prefix":"/gd"}}',
    )
    assert environment_connection("bss_crm_gd") == from_uri
    assert from_uri.password.get_secret_value() == "s@cret"
    assert "s@cret" not in repr(from_uri) + str(from_uri)


@pytest.mark.parametrize("text", ["{broken s3cret", "http://hub:s3cret@host:port/"])
def test_a_broken_connection_does_not_show_its_text(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(CONN, text)
    with pytest.raises(FixConnection) as caught:
        environment_connection("bss_crm_gd")
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_missing_connection_names_its_variable() -> None:
    with pytest.raises(FixConnection, match="AIRFLOW_CONN_BSS_NOWHERE_GD"):
        environment_connection("bss_nowhere_gd")


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abc.def",
        "postgresql://hub:hunter2@db/x",
        "password=hunter2 host=db",
        '{"client_secret": "hunter2"}',
        "<callerPwd>hunter2</callerPwd>",
    ],
)
def test_credentials_are_redacted(text: str) -> None:
    shown = redact(text)
    assert "hunter2" not in shown
    assert "abc.def" not in shown
