"""The steward's commands and the time machine's, as a person uses them on a published night."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline import unify, verify_store
from tests.cli.conftest import Run
from tests.e2e.published import Published
from tests.e2e.spoilt import NIGHT, personal_values

pytestmark = pytest.mark.postgres
WHO = ("--by", "王静", "--reason", "seen the contract")


def listed(bsshub: Run, *words: str) -> Any:
    result = bsshub(*words, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def records_of(bsshub: Run, customer: str) -> list[str]:
    explained = listed(bsshub, "explain", customer)
    return [f"{member['system']}/{member['province']}/{member['customer_key']}" for member in explained["members"]]


def night_published(published: Published) -> None:
    assert unify(published.hub, NIGHT).publication_id is not None


def test_a_pair_is_decided_confirmed_published_and_undone(bsshub: Run, published: Published) -> None:
    one, other = records_of(bsshub, "BC00000001")[0], records_of(bsshub, "BC00000002")[0]
    shown = listed(bsshub, "steward", "show", one, other)
    assert [record["record"] for record in shown["records"]] == sorted((one, other))
    [decision] = listed(bsshub, "steward", "decide", "same", one, other, *WHO)
    assert (decision["state"], decision["verdict"]) == ("standing", "same")
    assert bsshub("steward", "decide", "different", one, other, *WHO).exit_code == 1
    night_published(published)
    former = listed(bsshub, "explain", "BC00000002")
    assert (former["customer_id"], former["former_ids"]) == ("BC00000001", ["BC00000002"])
    past = listed(bsshub, "identity", "history", "BC00000002")
    assert [event["kind"] for event in past["events"]][-1] == "merged"
    assert "steward" in past["events"][-1]["because"]["en"]
    [row] = [row for row in listed(bsshub, "steward", "decisions") if row["decision_id"] == decision["decision_id"]]
    assert (row["state"], row["decided_by"], row["reason"]) == ("standing", "王静", "seen the contract")
    assert listed(bsshub, "steward", "undo", str(decision["decision_id"]), *WHO)[0]["state"] == "withdrawn"
    night_published(published)
    assert listed(bsshub, "explain", "BC00000002")["customer_id"] == "BC00000002"
    assert verify_store(published.hub) == []


def test_a_value_is_set_by_two_persons_and_withdrawn(bsshub: Run, published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BSSHUB_FOUR_EYES", "1")
    [proposed] = listed(bsshub, "steward", "set-value", "BC00000003", "short_name", "华恒", *WHO)
    assert proposed["state"] == "proposed"
    number = str(proposed["decision_id"])
    refused = bsshub("steward", "confirm", number, "--by", "王静")
    assert (refused.exit_code, "a second person" in refused.stderr) == (1, True)
    assert listed(bsshub, "steward", "confirm", number, "--by", "李强")[0]["confirmed_by"] == "李强"
    night_published(published)
    cells = {cell["attribute"]: cell for cell in listed(bsshub, "explain", "BC00000003")["cells"]}
    assert (cells["short_name"]["value"], cells["short_name"]["rule"]) == ("华恒", "steward")
    assert verify_store(published.hub) == []
    assert listed(bsshub, "steward", "withdraw", "BC00000003", "short_name", *WHO)[0]["state"] == "withdrawn"
    night_published(published)
    cells = {cell["attribute"]: cell for cell in listed(bsshub, "explain", "BC00000003")["cells"]}
    assert cells["short_name"]["rule"] != "steward"


@pytest.mark.parametrize(
    "words",
    [
        ("steward", "queue"), ("steward", "decisions"), ("steward", "signals"), ("identity", "history", "BC00000001"),
        ("identity", "history", "BC00000001", "--on", NIGHT),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_listing_shows_no_personal_value(words: tuple[str, ...], bsshub: Run, published: Published) -> None:
    result = bsshub(*words)
    assert result.exit_code == 0, result.stderr
    shown = result.stdout + bsshub(*words, "--json").stdout
    assert not [value for value in personal_values(published.rig.world) if value in shown]


def test_a_preview_of_the_settings_in_force_changes_nothing(bsshub: Run) -> None:
    from identity.settings import DEFAULT  # noqa: PLC0415

    seen = listed(bsshub, "identity", "preview", "--settings", str(DEFAULT))
    assert (seen["changes"], seen["customers_now"]) == ([], seen["customers_new"])
    assert "Nothing was published" in bsshub("identity", "preview", "--settings", str(DEFAULT)).stdout


WRONG = {
    ("steward", "decide", "maybe", "crm/gd/x", "crm/gd/y", *WHO): "known: same, different, unsure",
    ("steward", "decide", "same", "P0000000000", *WHO): "no pair P0000000000",
    ("steward", "show", "crm/gd/x"): "give a pair of the queue",
    ("steward", "show", "crm/gd/x", "nothing"): "give system/province/key",
    ("steward", "queue", "--state", "lost"): "known: open, unsure, proposed, decided",
    ("steward", "undo", "99", *WHO): "no decision 99",
    ("steward", "decisions", "--kind", "nope"): "known: pair, value",
    ("steward", "decisions", "--customer", "nope"): "no customer 'nope'",
    ("steward", "signals", "--kind", "nope"): "no signal of kind 'nope' was ever seen; seen were: ",
    ("steward", "withdraw", "BC00000001", "phone", *WHO): "no steward's value stands",
    ("steward", "set-value", "BC00000001", "colour", "red", *WHO): "known: customer_name",
    ("identity", "history", "BC00000001", "--on", "soon"): "is no date",
    ("identity", "history", "BC00000001", "--on", "2020-01-01"): "nothing was published by 2020-01-01",
}


@pytest.mark.parametrize("words", WRONG, ids=lambda words: " ".join(words[:3]))
def test_a_wrong_word_is_answered_with_what_was_allowed(words: tuple[str, ...], bsshub: Run) -> None:
    result = bsshub(*words)
    assert result.exit_code == 1
    assert WRONG[words] in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
