"""Each rule's golden case: what one change of a small, agreeing world makes it find, and a near miss that it must let pass.

A case is `tests/reconcile/golden/<rule_id>.json`: `set` rows ([entity, key, columns]) and `drop` ([entity, key]) change the base
below; `found` is all that the rule then finds; `agrees` is a change that it must not take for a break.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import InvariantBroken
from identity.extract import LINEAGE, RECONCILE_COLUMNS, Extract
from reconcile import odd, shared
from reconcile.judge import judge
from reconcile.odd import ODD
from reconcile.rule import Rule, Severity
from reconcile.rules import RULES
from schemas.entities import ENTITIES, FACTS

GOLDEN = Path(__file__).parent / "golden"
NIGHT = "20260305"
OWN_STORY = {rule.rule_id for rule in RULES if rule.family in {"payments", "signed"}}
"""Rules that judge matched payments, or what people signed: their cases are in test_payments and in the story of three months."""
SYSTEMS = {"L": "crm", "C": "crm", "H": "crm", "P": "crm", "R": "crm", "O": "orders", "W": "orders", "G": "group", "J": "group"}
MONTH = {"charged_from": "2026-02-01", "charged_to": "2026-02-28"}
_STORE = """
create table withheld_row (feed varchar, province varchar, raw varchar);
create table status_term (province varchar, product_id_crm varchar, product_status varchar, since timestamptz, until timestamptz);
create table golden (system varchar, province varchar, customer_key varchar, customer_id varchar);
create table picture (feed varchar, province varchar, period varchar, accepted bigint, accepted_fen bigint);
create table controlled (feed varchar, province varchar, period varchar, batch_id bigint, control_rows bigint, control_fen bigint,
    received bigint, received_fen bigint, unreadable bigint);
