"""A preview says what other settings would do, with what hangs on it, and leaves the store as it was."""

from __future__ import annotations

import duckdb
import pytest
from scene import Scene, crosswalk
from sqlalchemy import Engine, text

from identity.components import components
from identity.linking import Linker
from identity.preview import Change, preview
from identity.resolve import resolve
from identity.settings import IdentitySettings, Rules, load_settings
from store import sequence
from store.checksums import checksums

pytestmark = pytest.mark.postgres
ONE, OTHER = "91440101MA59P7XQ24", "91110000600037341L"


class ByField:
    """Links records of equal `field`; the field is what the two settings differ in."""

    def __init__(self, field: str) -> None:
        self.field = field

    def link(self, connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("create or replace table code_trust (kind varchar, code varchar, nodes bigint, trust varchar)")
        connection.execute(
            "create or replace table hierarchy_edge (child integer, parent integer, kind varchar, evidence varchar)"
        )
        connection.execute(
            "create or replace table scored_pair "
            "(a integer, b integer, weight double, probability double, band varchar, why varchar)"
        )
        connection.execute(f"""
            create or replace table edge as
            with said as (
                select distinct node, row.{self.field} as value
                from source_row row
            )
            select one.node as a, other.node as b, '{self.field}' as rule, value from said one join said other using (value)
            where one.node < other.node
        """)
        components(connection, "node", "edge", "customer_group")


def by_model(settings: IdentitySettings) -> Linker:
    return ByField("uscc" if settings.model == load_settings().model else "customer_name")


@pytest.fixture
def engine(store_engine: Engine) -> Engine:
    scene = Scene()
    scene.crm("C1", "华恒", uscc=ONE, manager_id="M1", customer_category="group", list_status="named")
    scene.account("A1", "K1", "永昌", uscc=ONE)
    scene.crm("C2", "永昌", uscc=OTHER, manager_id="M2", customer_category="strategic")
    scene.account("A2", "K2", "永昌", uscc=OTHER)
    scene.crm("C3", "安顺", uscc="91440101MA5AQ8YR3X", manager_id="M3")
    scene.bill("B1", "A1", 12_300)
    scene.bill("B2", "A2", 500)
    scene.bill("B3", "A2", 700, month="202601")
    resolve(store_engine, scene.into_store(store_engine), linker=ByField("uscc"))
    return store_engine


def test_it_names_who_would_merge_and_split_with_bills_managers_and_grades(engine: Engine) -> None:
    ids = crosswalk(engine)
    first, second = ids["billing/gd/K1"], ids["billing/gd/K2"]
    new = load_settings().model_copy(update={"model": "new"})
    seen = preview(engine, new, linker=by_model)
    assert (seen.customers_now, seen.customers_new, seen.model_new) == (3, 3, "new")
    split, merge = (next(c for c in seen.changes if c.change == kind) for kind in ("split", "merge"))
    assert (split.customers, split.records, split.bills, split.billed_fen) == ((first,), 2, 1, 12_300)
    assert (split.managers, split.grades) == (("M1",), ("group · named",))
    assert len(split.becomes) == 2
    assert merge == Change(
        "merge", (first, second), (first,), ("华恒", "永昌"), 3, 3, 13_500, ("M1", "M2"), ("group · named", "strategic")
    )


def test_the_settings_in_force_change_nothing(engine: Engine) -> None:
    assert preview(engine, load_settings(), linker=by_model).changes == ()


def test_it_writes_nothing(engine: Engine) -> None:
    with engine.connect() as store:
        before = (
            checksums(engine),
            sequence.current(store),
            store.execute(text("select count(*) from hub.journal")).scalar_one(),
        )
    preview(engine, load_settings().model_copy(update={"model": "new"}), linker=by_model)
    with engine.connect() as store:
        after = (checksums(engine), sequence.current(store), store.execute(text("select count(*) from hub.journal")).scalar_one())
    assert after == before


def test_the_linker_itself_is_tried_with_its_rules_switched_off(engine: Engine) -> None:
    rules = Rules(uscc=False, org_code=False, cross_references=False, model=False)
    seen = preview(engine, load_settings().model_copy(update={"rules": rules}))
    assert seen.customers_new == len(crosswalk(engine)) > seen.customers_now
    assert {change.change for change in seen.changes} == {"split"}
