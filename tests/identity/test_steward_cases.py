"""The queue as cases for people, and their answers noted once."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from hub.errors import NotFound
from hub.settings import Settings, environment_connection
from pipeline import Hub, record_answer, steward_cases
from store.landing import Landing

pytestmark = pytest.mark.postgres
PAIR = """
insert into core.review_pair values ('crm', 'gd', 'C1', 'crm', 'gd', 'C2', 3.25, 0.9,
    '[{"field":"name","level":"shortened","weight":14.0}]', 1, null);
insert into core.crosswalk values ('crm', 'gd', 'C1', 'BC00000001', 'alone', '[]', 1, null),
    ('crm', 'gd', 'C2', 'BC00000002', 'alone', '[]', 1, null);
insert into core.customer (system, province, source_key, customer_key, customer_name, phone, source_version, is_deleted,
    valid_from, recorded_from, row_hash, batch_id, row_no)
values ('crm', 'gd', 'C1', 'C1', '广州华恒科技有限公司', '13000000000', now(), false, now(), 1, 'h', 1, 1),
    ('crm', 'gd', 'C2', 'C2', '华恒科技', '13000000000', now(), false, now(), 1, 'h', 1, 2)
"""


def hub_of(engine: Engine, tmp_path: Path, *, four_eyes: bool = False) -> Hub:
    settings = Settings(tmp_path, None, tmp_path.as_uri(), four_eyes)
    return Hub(settings, engine, Landing(settings.landing_url), environment_connection)


@pytest.fixture
def engine(store_engine: Engine) -> Engine:
    with store_engine.begin() as store:
        store.execute(text(PAIR.replace(":", "\\:")))
    return store_engine


def test_a_case_tells_names_and_what_speaks_for_it_in_both_languages_and_nothing_personal(engine: Engine, tmp_path: Path) -> None:
    [case] = steward_cases(hub_of(engine, tmp_path))
    assert case["subject"] == "广州华恒科技有限公司 / 华恒科技: one customer? 是否同一客户?"
    assert {"a", "b"} <= set(case)
    for said in (
        "BC00000001",
        "one name shortens the other (+14.0)",
        "一方为另一方的简写 (+14.0)",
        f"steward show {case['pair']}",
    ):
        assert said in case["body"]
    assert "13000000000" not in repr(case)


def test_a_name_with_a_bar_stays_in_its_cell(engine: Engine, tmp_path: Path) -> None:
    with engine.begin() as store:
        store.execute(text("update core.customer set customer_name = '华恒|科技' where source_key = 'C2'"))
    [case] = steward_cases(hub_of(engine, tmp_path))
    assert "| 华恒｜科技 |" in case["body"]


def test_an_answer_is_noted_once_and_the_first_to_answer_stands(engine: Engine, tmp_path: Path) -> None:
    hub = hub_of(engine, tmp_path)
    [case] = steward_cases(hub)
    assert record_answer(hub, case, "same", by="王静", reason="same contract") == "decision 1: same, standing"
    assert "decision 1 by 王静 stands" in record_answer(hub, case, "same", by="王静", reason="same contract")
    assert "decision 1 by 王静 stands" in record_answer(hub, case, "different", by="李强", reason="no")
    assert steward_cases(hub) == []
    with pytest.raises(NotFound, match="known: same, different, unsure"):
        record_answer(hub, case, "perhaps", by="王静", reason="?")


def test_with_four_eyes_an_answer_is_a_proposal(engine: Engine, tmp_path: Path) -> None:
    hub = hub_of(engine, tmp_path, four_eyes=True)
    [case] = steward_cases(hub)
    assert record_answer(hub, case, "same", by="王静", reason="same contract") == "decision 1: same, proposed"
