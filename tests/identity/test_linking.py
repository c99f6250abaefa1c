"""Which source customers the deterministic linker takes for one, and which it must not."""

from __future__ import annotations

import random

import duckdb
import pytest
from linkage import ONE, OTHER, THIRD, linked, signals
from scene import Scene

from identity.normalise import uscc


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_the_codes_of_these_tests_are_valid() -> None:
    assert [uscc(code).reason for code in (ONE, OTHER, THIRD)] == ["valid"] * 3


def test_one_code_in_four_systems_and_two_provinces_is_one_customer(duck: duckdb.DuckDBPyConnection, scene: Scene) -> None:
    scene.crm("C1", "广州华恒科技有限公司", uscc=ONE)
    scene.crm("C1", "华恒（广州）科技有限公司", uscc=ONE, province="js")
    scene.group("G1", "广州华恒科技", uscc=ONE)
    scene.account("A1", "K1", "华恒科技", uscc=f" {ONE[:9].lower()}-{ONE[9:]} ")
    scene.order("O1", "D1", "改名前商贸有限公司", uscc=ONE)
    expected = frozenset({"crm/gd/C1", "crm/js/C1", "group/gd/G1", "billing/gd/K1", "orders/gd/D1"})
    assert linked(duck, scene) == {expected}


def test_equal_keys_of_two_provinces_are_strangers(duck: duckdb.DuckDBPyConnection, scene: Scene) -> None:
    scene.crm("C1", "广州华恒科技有限公司", uscc=ONE)
    scene.crm("C1", "南京永昌医药有限公司", uscc=OTHER, province="js")
    scene.account("A1", "K1", "永昌", customer_id_crm="C1", province="js")
    assert linked(duck, scene) == {frozenset({"crm/gd/C1"}), frozenset({"crm/js/C1", "billing/js/K1"})}


def test_organisation_code_inside_the_uscc_links(duck: duckdb.DuckDBPyConnection, scene: Scene) -> None:
    scene.crm("C1", "华恒", uscc=OTHER)
    scene.account("A1", "K1", "华恒", org_code="60003734-1")
    assert linked(duck, scene) == {frozenset({"crm/gd/C1", "billing/gd/K1"})}


def test_a_code_with_a_wrong_check_digit_links_nothing_by_itself(duck: duckdb.DuckDBPyConnection, scene: Scene) -> None:
    wrong = ONE[:-1] + ("1" if ONE[-1] != "1" else "2")
    scene.crm("C1", "广州华恒科技有限公司", uscc=wrong)
    scene.account("A1", "K1", "南京永昌医药有限公司", uscc=wrong)
    assert len(linked(duck, scene)) == 2


@pytest.mark.parametrize("code", [ONE, "111111111111111111", "123456789012345678"])
def test_a_code_on_many_unrelated_firms_merges_none(duck: duckdb.DuckDBPyConnection, scene: Scene, code: str) -> None:
    names = ["华恒科技", "永昌医药", "金泽商贸", "友谊百货", "安顺物流", "大田机械"]
    for i, name in enumerate(names):
        scene.crm(f"C{i}", f"广州{name}有限公司", uscc=code)
        scene.account(f"A{i}", f"K{i}", f"{name}", uscc=code, customer_id_crm=f"C{i}")
    assert linked(duck, scene) == {frozenset({f"crm/gd/C{i}", f"billing/gd/K{i}"}) for i in range(len(names))}


def test_a_code_two_firms_of_one_system_carry_links_only_equal_names(duck: duckdb.DuckDBPyConnection, scene: Scene) -> None:
    scene.crm("C1", "广州华恒科技有限公司", uscc=ONE, phone="13100000001")
    scene.crm("C2", "广州永昌医药有限公司", uscc=ONE, phone="13200000002")
    scene.account("A2", "K2", "永昌医药（广州）有限公司", uscc=ONE)
    assert linked(duck, scene) == {frozenset({"crm/gd/C1"}), frozenset({"crm/gd/C2", "billing/gd/K2"})}
    assert "contested_code" in signals(duck)