create table signed (province varchar, month varchar, figure varchar, value bigint, signature_id bigint);
create table figure (province varchar, month varchar, figure varchar, value bigint);
"""
_TYPES = {"integer": "bigint", "fen": "bigint", "yuan": "bigint", "date": "date", "timestamp": "timestamptz"}
Rows = dict[tuple[str, str], dict[str, Any]]


def base() -> Rows:
    """Two customers with a product each, ordered, built, in use and rightly billed in February."""
    rows: Rows = {}
    for n, price in (("1", 10000), ("2", 20000)):
        keys = {
            "customer_key": f"C{n}",
            "product_id_crm": f"P{n}",
            "account_no": f"A{n}",
            "order_no": f"O{n}",
            "bill_no": f"B{n}",
        }
        who, product, account = ({k: keys[k]} for k in ("customer_key", "product_id_crm", "account_no"))
        built = {"finished_on": "2025-01-01", "job_state": "completed", "customer_key": f"G{n}"}
        rows |= {
            ("customer", f"C{n}"): {**who, "customer_status": "active", "manager_id": "M1", "group_id_group": f"G{n}"},
            ("customer", f"G{n}"): {"customer_key": f"G{n}", "customer_id_crm": f"C{n}", "manager_id": "M1"},
            ("contact", f"L{n}"): {"contact_id": f"L{n}", **who},
            ("agreement", f"H{n}"): {"contract_no": f"H{n}", **who},
            ("account", f"A{n}"): {**account, "customer_no_billing": f"K{n}", "account_status": "active",
                                   "opened_on": f"202{n}-01-01", "customer_id_crm": f"C{n}"},
            ("product", f"P{n}"): {**product, **who, **account, "contract_no": f"H{n}", "offering": "mpls_vpn",
                                   "product_status": "active", "started_on": "2025-01-01", "monthly_price_fen": price,
                                   "number_group": f"d{n}"},
            ("resource", f"R{n}"): {"resource_id": f"R{n}", **product, "resource_kind": "circuit", "resource_status": "reserved"},
            ("product_order", f"O{n}"): {"order_no": f"O{n}", **product, "customer_id_crm": f"C{n}", "order_action": "add",
                                         "order_state": "completed", "ordered_at": "2024-12-01 10:00:00+08",
                                         "completed_at": "2025-01-01 10:00:00+08", "price_fen": price},
            ("production_job", f"J{n}"): {"job_no": f"J{n}", "order_no": f"O{n}", **product, **built},
            ("bill", f"B{n}"): {"bill_no": f"B{n}", **account, "bill_month": "202602", "item_count": 2,
                                "total_fen": price + 150 * int(n), "tax_fen": price * 6 // 100 + 9 * int(n)},
            ("payment", f"Y{n}"): {"payment_no": f"Y{n}", **account, "bill_no": f"B{n}", "amount_fen": price + 150 * int(n),
                                   "payment_kind": "payment", "paid_at": "2026-03-04 10:00:00+08"},
        }  # fmt: skip
        charged = {"bill_no": f"B{n}", **account, **product, **MONTH}
        one, two = str(2 * int(n) - 1), str(2 * int(n))
        step = {"order_no": f"O{n}", "work_order_state": "completed", "finished_at": "2025-01-01 09:00:00+08"}
        rows |= {
            ("bill_item", f"I{one}"): {**charged, "charge_item": "circuit", "quantity": 1, "price_fen": price,
                                       "amount_fen": price, "tax_fen": price * 6 // 100},
            ("bill_item", f"I{two}"): {**charged, "charge_item": "usage", "quantity": 3 * int(n), "price_fen": 50,
                                       "amount_fen": 150 * int(n), "tax_fen": 9 * int(n)},
            ("work_order", f"W{one}"): {"work_order_no": f"W{one}", **step},
            ("work_order", f"W{two}"): {"work_order_no": f"W{two}", **step},
        }  # fmt: skip
    return rows


def peers(count: int, first: int, amount: int) -> Rows:
    """So many products of one offering, each charged one amount."""
    rows: Rows = {}
    for number in range(first, first + count):
        key = f"Q{number:03d}"
        rows["product", key] = {"product_id_crm": key, "customer_key": "C1", "account_no": "A1", "offering": "iot"}
        rows["bill_item", f"IQ{number}"] = {"bill_no": "B1", "account_no": "A1", "product_id_crm": key, "charge_item": "usage",
                                            "amount_fen": amount, **MONTH}  # fmt: skip
    return rows


def changed(change: dict[str, Any]) -> Rows:
    rows, asked = base(), 0
    for entity, key, columns in change["set"][::-1]:
        if entity == "peers":
            rows |= peers(int(key), asked, columns["amount_fen"])
            asked += int(key)
        else:
            rows[entity, key] = {**rows.get((entity, key), {}), **columns}
    for entity, key in change["drop"]:
        del rows[entity, key]
    return rows


def told(rows: Rows, *, reverse: bool = False) -> duckdb.DuckDBPyConnection:
    """The rows as an extract and the store would give them."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'Asia/Shanghai'; create schema core")
    connection.execute(_STORE)
    for n in "12":
        connection.execute("insert into golden values ('crm', 'gd', ?, ?), ('billing', 'gd', ?, ?)",
                           [f"C{n}", f"BC{n}", f"K{n}", f"BC{n}"])  # fmt: skip
    for entity, names in RECONCILE_COLUMNS.items():
        types = {column.name: _TYPES.get(column.type.value, "varchar") for column in ENTITIES[entity].columns}
        columns = [*LINEAGE, *names] if entity in FACTS else [*LINEAGE, "source_version", *names]
        fixed = {"batch_id": "bigint", "row_no": "bigint", "source_version": "timestamptz"}
        declared = ", ".join(f"{name} {fixed.get(name) or types.get(name, 'varchar')}" for name in columns)
        connection.execute(f"create table core.{entity} ({declared})")
    for number, ((entity, key), columns) in enumerate(sorted(rows.items(), reverse=reverse)):
        if entity in RECONCILE_COLUMNS:
            lineage = {
                "system": SYSTEMS.get(key[0], "billing"),
                "province": "gd",
                "source_key": key,
                "batch_id": 1,
                "row_no": number,
            }
            version = {} if entity in FACTS else {"source_version": "2026-02-01 10:00:00+08"}
            put(connection, f"core.{entity}", {**lineage, **version, **columns})
        else:
            told_of_store(connection, entity, key, columns)
    shared = (
        "select system, province, source_key, number_group from core.product "
        "where number_group is not null qualify count(*) over (partition by province, number_group) > 1"
    )
    connection.execute(f"create table product_number_group as {shared}")
    connection.execute("alter table core.product drop column number_group")
    return connection


