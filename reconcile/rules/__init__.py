"""The rule catalogue: one file a family. A new rule is one declaration there, listed here, and a golden case in the tests."""

from __future__ import annotations

from reconcile.rule import Rule
from reconcile.rules.invoice import INVOICE_IS_NOT_SUM_OF_ITEMS
from reconcile.rules.lifecycle import ACTIVE_BUT_NOT_BILLED, TERMINATED_BUT_BILLED
from reconcile.rules.mapping import ACCOUNT_MAPPED_DIFFERENTLY
from reconcile.rules.ordering import BILLED_BUT_NEVER_ORDERED

RULES: tuple[Rule, ...] = (
    TERMINATED_BUT_BILLED,
    BILLED_BUT_NEVER_ORDERED,
    ACTIVE_BUT_NOT_BILLED,
    INVOICE_IS_NOT_SUM_OF_ITEMS,
    ACCOUNT_MAPPED_DIFFERENTLY,
)
