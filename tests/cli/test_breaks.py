"""`bsshub breaks` and `bsshub periods`, on a published night."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from hub.money import yuan
from tests.cli.conftest import Run, environment, runner
from tests.e2e.published import Published
from tests.e2e.spoilt import MONTH

pytestmark = pytest.mark.postgres


@pytest.fixture
def bsshub(published: Published) -> Iterator[Run]:
    """Commands on a copy of the published night, so that what people do here stays here."""
    hub = published.rig.copy_of(published.hub)
    yield runner(environment(hub, published.rig.connections))
    hub.engine.dispose()


def listed(bsshub: Run, *words: str) -> list[dict[str, Any]]:
    result = bsshub("breaks", *words, "--json")
    assert result.exit_code == 0, result.output
    return list(json.loads(result.stdout))


def test_a_break_is_explained_and_settled_by_name(bsshub: Run) -> None:
    [first, *_] = listed(bsshub, "--state", "open", "--limit", "1")
    told = json.loads(bsshub("breaks", "explain", first["break_id"], "--json").stdout)
    assert told["rows"]
    assert all(row["file"] and row["batch_id"] for row in told["rows"] if row["values"] is not None)
    assert {"en", "zh"} <= set(told["title"])
    shown = bsshub("breaks", "explain", first["break_id"])
    assert (shown.exit_code, told["title"]["zh"] in shown.stdout) == (0, True)
    row = next(row for row in told["rows"] if row["values"])
    column, value = next(iter(row["values"].items()))
    system, change = row["system"], f"{column}={value}"
    acts = {
        "take": ("--by", "Zhang San"),
        "answer": ("--by", "Zhang San", "--why", "a late file"),
        "return": ("--by", "Li Si", "--why", "which file?"),
    }
    for act, words in acts.items():
        assert bsshub("breaks", act, first["break_id"], *words).exit_code == 0
    assert bsshub("breaks", "answer", first["break_id"], "--by", "Zhang San", "--why", "file 3").exit_code == 0
    asked = ("--system", system, "--set", change, "--by", "Li Si", "--why", "mend it", "--json")
    [done] = json.loads(bsshub("breaks", "correct", first["break_id"], *asked).stdout)
    assert (done["state"], done["owner"]) == ("corrected", "Zhang San")
    [request] = json.loads(bsshub("breaks", "requests", "--break", first["break_id"], "--json").stdout)
    assert (request["outbox_id"], request["state"]) == (done["outbox_id"], "pending")


def test_accept_needs_an_answer_first(bsshub: Run) -> None:
    [first, *_] = listed(bsshub, "--state", "open", "--limit", "1")
    refused = bsshub("breaks", "accept", first["break_id"], "--by", "Li Si", "--why", "so")
    assert (refused.exit_code, "possible: take, answer" in refused.stderr) == (1, True)
    assert bsshub("breaks", "answer", first["break_id"], "--by", "Li Si", "--why", "so").exit_code == 0
    assert bsshub("breaks", "accept", first["break_id"], "--by", "Li Si", "--why", "so").exit_code == 0
    assert [row["break_id"] for row in listed(bsshub, "--state", "accepted")] == [first["break_id"]]


def test_sums_and_causes_add_up_to_the_same_money(bsshub: Run) -> None:
    def total(*words: str) -> int:
        return sum(row["counted_fen"] for row in json.loads(bsshub("breaks", *words, "--json").stdout))

    whole = total("causes", "--limit", "100000")
    assert whole > 0
    for dimension in ("rule", "customer", "system", "age"):
        assert total("sums", "--by", dimension) == whole
    assert bsshub("breaks", "sums").exit_code == 0


def test_a_waiver_is_announced_listed_and_withdrawn(bsshub: Run) -> None:
    words = (
        "--rule",
        "active_but_not_billed",
        "--from",
        "20990101",
        "--until",
        "20990131",
        "--by",
        "Wang Wu",
        "--why",
        "migration",
    )
    [made] = json.loads(bsshub("breaks", "waive", *words, "--subject", "month=209812", "--json").stdout)
    [waiver] = json.loads(bsshub("breaks", "waivers", "--json").stdout)
    assert (waiver["waiver_id"], waiver["subject"], waiver["covers"]) == (made["waiver_id"], {"month": "209812"}, 0)
    assert bsshub("breaks", "unwaive", str(made["waiver_id"]), "--by", "Wang Wu", "--why", "put off").exit_code == 0
    assert json.loads(bsshub("breaks", "waivers", "--json").stdout)[0]["withdrawn_by"] == "Wang Wu"


WRONG: dict[tuple[str, ...], str] = {
    ("breaks", "--rule", "nothing"): "no break has rule 'nothing'; known: ",
    ("breaks", "--state", "new"): "known: open, explained, accepted, corrected, closed",
    ("breaks", "--severity", "bad"): "known: critical, major, minor",
    ("breaks", "--province", "bj"): "known: gd",
    ("breaks", "sums", "--by", "month"): "allowed: rule, customer, system, age",
    ("breaks", "explain", "B0"): "no break 'B0'",
    ("breaks", "waive", "--rule", "x", "--from", "20990101", "--until", "20990102", "--by", "a", "--why", "b"): "known: ",
    ("periods", "close", "2026", "--by", "a"): "neither a day YYYYMMDD nor a month YYYYMM",
    ("periods", "propose", "203001"): "holds no figure of 203001",
    ("periods", "figures", "abc"): "neither a day YYYYMMDD nor a month YYYYMM",
    ("periods", "figures", "20260305"): "period 20260305 is not monthly",
    ("breaks", "requests", "--break", "nope"): "no break 'nope'",
}


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_a_wrong_word_is_answered_with_what_was_allowed(words: tuple[str, ...], bsshub: Run) -> None:
    result = bsshub(*words)
    assert (result.exit_code, WRONG[words] in result.stderr) == (1, True), result.output


def test_a_month_is_signed_once_its_critical_breaks_are_settled(bsshub: Run) -> None:
    proposal = json.loads(bsshub("periods", "propose", MONTH, "--json").stdout)
    assert {"bills", "billed_fen", "bill_items_fen"} <= {figure["figure"] for figure in proposal["figures"]}
    told = bsshub("periods", "propose", MONTH).stdout
    assert proposal["digest"] in told
    billed = [figure["value"] for figure in proposal["figures"] if figure["figure"] == "billed_fen"]
    assert all(" ".join(("Billed", "账单金额", yuan(fen))) in " ".join(told.split()) for fen in billed)
    assert not {"|", "##", "fen"} & set(told.split())
    before = {row["period"]: row for row in json.loads(bsshub("periods", "--json").stdout)}[MONTH]
    assert before["critical"] == sum(proposal["unsettled"].values()) <= before["unsettled"]
    assert (before["signed_by"], before["changed"]) == (None, None)
    if proposal["unsettled"]:
        refused = bsshub("periods", "close", MONTH, "--by", "Li Si")
        assert (refused.exit_code, "not settled" in refused.stderr) == (1, True)
    for row in listed(bsshub, "--severity", "critical", "--limit", "100000"):
        if row["state"] == "open" and f"month={MONTH}" in row["subject"]:
            for act in ("answer", "accept"):
                assert bsshub("breaks", act, row["break_id"], "--by", "Li Si", "--why", "checked").exit_code == 0
    signed = bsshub("periods", "close", MONTH, "--by", "Li Si", "--digest", proposal["digest"])
    assert signed.exit_code == 0, signed.output
    months = {row["period"]: row for row in json.loads(bsshub("periods", "--json").stdout)}
    assert (months[MONTH]["signed_by"], months[MONTH]["critical"], months[MONTH]["changed"]) == ("Li Si", 0, 0)
    assert all(row["signed_by"] is None for month, row in months.items() if month != MONTH)
    assert "Li Si" in bsshub("periods").stdout
    figures = json.loads(bsshub("periods", "figures", MONTH, "--json").stdout)
    assert {(row["province"], row["figure"], row["value"]) for row in figures} == {
        (figure["province"], figure["figure"], figure["value"]) for figure in proposal["figures"]
    }
    again = bsshub("periods", "close", MONTH, "--by", "Li Si")
    assert (again.exit_code, "with these very figures" in again.stderr) == (1, True)