def told_of_store(connection: duckdb.DuckDBPyConnection, table: str, key: str, columns: dict[str, Any]) -> None:
    if table == "golden":
        connection.execute("update golden set customer_id = ? where system = ? and customer_key = ?",
                           [columns["customer_id"], *key.split(" ")])  # fmt: skip
    else:
        feed, period = key.split(" ")
        put(connection, table, {"feed": feed, "province": "gd", "period": period, **columns})


def put(connection: duckdb.DuckDBPyConnection, table: str, row: dict[str, Any]) -> None:
    marks = ", ".join("?" for _ in row)
    connection.execute(f"insert into {table} ({', '.join(row)}) values ({marks})", list(row.values()))


def extract_of(connection: duckdb.DuckDBPyConnection) -> Extract:
    return Extract(connection, 0, tuple(RECONCILE_COLUMNS))


def found(connection: duckdb.DuckDBPyConnection, rules: tuple[Rule, ...]) -> list[dict[str, Any]]:
    shared.derive(extract_of(connection), None)
    judge(extract_of(connection), rules, NIGHT)
    rows = connection.execute(
        "select subject, left_value, right_value, money_fen from finding where not undetermined order by rule_id, subject"
    ).fetchall()
    return [
        {"subject": json.loads(subject), "left": left, "right": right, "money_fen": fen} for subject, left, right, fen in rows
    ]


def cases() -> Iterator[Any]:
    for rule in RULES:
        if rule.rule_id not in OWN_STORY:
            yield pytest.param(rule, id=rule.rule_id)


def golden(rule: Rule) -> dict[str, Any]:
    case: dict[str, Any] = json.loads((GOLDEN / f"{rule.rule_id}.json").read_text(encoding="utf-8"))
    return case


@pytest.mark.parametrize("rule", list(cases()))
def test_a_rule_finds_what_its_golden_case_says(rule: Rule) -> None:
    case = golden(rule)
    assert case["found"], "a case that finds nothing proves nothing"
    with told(changed(case)) as connection:
        assert found(connection, (rule,)) == case["found"]
    if "agrees" in case:
        with told(changed(case["agrees"])) as connection:
            assert found(connection, (rule,)) == [], case["agrees"]["why"]


def test_the_base_agrees_in_every_rule() -> None:
    with told(base()) as connection:
        assert found(connection, RULES) == []


def test_every_golden_case_is_of_a_rule() -> None:
    assert {file.stem for file in GOLDEN.iterdir()} == {rule.rule_id for rule in RULES} - OWN_STORY


def test_every_break_tells_its_cause_its_rows_and_its_customer() -> None:
    for rule in RULES:
        if rule.rule_id in OWN_STORY:
            continue
        with told(changed(golden(rule))) as connection:
            found(connection, (rule,))
            cause, refs, customer = connection.execute("select cause, refs, customer_id from finding").fetchone() or (
                "",
                "[]",
                None,
            )
            kind, _, key = str(cause).partition(":")
            assert kind, rule.rule_id
            assert key.startswith("gd|"), rule.rule_id
            rows = json.loads(refs)
            assert bool(rows) == bool(rule.refs), rule.rule_id
            assert all(row["entity"] in ENTITIES and row["province"] == "gd" and row["source_key"] for row in rows), rule.rule_id
            assert customer is None or str(customer).startswith("BC")


def test_the_order_of_rows_and_rules_changes_nothing() -> None:
    rows = changed(golden(next(rule for rule in RULES if rule.rule_id == "product_for_unknown_customer")))
    with told(rows) as straight, told(rows, reverse=True) as shuffled:
        first = found(straight, RULES)
        assert first
        found(shuffled, RULES[::-1])
        query = "select * from finding order by rule_id, subject"
        assert straight.execute(query).fetchall() == shuffled.execute(query).fetchall()


