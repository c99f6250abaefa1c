"""The injected contradictions between systems, chosen before orders and bills are made and pinned against later events."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date
from typing import TypeVar

from simulator.book import Book
from simulator.catalogue import ACTIVE, TERMINATED
from simulator.clientele import SERVED
from simulator.entities import Product
from simulator.nights import stream

T = TypeVar("T")
_BEFORE_BILLS = date.fromisoformat("2025-11-30")


def pin(book: Book) -> None:
    """Chooses the products and accounts that contradict. Each product carries one contradiction at most."""
    rng = stream(book.seed, "contradictions", book.province)
    dirt, pinned, products = book.dirt, book.pinned, list(book.products.rows.values())
    served = [p for p in products if p.customer.pattern == SERVED and p.account_key]
    ended = [p for p in served if p.status == TERMINATED and p.ended_on and p.ended_on <= _BEFORE_BILLS and _old(p)]
    active = [p for p in served if p.status == ACTIVE and _old(p)]
    pinned.billed_after_end.update(p.key for p in _some(rng, ended, dirt.terminated_billed, len(products)))
    pinned.never_ordered.update(p.key for p in _some(rng, active, dirt.never_ordered, len(products)))
    active = [p for p in active if p.key not in pinned.never_ordered]
    pinned.never_billed.update(p.key for p in _some(rng, active, dirt.active_unbilled, len(products)))
    _map_elsewhere(rng, book, sorted({p.account_key for p in served}))


def _old(product: Product) -> bool:
    return product.started_on is not None and product.started_on <= _BEFORE_BILLS


def _some(rng: random.Random, candidates: Sequence[T], share: float, of: int) -> list[T]:
    count = max(1, round(share * of)) if share else 0
    return rng.sample(candidates, min(count, len(candidates)))


def _map_elsewhere(rng: random.Random, book: Book, with_products: list[str]) -> None:
    everyone = sorted(book.by_crm)
    chosen = _some(rng, with_products, book.dirt.account_mapped_elsewhere, len(book.accounts.rows))
    for key in chosen:
        account = book.accounts.rows[key]
        wrong = rng.choice(everyone)
        while wrong == account.customer.crm:
            wrong = rng.choice(everyone)
        account.crm_customer_id = book.pinned.mapped_elsewhere[key] = wrong
    recorded = {("billing.account", key, "cross_reference_blank") for key in chosen}
    book.injected = [i for i in book.injected if (i.feed, i.key, i.kind) not in recorded]
