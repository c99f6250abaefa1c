"""A source customer told by two numbers: what is said of it as linking reads it, and as its golden record does. Where tonight's
are the last run's, its rows need not be read again. Sums of hashes, so that rows need no order.
"""

from __future__ import annotations

import duckdb

from identity.golden import DERIVED
from store.tables import GOLDEN_ATTRIBUTES

# Everything that linking reads of a source customer's rows, but its key.
_LINKED_BY = (
    "source_version", "customer_name", "short_name", "uscc", "org_code", "licence_no", "address", "phone", "parent_key",
    "customer_id_crm", "group_id_group", "account_no", "product_id_crm",
)  # fmt: skip
_OF_A_ROW = ("entity", "system", "province", "customer_key", "source_key", "batch_id", "row_no")
_SHOWN = (*_OF_A_ROW, *(name for name in GOLDEN_ATTRIBUTES if name not in DERIVED and name not in _LINKED_BY))
_DIGESTS = f"""
create or replace table node_digest as
with told as (
    select node, said, hash(said, {", ".join(_SHOWN)}) as shown from (
        select *, hash({", ".join(_LINKED_BY)}) as said from source_row where node is not null
    )
    union all
    select node, hash('payer', row.account_no, payer.customer_key), 0
    from source_row row join payer using (province, account_no) where node is not null and entity = 'account'
    union all
    select node, hash('holder', row.product_id_crm, holder.customer_key), 0
    from source_row row join holder using (province, product_id_crm) where node is not null and entity = 'product_order'
)
select node, (sum(said) & 18446744073709551615)::ubigint as digest,
    (sum(shown) & 18446744073709551615)::ubigint as shown
from told group by node
"""


def take(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `node_digest` (`node`; `digest`: as linking reads it, `shown`: as its golden record does) from the tables of
    `identity.sources.gather`."""
    connection.execute(_DIGESTS)