def either(**columns: list[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the columns, each with one of its values."""
    return st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in columns.items()})


_PRODUCTS = ["P1", "P2", "P9", None]
_DAYS = ["2025-12-31", "2026-01-10", "2026-02-01", "2026-02-15", "2026-02-28"]
CONTRADICTIONS = st.fixed_dictionaries(
    {
        **{("product", key): either(product_status=["active", "suspended", "terminated", "pendingActive"], started_on=_DAYS,
                                    ended_on=[*_DAYS, None], monthly_price_fen=[10000, 20000, None], customer_key=["C1", "C2"])
           for key in ("P1", "P2")},
        **{("product_order", key): either(product_id_crm=_PRODUCTS, customer_id_crm=["C1", "C2", None],
                                          order_action=["add", "modify", "delete"],
                                          order_state=["completed", "inProgress", "cancelled"],
                                          completed_at=["2025-06-01 10:00:00+08", "2026-02-10 10:00:00+08", None],
                                          price_fen=[10000, 20000, None])
           for key in ("O1", "O2", "O3")},
        **{("resource", key): either(product_id_crm=_PRODUCTS, resource_kind=["circuit", "number"],
                                     resource_status=["reserved", "alarm", "suspended"])
           for key in ("R1", "R2")},
        **{("bill_item", key): either(product_id_crm=_PRODUCTS, price_fen=[10000, 20000, None],
                                      amount_fen=[10000, -10000, 20000], charged_from=_DAYS, charged_to=_DAYS)
           for key in ("I1", "I3")},
    }
)  # fmt: skip


def test_what_is_counted_of_an_entity_alone_is_asked_of_its_rows() -> None:
    """It is counted a part at a time, and kept while what else there is changes."""
    of_entities = [rule for rule in RULES if re.fullmatch(r"core\.\w+", rule.base.rows)]
    assert of_entities
    for rule in of_entities:
        columns = {column.name for column in ENTITIES[rule.base.rows.removeprefix("core.")].columns} | set(LINEAGE)
        asked = set(re.findall(r"[\w.$]+", re.sub("'[^']*'", "", rule.base.where)))
        assert asked <= columns | {"and", "or", "not", "in", "is", "null", "true", "0"}, rule.rule_id


@settings(max_examples=40, deadline=None)
@given(CONTRADICTIONS)
def test_what_is_left_out_of_the_odd_rows_is_nothing_that_a_rule_would_find(contradicting: Rows) -> None:
    rules = tuple(rule for rule in RULES if any(table in rule.found for table in ODD))
    assert len(rules) > len(ODD)
    rows = base() | {("product_order", "O3"): {**base()["product_order", "O2"], "order_no": "O3"}}
    with told({key: {**rows.get(key, {}), **contradicting.get(key, {})} for key in rows}) as connection:
        found(connection, rules)
        among_odd = connection.execute("select * from finding order by all").fetchall()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(odd, "ODD", {table: (every, "true") for table, (every, _) in ODD.items()})
            judge(extract_of(connection), rules, NIGHT)
        assert connection.execute("select * from finding order by all").fetchall() == among_odd


def test_a_rule_that_finds_a_subject_twice_is_refused() -> None:
    rule = next(rule for rule in RULES if rule.rule_id == "billed_price_differs")
    twice = replace(rule, found=f"select * from ({rule.found}) union all select * from ({rule.found})")
    with told(changed(golden(rule))) as connection, pytest.raises(InvariantBroken, match="twice"):
        found(connection, (twice,))


def test_what_a_rule_declares_can_be_read_by_people_and_pages() -> None:
    assert len({rule.rule_id for rule in RULES}) == len(RULES)
    for rule in RULES:
        for label in (rule.title, rule.meaning, rule.grain, rule.left, rule.right):
            assert label.en, rule.rule_id
            assert any("一" <= character <= "鿿" for character in label.zh), rule.rule_id
        assert rule.source.startswith("DOMAIN §4") or rule.rule_id in OWN_STORY, rule.rule_id
        assert rule.severity is not Severity.CRITICAL or rule.stops_above is not None
