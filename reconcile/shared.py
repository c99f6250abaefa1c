"""What several rules read, made once a run from the extract.

| table | a row is |
|---|---|
| `kept` | one (`province`, `month`) whose bill items the candidate holds and the run judges |
| `product_month` | what one product was charged on one account in one month: `items`, `amount_fen` |
| `bill_sum` | the accepted items of one bill: `items`, `amount_fen` |
| `withheld` | one word (`feed`, `province`, `token`) of a row in quarantine: whoever it names may be missing for that reason |
| `golden` | which golden customer a source customer is |
| `holder` | whose (`customer_id`) a product, an account or a CRM customer (`kind`: the name of its key) is |
| `present` | one (`entity`, `province`) of which the extract holds a row |
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from identity.extract import read_store

WITHHOLDING_FEEDS = ("bill_item", "product_order")
SHORTEST_KEY = 4

_SUMS = """
create or replace table product_month as
select province, strftime(charged_from, '%Y%m') as month, product_id_crm, account_no,
    count(*) as items, sum(amount_fen)::bigint as amount_fen
from core.bill_item group by all;

create or replace table bill_sum as
select province, bill_no, count(*) as items, sum(amount_fen)::bigint as amount_fen from core.bill_item group by all;

create or replace table kept as
select distinct province, month from product_month where {judged};
"""
# The raw bytes as text without decoding them: keys are ASCII, whatever else is broken in the row. PostgreSQL writes every
# other byte as a backslash and three octal digits, which must not stick to the key beside it.
_WITHHELD = """
select distinct feed, province, raw from (
    select b.feed, b.province, encode(q.raw, 'escape') as raw
    from hub.quarantine q join hub.batch b using (batch_id)
    where q.outcome = 'quarantined' and q.raw is not null and b.feed in ({feeds})
        and (b.feed <> 'bill_item' or b.batch_id in ({batches}))
) quarantined
"""
_TOKENS = f"""
create or replace table withheld as
select distinct feed, province, token
from (select feed, province, unnest(string_split_regex(raw, '(\\\\[0-7]{{3}}|[^A-Za-z0-9_-])+')) as token from withheld_row)
where length(token) >= {SHORTEST_KEY}
"""
_HOLDER = """
create or replace table holder as
with known as (select province, customer_key as key, customer_id from golden where system = 'crm'),
product_of as (select province, product_id_crm, account_no, customer_key from core.product)
select 'customer_key' as kind, province, key, customer_id from known
union all
select 'product_id_crm', product_of.province, product_id_crm, customer_id
from product_of join known on known.province = product_of.province and known.key = product_of.customer_key
union all
select 'account_no', account.province, account.account_no, coalesce(any_value(own.customer_id), min(payer.customer_id))
from core.account account
left join golden own on own.system = 'billing' and own.province = account.province
    and own.customer_key = account.customer_no_billing
left join product_of on product_of.province = account.province and product_of.account_no = account.account_no
left join known payer on payer.province = product_of.province and payer.key = product_of.customer_key
group by account.province, account.account_no;
"""
_ENTITIES = "select table_name from information_schema.tables where table_schema = 'core' and table_catalog = current_catalog()"
_GOLDEN = "select system, province, customer_key, customer_id from core.crosswalk where recorded_to is null"


def prepare(connection: duckdb.DuckDBPyConnection, batches: Sequence[int], periods: Sequence[str] | None) -> None:
    """Makes the tables above. `periods`: the months to judge; None judges every month of `batches`."""
    months = ", ".join(f"'{int(month)}'" for month in periods or ())
    connection.execute(_SUMS.format(judged=f"month in ({months or 'null'})" if periods is not None else "true"))
    numbers = ", ".join(str(int(batch)) for batch in batches) or "null"
    feeds = ", ".join(f"'{feed}'" for feed in WITHHOLDING_FEEDS)
    read_store(connection, "withheld_row", _WITHHELD.format(feeds=feeds, batches=numbers))
    connection.execute(_TOKENS)
    read_store(connection, "golden", _GOLDEN)
    connection.execute(_HOLDER)
    entities = [name for (name,) in connection.execute(_ENTITIES).fetchall()]
    each = " union all ".join(f"select distinct '{name}' as entity, province from core.{name}" for name in entities)
    connection.execute(f"create or replace table present as {each}")
