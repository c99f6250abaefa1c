"""The steward's page in a real browser: the queue with its weights, who decided what, why ids changed; nothing personal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import Connection, Engine, insert, text

import identity
from hub.settings import Settings
from identity.decisions import Record, Verdict, decide_pair, set_value, undo
from report import words
from report.build import build
from report.steward import SECTIONS
from store import tables
from tests.report.scene import HTML, PERSONAL

pytestmark = pytest.mark.postgres
WHY = '[{"field":"name","level":"shortened","weight":14.0},{"field":"phone","level":"differ","weight":-1.5}]'
C1, C2, C3 = (Record("crm", "gd", f"C000{number}") for number in (1, 2, 3))


def _pair(connection: Connection, a: Record, b: Record, weight: float) -> None:
    values = {
        "a_system": a.system, "a_province": a.province, "a_key": a.key, "b_system": b.system, "b_province": b.province,
        "b_key": b.key, "weight": weight, "probability": 0.5, "why": WHY, "recorded_from": 101,
    }  # fmt: skip
    connection.execute(insert(tables.review_pair).values(values))


def fill(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("update hub.clock set seq = 200"))
        _pair(connection, C1, C2, 3.25)
        _pair(connection, C1, C3, 1.5)
        cause = {"a": "crm/gd/C0009", "b": "crm/gd/C0001", "rule": "uscc", "value": HTML, "model": "1"}
        connection.execute(
            insert(tables.identity_event).values(
                recorded_from=101, customer_id="BC00000009", kind="merged", other_id="BC00000001", records=2, cause=cause
            )
        )
        connection.execute(
            insert(tables.identity_signal).values(
                kind="junk_code",
                system="",
                province="",
                customer_key="",
                detail="uscc 1111 carried by 20",
                times=1,
                recorded_from=101,
            )
        )
    decide_pair(engine, C1, C3, Verdict.DIFFERENT, by="王静", reason=f"two licences {HTML}", four_eyes=True)
    wrong = set_value(engine, "BC00000002", "phone", PERSONAL, by="李强", reason="called them")
    undo(engine, wrong.decision_id, by="李强", reason="wrong firm")


@pytest.fixture
def page_path(seeded: Engine, tmp_path: Path) -> Path:
    fill(seeded)
    build(seeded, Settings(tmp_path, None, tmp_path.as_uri()), tmp_path / "out")
    return tmp_path / "out" / "steward.html"


@pytest.fixture(params=(1280, 390))
def page(request: pytest.FixtureRequest, browser: Browser, page_path: Path) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": request.param, "height": 900}, offline=True)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(page_path.as_uri())
    yield page
    assert said == []
    context.close()


def test_it_fits_the_screen_and_shows_the_queue_with_the_weight_of_each_field(page: Page) -> None:
    width, needed = page.evaluate("[window.innerWidth, document.documentElement.scrollWidth]")
    assert needed <= width
    for section, _ in SECTIONS:
        heading = page.locator(f"section#{section} h2").inner_text()
        assert re.search(r"[A-Za-z]", heading)
        assert re.search(r"[一-鿿]", heading)
    rows = page.locator("#queue-table tbody tr").all_inner_texts()
    assert len(rows) == 2
    assert "+14.0 one name shortens the other 一方为另一方的简写" in rows[0]
    assert "-1.5 different telephones 电话不同" in rows[0]
    assert "crm/gd/C0001 · BC00000001" in rows[0]
    assert "waits for a second person" in rows[1]


def test_decisions_and_events_say_who_and_why(page: Page) -> None:
    decisions = page.locator("#decisions-table tbody tr").all_inner_texts()
    assert len(decisions) == 2
    assert "李强" in decisions[0]
    assert "wrong firm" in decisions[0]
    assert "different customers" in decisions[1]
    [event] = page.locator("#events-table tbody tr").all_inner_texts()
    assert "merged into BC00000001 with 2 records" in event
    assert "并入BC00000001" in event
    assert "uscc 1111 carried by 20" in page.locator("#signals-table").inner_text()


def test_nothing_personal_and_nothing_unescaped_is_in_it(page_path: Path) -> None:
    whole = page_path.read_text("utf-8")
    assert PERSONAL not in whole
    assert HTML not in whole
    assert "&lt;script&gt;" in whole


def test_an_empty_desk_says_so(store_engine: Engine, tmp_path: Path) -> None:
    build(store_engine, Settings(tmp_path, None, tmp_path.as_uri()), tmp_path / "out")
    whole = (tmp_path / "out" / "steward.html").read_text("utf-8")
    assert "Nothing waits." in whole
    assert "Nothing but new customers so far." in whole


def test_every_signal_that_identity_gives_has_its_words() -> None:
    sources = "\n".join(file.read_text(encoding="utf-8") for file in Path(str(identity.__file__)).parent.glob("*.py"))
    given = set(re.findall(r"insert into signal\s+(?:with .*?\)\s+)?select '(\w+)'", sources, re.DOTALL))
    given |= set(re.findall(r"then '(cross_reference_\w+|account_mapping_\w+)'", sources))
    assert len(given) > 8
    assert {kind for kind in given if kind not in words.SIGNALS} == set()