def test_a_code_on_one_unrelated_firm_in_each_province_merges_neither(duck: duckdb.DuckDBPyConnection, scene: Scene) -> None:
    scene.crm("C1", "广州华恒科技有限公司", uscc=ONE, address="广州市天河路1号")
    scene.crm("C1", "南京永昌医药有限公司", uscc=ONE, address="南京市中山路2号", province="js")
    assert len(linked(duck, scene)) == 2


@pytest.mark.parametrize("known", [{}, {"phone": "13100000001"}, {"address": "广州市天河路1号"}])
def test_a_renamed_firm_is_one_under_both_names(duck: duckdb.DuckDBPyConnection, scene: Scene, known: dict[str, str]) -> None:
    scene.crm("C1", "广州华恒科技有限公司", uscc=ONE, **known)
    scene.crm("C2", "广州永昌医药有限公司", uscc=ONE, **known)
    scene.order("O1", "D1", "广州华恒科技有限公司", uscc=ONE)
    assert linked(duck, scene) == {frozenset({"crm/gd/C1", "crm/gd/C2", "orders/gd/D1"})}


@pytest.mark.parametrize("reference", ["C1", None])
def test_a_code_in_two_systems_under_names_that_share_nothing_needs_a_reference(
    duck: duckdb.DuckDBPyConnection, scene: Scene, reference: str | None
) -> None:
    scene.crm("C1", "广州华恒科技有限公司", uscc=ONE, phone="13100000001")
    scene.account("A1", "K1", "南京永昌医药有限公司", uscc=ONE, contact_phone="13200000002", customer_id_crm=reference)
    assert len(linked(duck, scene)) == (1 if reference else 2)
    assert ("contested_code" in signals(duck)) is (reference is None)


def test_a_slipped_reference_does_not_tie_two_firms_of_one_system(duck: duckdb.DuckDBPyConnection, scene: Scene) -> None:
    scene.crm("C1", "广州华恒科技有限公司", uscc=ONE, phone="13100000001")
    scene.crm("C2", "南京永昌医药有限公司", uscc=ONE, phone="13200000002")
    scene.account("A1", "K1", "南京永昌医药有限公司", uscc=ONE, contact_phone="13200000002", customer_id_crm="C1")
    assert linked(duck, scene) == {frozenset({"crm/gd/C1"}), frozenset({"crm/gd/C2", "billing/gd/K1"})}


def test_branches_stay_apart_from_their_head_office_and_from_each_other(duck: duckdb.DuckDBPyConnection, scene: Scene) -> None:
    scene.crm("C1", "广州华恒科技有限公司", uscc=ONE)
    scene.crm("C2", "广州华恒科技有限公司佛山分公司", uscc=ONE)
    scene.crm("C3", "广州华恒科技有限公司珠海营业部", uscc=ONE)
    scene.account("A2", "K2", "華恒科技有限公司佛山分公司", uscc=ONE)
    assert linked(duck, scene) == {
        frozenset({"crm/gd/C1"}), frozenset({"crm/gd/C2", "billing/gd/K2"}), frozenset({"crm/gd/C3"})
    }  # fmt: skip


def test_a_cross_reference_from_a_branch_to_its_head_office_is_signalled(duck: duckdb.DuckDBPyConnection, scene: Scene) -> None:
    scene.crm("C1", "广州华恒科技有限公司", uscc=ONE)
    scene.group("G1", "广州华恒科技有限公司佛山分公司", customer_id_crm="C1")
    assert len(linked(duck, scene)) == 2
    assert "cross_reference_between_branch_and_parent" in signals(duck)


@pytest.mark.parametrize("wrong_code", [True, False])
def test_cross_references_link_unless_two_codes_deny_it(
    duck: duckdb.DuckDBPyConnection, scene: Scene, *, wrong_code: bool
) -> None:
    scene.crm("C1", "华恒", uscc=ONE, group_id_group="G1")
    scene.group("G1", "华恒集团", uscc=OTHER if wrong_code else None)
    scene.order("O1", "D1", "华恒", customer_id_crm="C1")
    assert len(linked(duck, scene)) == (2 if wrong_code else 1)
    assert ("cross_reference_contradicted_by_uscc" in signals(duck)) is wrong_code


