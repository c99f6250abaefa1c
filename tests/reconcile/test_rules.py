"""The catalogue as a page, and the walk of a rule that is added to it (`docs/rules.md`, "Adding a rule")."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reconcile import catalogue
from reconcile.catalogue import page
from reconcile.rule import Base, Ref, Rule, Severity
from reconcile.rules import RULES
from reconcile.rules import vocabulary as words
from tests.reconcile.test_catalogue import base, found, told

ROOT = Path(__file__).parents[2]
CHECKS = (
    "bill, order or revenue for an unknown customer, account or user", "terminated but billed", "one number with two live users",
    "profile ↔ status not 1:1", "active but not billed", "ordered and in use but no revenue", "billed but never ordered",
    "billed twice", "contract price ≠ billed price", "wrong discount or proration", "work order done, order open",
    "project done, circuit not in CRM", "stranded circuit", "invoice ≠ Σ items", "detail vs summary", "day swing", "peers",
    "sender's control totals vs recomputed", "customer or account mapped differently in two systems", "manager differs",
    "duplicate account", "never many-to-many", "a figure found wrong after sign-off", "payments against bills",
)  # fmt: skip
"""DOMAIN §4 and issue 4, check by check."""


def test_the_page_is_what_the_rules_say() -> None:
    assert (ROOT / "docs" / "rules.md").read_text(encoding="utf-8") == page(), "print it: python -m reconcile.catalogue"


@pytest.mark.parametrize("check", CHECKS)
def test_every_check_of_the_domain_has_a_rule_that_names_it(check: str) -> None:
    assert [rule.rule_id for rule in RULES if check in rule.source]


def test_a_rule_is_added_as_the_page_says() -> None:
    """A declaration, and a case: nothing else is needed for it to be judged."""
    added = Rule(
        rule_id="account_without_opening_date",
        family="standing",
        title=words.said("Account without an opening date", "账户无开户日期"),
        meaning=words.said("An account that is not closed tells no opening date", "未销户的账户没有开户日期"),
        grain=words.ACCOUNT,
        subject=("account_no",),
        match_keys="province, account_no",
        left=words.said("Status", "状态"),
        right=words.said("Opened", "开户日期"),
        found="""
            select province, account_no, account_status as left_value, null as right_value, 0::bigint as money_fen
            from core.account where account_status <> 'closed' and opened_on is null
        """,
        base=Base("core.account", "account_status <> 'closed'"),
        needs=("account",),
        severity=Severity.MINOR,
        owner_role=words.CUSTOMER_DATA,
        cause=words.BY_ACCOUNT,
        customer="account_no",
        refs=(Ref("account", "billing", "account_no"),),
        source="DOMAIN §4: profile ↔ status not 1:1",
    )
    with told(base()) as connection:
        assert found(connection, (*RULES, added)) == []
    rows = base()
    rows["account", "A1"]["opened_on"] = None
    with told(rows) as connection:
        assert found(connection, (added,)) == [
            {"subject": {"account_no": "A1"}, "left": "active", "right": None, "money_fen": 0},
        ]
        assert connection.execute("select cause, customer_id from finding").fetchone() == ("account:gd|A1", "BC1")


def test_the_page_names_files_that_are_there() -> None:
    for path in re.findall(r"`((?:reconcile|identity|tests)/[\w/]+\.py)`", catalogue.ADDING):
        assert (ROOT / path).exists(), path
