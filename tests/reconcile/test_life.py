"""What people do with breaks, and what data does to what they did; waivers; money that is counted once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from scene import Scene
from sqlalchemy import Engine, insert, text

from hub.errors import HubError, NotAllowed, NotFound
from reconcile.life import Act, Correction, act
from reconcile.rule import Rule
from reconcile.rules import rule_of
from reconcile.run import ReconcileSummary, reconcile
from reconcile.waivers import Waiver, announce, withdraw
from report import breaks as ledger
from store import tables
from store.checks_ledger import check_chain
from store.checks_reconcile import check_reconciliation
from tests.reconcile.stage import two_customers

N1, N2, N3, N4 = "20260305", "20260306", "20260307", "20260308"
RULES = tuple(map(rule_of, ("invoice_is_not_sum_of_items", "active_but_not_billed", "billed_but_never_ordered")))
ASKED = Correction("billing", {"total_fen": "20000"})
pytestmark = pytest.mark.postgres


@pytest.fixture
def scene() -> Scene:
    """Two customers, rightly billed but for one invoice that is one fen short."""
    scene = two_customers()
    scene.bill("B-A1", "A1", 19999, items=2)
    return scene


def run(engine: Engine, scene: Scene, cycle: str = N1, *, rules: tuple[Rule, ...] = RULES) -> ReconcileSummary:
    return reconcile(engine, scene.into_store(engine), cycle, [100], rules=rules)


def one(engine: Engine) -> Mapping[str, object]:
    [row] = ledger.listing(engine, limit=2)
    return row


def test_a_break_is_taken_answered_and_accepted_by_name(store_engine: Engine, scene: Scene) -> None:
    run(store_engine, scene)
    born = str(one(store_engine)["break_id"])
    act(store_engine, born, Act.TAKE, by="Zhang San", said="mine", owner="Zhang San")
    act(store_engine, born, Act.ANSWER, by="Zhang San", said="billing rounded one item down")
    done = act(store_engine, born, Act.ACCEPT, by="Li Si", said="within rounding")
    assert (done.state, done.owner) == ("accepted", "Zhang San")
    run(store_engine, scene, N2)
    kept = one(store_engine)
    assert (kept["state"], kept["owner"], kept["last_seen"], kept["counted_fen"]) == ("accepted", "Zhang San", N2, 0)
    with store_engine.connect() as store:
        acts = store.execute(text("select act, acted_by, state_before, state_after from hub.break_act order by act_id")).all()
        assert check_chain(store) == check_reconciliation(store) == []
    assert [tuple(row) for row in acts] == [
        ("take", "Zhang San", "open", "open"), ("answer", "Zhang San", "open", "explained"),
        ("accept", "Li Si", "explained", "accepted"),
    ]  # fmt: skip


def test_a_poor_explanation_goes_back_with_a_new_deadline(store_engine: Engine, scene: Scene) -> None:
    run(store_engine, scene)
    born = str(one(store_engine)["break_id"])
    act(store_engine, born, Act.ANSWER, by="Zhang San", said="no idea")
    run(store_engine, scene, N3)
    back = act(store_engine, born, Act.RETURN, by="Li Si", said="say which item")
    assert (back.state, f"{back.due_at:%Y%m%d %H:%M}") == ("open", "20260308 16:00")
    assert one(store_engine)["returned"] == 1


@pytest.mark.parametrize("last", [None, Act.ACCEPT, Act.CORRECT])
def test_what_people_settled_is_open_again_when_its_values_change(store_engine: Engine, scene: Scene, last: Act | None) -> None:
    run(store_engine, scene)
    born = str(one(store_engine)["break_id"])
    act(store_engine, born, Act.ANSWER, by="Zhang San", said="rounding")
    if last:
        act(store_engine, born, last, by="Li Si", said="rounding", correction=ASKED if last is Act.CORRECT else None)
    run(store_engine, scene, N2)
    assert (one(store_engine)["state"] != "open", one(store_engine)["reopened"]) == (True, 0)
    scene.bill("B-A1", "A1", 10000, items=2)
    run(store_engine, scene, N3)
    found = one(store_engine)
    assert (found["break_id"], found["state"], found["reopened"], found["age_days"]) == (born, "open", 1, 0)
    assert f"{found['due_at']:%Y%m%d %H}" == "20260308 16"


def correction_asked(engine: Engine, scene: Scene) -> str:
    """The break whose owner was asked for a correction, and which the next night found unchanged."""
    run(engine, scene)
    born = str(one(engine)["break_id"])
    act(engine, born, Act.ANSWER, by="Zhang San", said="the invoice is wrong")
    act(engine, born, Act.CORRECT, by="Li Si", said="mend it", correction=ASKED)
    run(engine, scene, N2)
    return born


def test_what_the_owner_did_not_mend_goes_back_and_may_be_asked_for_again(store_engine: Engine, scene: Scene) -> None:
    born = correction_asked(store_engine, scene)
    back = act(store_engine, born, Act.RETURN, by="Li Si", said="the bill came unchanged")
    assert (back.state, f"{back.due_at:%Y%m%d %H}") == ("open", "20260307 16")
    act(store_engine, born, Act.ANSWER, by="Zhang San", said="still wrong")
    act(store_engine, born, Act.CORRECT, by="Li Si", said="mend it now", correction=ASKED)
    assert [request["state"] for request in ledger.requests(store_engine)] == ["pending", "withdrawn"]
    with store_engine.connect() as store:
        assert check_chain(store) == []


def test_a_request_is_withdrawn_when_data_opens_its_break_again(store_engine: Engine, scene: Scene) -> None:
    correction_asked(store_engine, scene)
    assert [request["state"] for request in ledger.requests(store_engine)] == ["pending"]
    scene.bill("B-A1", "A1", 19000, items=2)
    run(store_engine, scene, N3)
    assert [request["state"] for request in ledger.requests(store_engine)] == ["withdrawn"]
    with store_engine.connect() as store:
        assert check_chain(store) == []


@pytest.mark.parametrize(
    ("acts", "what", "possible"),
    [((), Act.ACCEPT, "possible: take, answer"), ((), Act.RETURN, "possible: take, answer"),
     ((Act.ANSWER,), Act.ANSWER, "possible: take, return, accept, correct"),
     ((Act.ANSWER, Act.ACCEPT), Act.CORRECT, "possible: take"),
     ((Act.ANSWER, Act.CORRECT), Act.ACCEPT, "possible: take, return")],
)  # fmt: skip
def test_an_act_out_of_turn_is_refused_with_what_is_possible(
    store_engine: Engine, scene: Scene, acts: tuple[Act, ...], what: Act, possible: str
) -> None:
    run(store_engine, scene)
    born = str(one(store_engine)["break_id"])
    for done in acts:
        act(store_engine, born, done, by="Zhang San", said="so", correction=ASKED if done is Act.CORRECT else None)
    with pytest.raises(NotAllowed, match=possible):
        act(store_engine, born, what, by="Zhang San", said="so")


def test_an_act_needs_a_name_a_reason_and_a_break(store_engine: Engine, scene: Scene) -> None:
    run(store_engine, scene)
    born = str(one(store_engine)["break_id"])
    for by, said in (("", "so"), ("Zhang San", "  ")):
        with pytest.raises(NotAllowed, match="must be given"):
            act(store_engine, born, Act.ANSWER, by=by, said=said)
    with pytest.raises(NotFound, match="no break 'B0'"):
        act(store_engine, "B0", Act.ANSWER, by="Zhang San", said="so")


def test_a_correction_is_asked_of_the_system_once(store_engine: Engine, scene: Scene) -> None:
    run(store_engine, scene)
    born = str(one(store_engine)["break_id"])
    act(store_engine, born, Act.ANSWER, by="Zhang San", said="the invoice is wrong")
    with pytest.raises(NotFound, match="it has rows of: billing"):
        act(store_engine, born, Act.CORRECT, by="Li Si", said="mend it", correction=replace(ASKED, system="crm"))
    for change, said in (
        ({"total_fn": "20000"}, "no column 'total_fn' to correct; known: .*total_fen"),
        ({}, "what is to be changed"),
        ({"total_fen": "20000", "tax_fen": "abc"}, "tax_fen cannot be 'abc'; allowed: a whole number of fen"),
        ({"total_fen": "200.00"}, "total_fen cannot be '200.00'; allowed: a whole number of fen"),
        ({"total_fen": ""}, "total_fen cannot be nothing"),
        ({"bill_status": "banana"}, "bill_status cannot be 'banana'; allowed: new, partiallyPaid, settled"),
        ({"issued_on": "2026-02-30"}, "issued_on cannot be '2026-02-30'; allowed: a day YYYY-MM-DD"),
        ({"bill_no": "x" * 201}, "allowed: a text of at most 200 characters"),
    ):
        with pytest.raises(HubError, match=said):
            act(store_engine, born, Act.CORRECT, by="Li Si", said="mend it", correction=replace(ASKED, change=change))
    done = act(store_engine, born, Act.CORRECT, by="Li Si", said="mend it", correction=ASKED)
    [request] = ledger.requests(store_engine)
    assert (request["outbox_id"], request["state"], request["target_system"]) == (done.outbox_id, "pending", "billing")
    payload = request["payload"]
    assert isinstance(payload, dict)
    assert (payload["change"], payload["break_id"]) == ({"total_fen": "20000"}, born)
    assert {row["entity"] for row in payload["rows"]} <= {"bill", "bill_item"}
    scene.bill("B-A1", "A1", 20000, items=2)
    run(store_engine, scene, N2)
    assert one(store_engine)["state"] == "closed"


def test_a_personal_value_is_not_written_into_a_request(store_engine: Engine, scene: Scene) -> None:
    """A contact of an unknown customer: CRM is told that its telephone is wrong, not what it should be."""
    scene.say("contact", "crm", "N1", customer_key="C9", contact_name="王静", phone="13000000000")
    run(store_engine, scene, rules=(rule_of("contact_for_unknown_customer"),))
    born = str(one(store_engine)["break_id"])
    act(store_engine, born, Act.ANSWER, by="Zhang San", said="a typing error")
    asked = Correction("crm", {"phone": "13911112222"})
    with pytest.raises(NotAllowed, match="phone is personal"):
        act(store_engine, born, Act.CORRECT, by="Li Si", said="mend it", correction=asked)
    assert ledger.requests(store_engine) == []


def announced(starts: str = N2, expires: str = N3, **narrowed: object) -> Waiver:
    return Waiver("invoice_is_not_sum_of_items", starts, expires, "tariff migration", **narrowed)  # type: ignore[arg-type]


def test_a_waiver_covers_what_opens_while_it_runs_and_ends(store_engine: Engine, scene: Scene) -> None:
    strict = tuple(replace(rule, stops_floor=0) if rule.stops_above is not None else rule for rule in RULES)
    announce(store_engine, announced(N1, N2), by="Wang Wu")
    covered = run(store_engine, scene, N1, rules=strict)
    row = one(store_engine)
    assert (row["waiver_id"], row["due_at"], row["counted_fen"], row["state"]) == (1, None, 0, "open")
    outcome = covered.outcomes[0]
    assert (outcome.breaks, outcome.waived, outcome.passed, covered.blocks_publication) == (0, 1, True, False)
    run(store_engine, scene, N2, rules=strict)
    assert one(store_engine)["waiver_id"] == 1
    assert run(store_engine, scene, N3, rules=strict).blocks_publication
    row = one(store_engine)
    assert (row["waiver_id"], row["counted_fen"], row["first_seen"], f"{row['due_at']:%Y%m%d %H}") == (None, 1, N1, "20260308 16")


def test_a_waiver_covers_nothing_that_was_open_before_it(store_engine: Engine, scene: Scene) -> None:
    run(store_engine, scene, N1)
    announce(store_engine, announced(N2, N4), by="Wang Wu")
    scene.bill("B-A2", "A2", 19998, items=2)
    run(store_engine, scene, N2)
    waived = {row["subject"]: row["waiver_id"] for row in ledger.listing(store_engine)}
    assert waived == {"bill_no=B-A1 month=202602": None, "bill_no=B-A2 month=202602": 1}


@pytest.mark.parametrize(
    ("narrowed", "covers"),
    [({"province": "js"}, None), ({"province": "gd"}, 1), ({"subject": {"bill_no": "B-A1"}}, 1),
     ({"subject": {"bill_no": "B"}}, None),
     ({"customer_id": "BC00000009"}, None)],
)  # fmt: skip
def test_a_waiver_may_be_narrowed(store_engine: Engine, scene: Scene, narrowed: dict[str, object], covers: int | None) -> None:
    scene.crm("C9", "another")
    known_customer(store_engine, "C9", "BC00000009")
    announce(store_engine, announced(N1, **narrowed), by="Wang Wu")
    run(store_engine, scene, N1)
    assert one(store_engine)["waiver_id"] == covers


def known_customer(engine: Engine, customer_key: str, customer_id: str) -> None:
    """Says in the crosswalk whose a CRM record is, as a run of identity would."""
    values = {"customer_key": customer_key, "customer_id": customer_id, "system": "crm", "province": "gd"}
    with engine.begin() as store:
        store.execute(insert(tables.crosswalk).values(**values, rule="alone", evidence={}, recorded_from=1))


@pytest.mark.parametrize(
    ("narrowed", "said"),
    [({"province": "zz"}, "no province 'zz'; known: gd, js"), ({"customer_id": "BCX"}, "no customer 'BCX' has a record now")],
)
def test_a_waiver_that_could_cover_nothing_is_refused(store_engine: Engine, narrowed: dict[str, object], said: str) -> None:
    with pytest.raises(NotFound, match=said):
        announce(store_engine, announced(**narrowed), by="Wang Wu")


def test_a_waiver_lasts_a_year_at_most(store_engine: Engine) -> None:
    for expires in ("20270306", "29991231"):
        with pytest.raises(NotAllowed, match="allowed: at most 366 nights"):
            announce(store_engine, announced("20260305", expires), by="Wang Wu")
    announce(store_engine, announced("20260305", "20270305"), by="Wang Wu")


def test_a_withdrawn_waiver_covers_nothing_any_more(store_engine: Engine, scene: Scene) -> None:
    announce(store_engine, announced(N1, N4), by="Wang Wu")
    run(store_engine, scene, N1)
    withdraw(store_engine, 1, by="Li Si", reason="the migration was put off")
    run(store_engine, scene, N2)
    assert one(store_engine)["waiver_id"] is None
    with pytest.raises(NotAllowed, match="withdrawn by Li Si"):
        withdraw(store_engine, 1, by="Li Si", reason="again")
    with store_engine.connect() as store:
        assert check_chain(store) == []


@pytest.mark.parametrize(
    ("waiver", "said"),
    [(announced(N1), "has judged the night 20260305; a waiver is announced in advance"),
     (announced(N3, N2), "before it begins"), (announced(N2, subject={"account": "1"}), "in its subject; it has: bill_no, month"),
     (replace(announced(N2), reason=" "), "needs the name")],
)  # fmt: skip
def test_a_waiver_that_cannot_be_is_refused(store_engine: Engine, scene: Scene, waiver: Waiver, said: str) -> None:
    run(store_engine, scene, N1)
    with pytest.raises(NotAllowed, match=said):
        announce(store_engine, waiver, by="Wang Wu")


def test_a_waiver_of_an_unknown_rule_names_those_there_are(store_engine: Engine) -> None:
    with pytest.raises(NotFound, match=r"known: .*invoice_is_not_sum_of_items"):
        announce(store_engine, replace(announced(), rule_id="x"), by="Wang Wu")


def test_what_a_person_accepted_no_longer_withholds_the_night(store_engine: Engine, scene: Scene) -> None:
    strict = tuple(replace(rule, stops_floor=0) if rule.stops_above is not None else rule for rule in RULES)
    assert run(store_engine, scene, N1, rules=strict).blocks_publication
    born = str(one(store_engine)["break_id"])
    act(store_engine, born, Act.ANSWER, by="Zhang San", said="rounding")
    act(store_engine, born, Act.ACCEPT, by="Li Si", said="rounding")
    again = run(store_engine, scene, N1, rules=strict)
    assert (again.breaks, again.blocks_publication) == (1, False)


def test_money_that_several_rules_look_at_is_counted_once_in_every_dimension(store_engine: Engine, scene: Scene) -> None:
    for number in range(5, 9):
        scene.product(f"P0000{number}", "C1", account_no="A1", monthly_price_fen=1000 * number)
        scene.order(f"O-P0000{number}", "DC1", product_id_crm=f"P0000{number}")
    scene.forget("product_order", "orders", "O-P00003")
    run(store_engine, scene)
    rows = ledger.listing(store_engine, limit=100)
    shared = {}
    for row in rows:
        rules = shared.setdefault(row["cause"], {})
        rules[row["rule"]] = rules.get(row["rule"], 0) + int(str(row["money_fen"]))
    whole = sum(max(rules.values()) for rules in shared.values())
    assert whole > 0
    for dimension in ledger.DIMENSIONS:
        assert sum(int(str(row["counted_fen"])) for row in ledger.sums(store_engine, dimension)) == whole, dimension
    assert sum(int(str(row["counted_fen"])) for row in ledger.causes(store_engine, 100)) == whole


def test_a_state_nobody_gave_and_a_figure_nobody_signed_are_found(store_engine: Engine, scene: Scene) -> None:
    run(store_engine, scene)
    with store_engine.begin() as store:
        store.execute(text("update recon.breaks set state = 'accepted'"))
    with store_engine.connect() as store:
        [finding] = check_reconciliation(store)
    assert (finding.invariant, finding.detail) == (5, "no act of a person put it in its state")


def test_listings_are_filtered_and_name_what_there_is(store_engine: Engine, scene: Scene) -> None:
    run(store_engine, scene)
    assert (
        len(ledger.listing(store_engine, rule="invoice_is_not_sum_of_items", state="open", province="gd", system="billing")) == 1
    )
    assert ledger.listing(store_engine, state="closed") == []
    assert ledger.listing(store_engine, older_than=0) == []
    for wanted, said in (({"state": "new"}, "known: open, explained"), ({"rule": "x"}, "known: invoice_is_not_sum_of_items")):
        with pytest.raises(NotFound, match=said):
            ledger.listing(store_engine, **wanted)
    with pytest.raises(NotFound, match="allowed: rule, customer, system, age"):
        ledger.sums(store_engine, "month")