def test_an_account_mapped_to_a_customer_crm_denies_is_not_followed(duck: duckdb.DuckDBPyConnection, scene: Scene) -> None:
    scene.crm("C1", "华恒", uscc=ONE)
    scene.crm("C2", "永昌", uscc=OTHER)
    scene.account("A1", "K1", "安顺", customer_id_crm="C2")
    scene.product("P1", "C1", account_no="A1")
    assert frozenset({"billing/gd/K1"}) in linked(duck, scene)
    assert "account_mapping_denied_by_crm" in signals(duck)


@pytest.mark.parametrize(("phone", "followed"), [("13298765432", False), ("13112345678", True), (None, True)])
def test_a_reference_between_records_that_share_nothing_is_a_slip(
    duck: duckdb.DuckDBPyConnection, scene: Scene, phone: str | None, *, followed: bool
) -> None:
    scene.crm("C1", "广州华恒科技有限公司", phone="13112345678")
    scene.account("A1", "K1", "南京永昌医药有限公司", contact_phone=phone, customer_id_crm="C1")
    assert len(linked(duck, scene)) == (1 if followed else 2)
    assert ("cross_reference_between_unlike_records" in signals(duck)) is not followed


def test_a_nameless_record_between_two_codes_ties_neither_to_the_other(duck: duckdb.DuckDBPyConnection, scene: Scene) -> None:
    scene.crm("C1", "华恒", uscc=ONE, group_id_group="G1")
    scene.crm("C2", "永昌", uscc=OTHER, group_id_group="G1")
    scene.group("G1", None)
    assert len(linked(duck, scene)) == 3
    assert "bridge_between_usccs" in signals(duck)


def test_of_two_references_the_one_most_rows_name_is_followed(duck: duckdb.DuckDBPyConnection, scene: Scene) -> None:
    scene.crm("C1", "华恒", uscc=ONE)
    scene.crm("C2", "永昌", uscc=OTHER)
    for i, target in enumerate(["C1", "C1", "C2"]):
        scene.account(f"A{i}", "K1", "华恒", customer_id_crm=target)
    assert linked(duck, scene) == {frozenset({"crm/gd/C1", "billing/gd/K1"}), frozenset({"crm/gd/C2"})}


def test_a_reference_to_nobody_and_a_row_without_customer_number_are_signalled(
    duck: duckdb.DuckDBPyConnection, scene: Scene
) -> None:
    scene.account("A1", "K1", "华恒", customer_id_crm="C404")
    scene.account("A2", None, "华恒")
    assert linked(duck, scene) == {frozenset({"billing/gd/K1"})}
    assert {"cross_reference_to_nobody", "no_customer_number"} <= signals(duck)


@pytest.mark.parametrize(("name", "alike"), [("华恒科技（广州）有限公司", True), ("华恒集团有限公司", False), (None, False)])
def test_what_crm_records_of_accounts_and_products_counts_between_equal_names(
    duck: duckdb.DuckDBPyConnection, scene: Scene, name: str | None, *, alike: bool
) -> None:
    scene.crm("C1", "广州华恒科技有限公司", uscc=ONE)
    scene.product("P1", "C1", account_no="A1")
    scene.account("A1", "K1", name)
    scene.order("O1", "D1", name, product_id_crm="P1")
    assert len(linked(duck, scene)) == (1 if alike else 3)


def test_the_order_of_rows_means_nothing(duck: duckdb.DuckDBPyConnection) -> None:
    random_ = random.Random(7)
    for _ in range(3):
        scene = Scene()
        for i in range(60):
            code = random_.choice([ONE, OTHER, THIRD, None, None])
            name = random_.choice(["华恒科技", "永昌医药", "金泽商贸"]) + random_.choice(["有限公司", "有限公司佛山分公司"])
            add = random_.choice([scene.crm, scene.group])
            add(f"C{i}", name, uscc=code, customer_id_crm=f"C{random_.randrange(60)}" if add == scene.group else None)
        first = linked(duck, scene)
        assert linked(duck, scene, reverse=True) == first
