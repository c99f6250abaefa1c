"""Orders, rents and resources that do not simply say what their product says.

Of millions nearly all do, so they are joined with their products once a run, and the rules that compare the two look at the
others alone. A rule `by_product` may read such a table where no row that it could find is left out of it: `ODD` says which are kept.

| table | a row is |
|---|---|
| `odd_order` | an order whose product CRM does not have (`is_known` false), that differs from it in customer or price, or of which one is not at rest; of the product `customer_key`, `product_status`, `monthly_price_fen`, `product_version` |
| `odd_rent` | a rent item with a price or days that are not its product's, or of a product with an odd order that is completed; of the product `monthly_price_fen`, `product_status`, `started_on`, `ended_on` |
| `odd_resource` | a resource in use whose product CRM does not have (`is_known` false) or has ended; of the product `product_status`, `ended_on`, `monthly_price_fen` |
"""  # noqa: E501  (a table's row is one line)

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from reconcile.rules.vocabulary import RESOURCE_IN_USE

_OF_PRODUCT = "core.product product on product.province = {0}.province and product.product_id_crm = {0}.product_id_crm"

ODD: Mapping[str, tuple[str, str]] = {
    "odd_order": (
        f"""
        select ordered.province, ordered.order_no, ordered.product_id_crm, ordered.customer_id_crm, ordered.order_action,
            ordered.order_state, ordered.ordered_at, ordered.completed_at, ordered.price_fen, ordered.source_version,
            product.product_id_crm is not null as is_known, product.customer_key, product.product_status,
            product.monthly_price_fen, product.source_version as product_version
        from core.product_order ordered left join {_OF_PRODUCT.format("ordered")}""",
        """product.product_id_crm is null or ordered.order_action is distinct from 'add'
        or ordered.order_state is distinct from 'completed' or product.product_status = 'pendingActive'
        or ordered.customer_id_crm <> product.customer_key or ordered.price_fen <> product.monthly_price_fen""",
    ),
    "odd_rent": (
        f"""
        select rent.*, product.monthly_price_fen, product.product_status, product.started_on, product.ended_on
        from rent join {_OF_PRODUCT.format("rent")}""",
        """rent.price_fen <> product.monthly_price_fen or rent.charged_from < product.started_on
        or product.ended_on < greatest(rent.charged_from, rent.charged_to)
        or (rent.province, rent.product_id_crm) in (
            select (province, product_id_crm) from odd_order
            where order_state = 'completed' and order_action in ('add', 'modify'))""",
    ),
    "odd_resource": (
        f"""
        select resource.province, resource.resource_id, resource.product_id_crm, resource.resource_kind,
            resource.resource_status, resource.source_version, product.product_id_crm is not null as is_known,
            product.product_status, product.ended_on, product.monthly_price_fen
        from core.resource resource left join {_OF_PRODUCT.format("resource")}""",
        f"""resource.resource_status in {RESOURCE_IN_USE}
        and (product.product_id_crm is null or product.product_status = 'terminated')""",
    ),
}
"""What each table holds: every row with its product, and which of them are odd."""


def make(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes the tables, of `core.*` and of `rent` (`reconcile.shared`)."""
    for table, (rows, odd) in ODD.items():
        connection.execute(f"create or replace table {table} as {rows} where {odd}")
