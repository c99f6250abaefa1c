"""What stewards decide takes effect at the next run, is undone without a trace in the ids, and outlives the model."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import pytest
from scene import Scene, crosswalk
from sqlalchemy import Engine, text

from hub.errors import HubError, NotAllowed, NotFound
from identity import desk
from identity.components import components
from identity.decisions import Record, Verdict, confirm, decide_pair, set_value, undo, verdict_of, withdraw_value
from identity.explain import explain
from identity.resolve import ResolveSummary, resolve
from identity.settings import LEVELS
from identity.wording import EVENTS, FIELDS, compared, happened, sentence
from identity.wording import LEVELS as SAID
from store.checksums import checksums
from store.publication import candidate, is_published, publish

pytestmark = pytest.mark.postgres
ONE, OTHER = "91440101MA59P7XQ24", "91110000600037341L"
WHY = '[{"field":"name","level":"shortened","weight":14.0},{"field":"phone","level":"differ","weight":-1.5}]'


@dataclass
class Obedient:
    """Links what shares a code, and what a steward says; thinks of every other pair of one phone. `why` as a model leaves it."""

    why: str = WHY

    def link(self, connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("create or replace table code_trust (kind varchar, code varchar, nodes bigint, trust varchar)")
        connection.execute(
            "create or replace table hierarchy_edge (child integer, parent integer, kind varchar, evidence varchar)"
        )
        connection.execute(_EDGES)
        connection.execute(_PAIRS, [self.why])
        components(connection, "node", "edge", "customer_group")


_EDGES = """
create or replace table edge as
with coded as (
    select node, row.uscc as code from source_row row where row.uscc is not null
), verdict as (
    select a.node as a, b.node as b, verdict from decision
    join node a on (a.system, a.province, a.customer_key) = (a_system, a_province, a_key)
    join node b on (b.system, b.province, b.customer_key) = (b_system, b_province, b_key)
)
select one.node as a, other.node as b, 'uscc' as rule, code as value from coded one join coded other using (code)
where one.node < other.node and (one.node, other.node) not in (select (a, b) from verdict where verdict = 'different')
union select a, b, 'steward', 'same' from verdict where verdict = 'same'
"""
_PAIRS = """
create or replace table scored_pair as
with phoned as (
    select distinct node, row.phone from source_row row where phone is not null
)
select one.node as a, other.node as b, 3.25 as weight, 0.9 as probability, 'review' as band, ? as why
from phoned one join phoned other using (phone) where one.node < other.node
"""


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.crm("C1", "广州华恒科技有限公司", uscc=ONE, phone="13000000000")
    scene.crm("C2", "华恒科技", phone="13000000000")
    scene.crm("C3", "南京永昌医药有限公司", uscc=OTHER)
    scene.account("A1", "K1", "华恒", uscc=ONE)
    return scene


C1, C2, K1 = Record("crm", "gd", "C1"), Record("crm", "gd", "C2"), Record("billing", "gd", "K1")


def night(engine: Engine, scene: Scene, why: str = WHY) -> ResolveSummary:
    return resolve(engine, scene.into_store(engine), linker=Obedient(why))


def kinds(engine: Engine) -> list[tuple[str, str, str]]:
    statement = text(
        "select customer_id, kind, other_id from core.identity_event where kind <> 'minted' order by recorded_from, 1"
    )
    with engine.connect() as store:
        return [tuple(row) for row in store.execute(statement)]  # type: ignore[misc]


def cause(engine: Engine, kind: str) -> dict[str, str]:
    statement = text("select cause from core.identity_event where kind = :kind order by recorded_from desc limit 1")
    with engine.connect() as store:
        return dict(store.execute(statement, {"kind": kind}).scalar_one())


def test_the_queue_shows_the_pair_and_what_speaks_for_it(store_engine: Engine, scene: Scene) -> None:
    night(store_engine, scene)
    [row] = desk.queue(store_engine)
    assert (row["a"], row["b"], row["a_name"], row["b_name"]) == ("crm/gd/C1", "crm/gd/C2", "广州华恒科技有限公司", "华恒科技")
    assert (row["state"], row["weight"]) == ("open", 3.25)
    assert row["why"] == "one name shortens the other (+14.0); different telephones (-1.5)"
    assert row["why_zh"] == "一方为另一方的简写 (+14.0)；电话不同 (-1.5)"
    full = desk.pair(store_engine, row["pair"])
    assert [item["weight"] for item in full["compared"]] == [14.0, -1.5]
    assert {record["phone"] for record in full["records"]} == {"1****"}
    assert "13000000000" not in repr(full) + repr(row)


def test_the_same_merges_at_the_next_run_and_undo_gives_both_ids_back(store_engine: Engine, scene: Scene) -> None:
    night(store_engine, scene)
    before = crosswalk(store_engine)
    decision = decide_pair(store_engine, C2, C1, Verdict.SAME, by="王静", reason="same contract scan")
    assert crosswalk(store_engine) == before
    assert desk.queue(store_engine) == []
    night(store_engine, scene)
    merged = crosswalk(store_engine)
    assert merged["crm/gd/C2"] == merged["crm/gd/C1"] == before["crm/gd/C1"]
    assert kinds(store_engine) == [(before["crm/gd/C2"], "merged", before["crm/gd/C1"])]
    assert cause(store_engine, "merged")["rule"] == "steward"
    undo(store_engine, decision.decision_id, by="李强", reason="another firm after all")
    night(store_engine, scene)
    assert crosswalk(store_engine) == before
    assert kinds(store_engine)[1:] == [(before["crm/gd/C2"], "split", before["crm/gd/C1"])]
    assert cause(store_engine, "split")["lost"] == "steward"
    assert [row["state"] for row in desk.queue(store_engine)] == ["open"]
    decide_pair(store_engine, C2, C1, Verdict.SAME, by="王静", reason="seen the registry")
    night(store_engine, scene)
    assert crosswalk(store_engine) == merged


def test_different_parts_what_a_rule_had_joined_and_names_the_decision(store_engine: Engine, scene: Scene) -> None:
    night(store_engine, scene)
    before = crosswalk(store_engine)
    decision = decide_pair(store_engine, C1, K1, Verdict.DIFFERENT, by="王静", reason="code lent to a partner")
    night(store_engine, scene)
    after = crosswalk(store_engine)
    assert after["billing/gd/K1"] != after["crm/gd/C1"]
    assert before["crm/gd/C1"] in {after["billing/gd/K1"], after["crm/gd/C1"]}
    assert cause(store_engine, "split")["value"] == f"decision {decision.decision_id}: different"


def test_a_decision_outlives_the_models_next_opinion_and_keeps_what_was_shown(store_engine: Engine, scene: Scene) -> None:
    night(store_engine, scene)
    decide_pair(store_engine, C1, C2, Verdict.SAME, by="王静", reason="known firm")
    retrained = '[{"field":"name","level":"different","weight":-7.0}]'
    night(store_engine, scene, retrained)
    night(store_engine, scene, retrained)
    ids = crosswalk(store_engine)
    assert ids["crm/gd/C1"] == ids["crm/gd/C2"]
    with store_engine.connect() as store:
        assert store.execute(text("select shown from hub.steward_decision")).scalar_one() == WHY


def test_unsure_leaves_the_pair_in_the_queue_and_gives_way_to_a_verdict(store_engine: Engine, scene: Scene) -> None:
    night(store_engine, scene)
    before = crosswalk(store_engine)
    decide_pair(store_engine, C1, C2, Verdict.UNSURE, by="王静", reason="asked the manager", four_eyes=True)
    night(store_engine, scene)
    assert crosswalk(store_engine) == before
    assert [row["state"] for row in desk.queue(store_engine)] == ["unsure"]
    decide_pair(store_engine, C1, C2, Verdict.DIFFERENT, by="李强", reason="the manager says so")
    assert [(d["verdict"], d["state"]) for d in desk.decisions(store_engine)] == [
        ("different", "standing"),
        ("unsure", "withdrawn"),
    ]
    with pytest.raises(NotAllowed, match=r"by 李强 stands on this pair \(different\): undo it first"):
        decide_pair(store_engine, C1, C2, Verdict.SAME, by="王静", reason="no")


def test_with_four_eyes_nothing_counts_before_a_second_person_has_said_yes(store_engine: Engine, scene: Scene) -> None:
    night(store_engine, scene)
    before = crosswalk(store_engine)
    decision = decide_pair(store_engine, C1, C2, Verdict.SAME, by="王静", reason="same scan", four_eyes=True)
    night(store_engine, scene)
    assert (crosswalk(store_engine), desk.queue(store_engine)[0]["state"]) == (before, "proposed")
    with pytest.raises(NotAllowed, match="a second person"):
        confirm(store_engine, decision.decision_id, by=" 王静 ")
    assert confirm(store_engine, decision.decision_id, by="李强").state == "standing"
    with pytest.raises(NotAllowed, match="is standing"):
        confirm(store_engine, decision.decision_id, by="赵敏")
    night(store_engine, scene)
    assert crosswalk(store_engine)["crm/gd/C2"] == before["crm/gd/C1"]


def test_a_run_over_an_earlier_candidate_does_not_see_a_later_decision(store_engine: Engine, scene: Scene) -> None:
    first = night(store_engine, scene)
    before = crosswalk(store_engine)
    decide_pair(store_engine, C1, C2, Verdict.SAME, by="王静", reason="same scan")
    resolve(store_engine, first.seq, linker=Obedient())
    assert crosswalk(store_engine) == before


def test_a_decision_is_news_to_the_publication_and_its_undoing_again(store_engine: Engine, scene: Scene) -> None:
    night(store_engine, scene)
    publish(store_engine, candidate(store_engine, "20260305"))
    assert is_published(store_engine, candidate(store_engine, "20260305"))
    waiting = decide_pair(store_engine, C1, C2, Verdict.SAME, by="王静", reason="same scan", four_eyes=True)
    assert is_published(store_engine, candidate(store_engine, "20260305"))
    confirm(store_engine, waiting.decision_id, by="李强")
    assert not is_published(store_engine, candidate(store_engine, "20260305"))
    publish(store_engine, candidate(store_engine, "20260305"))
    undo(store_engine, waiting.decision_id, by="李强", reason="wrong pair")
    assert not is_published(store_engine, candidate(store_engine, "20260305"))


def value_of(engine: Engine, who: str, attribute: str) -> tuple[str | None, str]:
    [cell] = [cell for cell in explain(engine, who).cells if cell.attribute == attribute]
    return cell.value, cell.rule


def test_a_stewards_value_wins_until_withdrawn_and_follows_merge_and_split(store_engine: Engine, scene: Scene) -> None:
    night(store_engine, scene)
    ids = crosswalk(store_engine)
    one, two = ids["crm/gd/C1"], ids["crm/gd/C2"]
    set_value(store_engine, two, "customer_name", "华恒科技服务中心", by="王静", reason="registry")
    night(store_engine, scene)
    assert value_of(store_engine, two, "customer_name") == ("华恒科技服务中心", "steward")
    scene.crm("C2", "华恒科技公司", phone="13000000000", day=5)
    night(store_engine, scene)
    assert value_of(store_engine, two, "customer_name") == ("华恒科技服务中心", "steward")
    merge = decide_pair(store_engine, C1, C2, Verdict.SAME, by="王静", reason="same")
    night(store_engine, scene)
    assert value_of(store_engine, one, "customer_name") == ("华恒科技服务中心", "steward")
    undo(store_engine, merge.decision_id, by="王静", reason="no")
    night(store_engine, scene)
    assert value_of(store_engine, one, "customer_name") == ("广州华恒科技有限公司", "trust")
    assert value_of(store_engine, two, "customer_name") == ("华恒科技服务中心", "steward")
    withdraw_value(store_engine, two, "customer_name", by="李强", reason="source corrected")
    night(store_engine, scene)
    assert value_of(store_engine, two, "customer_name") == ("华恒科技公司", "only")


def test_a_stewards_parent_counts_before_the_group_systems_and_no_circle_remains(store_engine: Engine, scene: Scene) -> None:
    night(store_engine, scene)
    ids = crosswalk(store_engine)
    one, three = ids["crm/gd/C1"], ids["crm/gd/C3"]
    set_value(store_engine, one, "parent_customer_id", three, by="王静", reason="annual report")
    set_value(store_engine, three, "parent_customer_id", one, by="李强", reason="misread")
    night(store_engine, scene)
    with store_engine.connect() as store:
        edges = store.execute(
            text("select child_id, is_parent from core.customer_hierarchy where recorded_to is null order by 1")
        )
        assert [tuple(row) for row in edges] == [(one, True), (three, False)]
    assert desk.signals(store_engine, kind="hierarchy_goes_round")[0]["detail"] == f"customer {three}"


@pytest.mark.parametrize(
    ("attribute", "value", "told"),
    [
        ("nothing", "x", "known: customer_name"),
        ("uscc", ONE[:-1] + "5", "check_digit"),
        ("customer_status", "sleeping", "allowed: "),
        ("short_name", "  ", "cannot be set to nothing"),
        ("parent_customer_id", "BC00000001", "its own parent"),
        ("parent_customer_id", "BC99999999", "no customer BC99999999"),
    ],
)
def test_a_value_the_attribute_cannot_have_is_refused(
    store_engine: Engine, scene: Scene, attribute: str, value: str, told: str
) -> None:
    night(store_engine, scene)
    with pytest.raises(HubError, match=told):
        set_value(store_engine, "BC00000001", attribute, value, by="王静", reason="try")


def test_a_decision_needs_a_person_a_reason_and_two_known_records(store_engine: Engine, scene: Scene) -> None:
    night(store_engine, scene)
    for by, reason in (("", "x"), ("王静", " "), ("王" * 501, "x")):
        with pytest.raises(NotAllowed):
            decide_pair(store_engine, C1, C2, Verdict.SAME, by=by, reason=reason)
    with pytest.raises(NotAllowed, match="needs two"):
        decide_pair(store_engine, C1, C1, Verdict.SAME, by="王静", reason="x")
    with pytest.raises(NotFound, match="crm/gd/C404"):
        decide_pair(store_engine, C1, Record("crm", "gd", "C404"), Verdict.SAME, by="王静", reason="x")
    with pytest.raises(NotFound, match="known: same, different, unsure"):
        verdict_of("maybe")
    assert desk.decisions(store_engine) == []


def test_a_value_is_kept_out_of_the_journal_and_out_of_every_listing(store_engine: Engine, scene: Scene) -> None:
    night(store_engine, scene)
    set_value(store_engine, "BC00000001", "phone", "13911112222", by="王静", reason="called them")
    night(store_engine, scene)
    with store_engine.connect() as store:
        journal = "\n".join(store.execute(text("select body from hub.journal")).scalars())
    assert "13911112222" not in journal + repr(desk.decisions(store_engine)) + repr(explain(store_engine, "BC00000001"))
    assert value_of(store_engine, "BC00000001", "phone") == ("1****", "steward")


def test_the_same_night_with_decisions_again_changes_nothing(store_engine: Engine, scene: Scene) -> None:
    night(store_engine, scene)
    decide_pair(store_engine, C1, C2, Verdict.SAME, by="王静", reason="same")
    set_value(store_engine, "BC00000001", "industry", "finance", by="王静", reason="registry")
    last = night(store_engine, scene)
    before = checksums(store_engine)
    assert resolve(store_engine, last.seq, linker=Obedient()).seq == last.seq
    assert checksums(store_engine) == before


def test_every_comparison_of_the_model_and_every_event_has_words_in_both_languages() -> None:
    assert set(LEVELS) == set(FIELDS)
    assert {(field, level) for field, levels in LEVELS.items() for level in levels} <= set(SAID)
    assert compared('[{"field":"new","level":"odd","weight":1}]')[0].said.en == "odd"
    assert sentence(None).en == "nothing to compare"
    assert all(happened(kind, "BC00000002", 3).zh for kind in EVENTS)
