"""Orders that changed a product's price, once everything else is settled: CRM shows today's price alone, the order before it the
price until then, and billing charges the new one from the month after the change on (次月生效). No system is wrong in it."""

from __future__ import annotations

from datetime import date

from simulator.book import Book
from simulator.entities import Product
from simulator.fulfilment import DONE
from simulator.nights import share

LEAST_FEN, STEPS = 2_000, 40


def reprice(book: Book) -> None:
    """Gives every product whose order was changed an earlier price, but where it carries a contradiction."""
    for order in list(book.orders.rows.values()):
        product = book.products.rows.get(order.product_key)
        if order.action != "M" or order.state != DONE or not order.completed_at or product is None:
            continue
        added = book.add_order_of.get(product.key)
        if added is None or book.pinned.product(product.key):
            continue
        before = product.price_fen + LEAST_FEN + 100 * int(share(book.seed, "price before", product.key) * STEPS)
        book.price_before[product.key] = (order.completed_at.date(), before)
        book.orders.rows[added].price_fen = before


def price_of(book: Book, product: Product, first_day: date) -> int:
    """What is charged for a product in the month that begins on a day, fen."""
    changed_on, before = book.price_before.get(product.key, (date.min, 0))
    return before if changed_on >= first_day else product.price_fen
