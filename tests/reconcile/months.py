"""Three months of one small province, night by night, through the real ledger: loads, cut-off, unify, people's acts.

`Months.night(…)` says what comes, and publishes; the story itself is told by `test_story.py` and shown in docs/reconciliation.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from hub.errors import FixConnection
from hub.periods import SHANGHAI, ends_at
from hub.settings import Connection, Settings
from pipeline import Hub, UnifySummary, cutoff, unify
from store.landing import Landing
from tests.store.conftest import TestStore

Row = dict[str, Any]
JANUARY, FEBRUARY, MARCH = "202601", "202602", "202603"
CUSTOMERS = {"A1": "C1", "A2": "C2"}
PRODUCTS = {"P00001": "A1", "P00002": "A1", "P00003": "A2"}
RENT_FEN = 10000


def no_source(conn_id: str) -> Connection:
    raise FixConnection(f"no source is asked here: {conn_id}")


def bills(month: str, **changed: int) -> list[Row]:
    """A bill an account; `changed`: account → a total other than the sum of its items."""
    products = {account: [p for p, payer in PRODUCTS.items() if payer == account] for account in CUSTOMERS}
    return [
        {
            "bill_no": f"B{month}{account}", "account_no": account, "bill_month": month, "bill_status": "issued",
            "issued_on": date(int(month[:4]), int(month[4:]), 28), "due_on": date(int(month[:4]), int(month[4:]), 28),
            "item_count": len(held), "tax_fen": 0, "total_fen": changed.get(account, RENT_FEN * len(held)),
        }
        for account, held in products.items()
    ]  # fmt: skip


def items(month: str, *, without: Sequence[str] = (), **changed: int) -> list[Row]:
    """A rent item a product; `changed`: product → another amount."""
    first = date(int(month[:4]), int(month[4:]), 1)
    last = (ends_at(month) - timedelta(days=1)).astimezone(SHANGHAI).date()
    return [
        {
            "item_no": f"I{month}{product}", "bill_no": f"B{month}{account}", "account_no": account, "product_id_crm": product,
            "charge_item": "recurring", "quantity": 1, "price_fen": changed.get(product, RENT_FEN), "tax_fen": 0,
            "amount_fen": changed.get(product, RENT_FEN), "charged_from": first, "charged_to": last,
        }
        for product, account in PRODUCTS.items() if product not in without
    ]  # fmt: skip


def accounts(night: str) -> list[Row]:
    return [
        {
            "account_no": account, "customer_no_billing": f"K{customer}", "customer_name": f"客户{customer}",
            "customer_id_crm": customer, "account_status": "active", "opened_on": date(2024, 1, 1), "arrears_fen": 0,
            "updated_at": ends_at(night),
        }
        for account, customer in CUSTOMERS.items()
    ]  # fmt: skip


def products(night: str, **ended: date) -> list[Row]:
    """What CRM says of the products; `ended`: those it calls terminated, and since when."""
    return [
        {
            "product_id_crm": product, "customer_key": CUSTOMERS[account], "account_no": account, "offering": "circuit",
            "product_status": "terminated" if product in ended else "active", "started_on": date(2025, 1, 1),
            "ended_on": ended.get(product), "monthly_price_fen": RENT_FEN, "updated_at": ends_at(night),
        }
        for product, account in PRODUCTS.items()
    ]  # fmt: skip


@dataclass
class Months:
    """The hub of the story. `night` loads what comes, names what does not, and publishes."""

    hub: Hub
    store: TestStore
    published: list[UnifySummary] = field(default_factory=list)

    @classmethod
    def begin(cls, engine: Engine, folder: Path) -> Months:
        settings = Settings(home=folder, store_url=str(engine.url), landing_url=(folder / "landing").as_uri())
        landing = Landing(settings.landing_url)
        return cls(Hub(settings, engine, landing, no_source), TestStore(engine, folder, landing))

    def night(
        self,
        cycle: str,
        *,
        resends: Mapping[str, tuple[str, int, Sequence[Row]]] | None = None,
        ended: Mapping[str, date] | None = None,
        **months: Sequence[Row],
    ) -> UnifySummary:
        """`months`: `bill_202601=…`, `bill_item_202601=…`; `resends`: feed → month, resend number and rows; `ended`: product →
        since when CRM calls it terminated."""
        self.store.put("billing.account", cycle, accounts(cycle))
        self.store.put("crm.product_instance", cycle, products(cycle, **(ended or {})))
        for name, rows in months.items():
            feed, _, month = name.rpartition("_")
            self.store.put(f"billing.{feed}", month, rows)
        for feed, (month, resend, rows) in (resends or {}).items():
            self.store.put(feed, month, rows, resend=resend)
        cutoff(self.hub, cycle)
        summary = unify(self.hub, cycle)
        self.published.append(summary)
        return summary
