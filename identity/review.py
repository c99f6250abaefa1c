"""What a run leaves for people: the pairs it would not decide alone, and the signals it did not act upon."""

from __future__ import annotations

import duckdb

from identity.versions import Versioned

REVIEW = Versioned(
    table="core.review_pair",
    key=("a_system", "a_province", "a_key", "b_system", "b_province", "b_key"),
    values=("weight", "probability", "why"),
)
SIGNALS = Versioned(table="core.identity_signal", key=("kind", "system", "province", "customer_key", "detail"), values=("times",))

# Nodes are numbered in the order of their keys, so the smaller comes first. What other evidence has joined needs no person.
_PAIRS = """
create or replace table review_pair_new as
select a.system as a_system, a.province as a_province, a.customer_key as a_key,
    b.system as b_system, b.province as b_province, b.customer_key as b_key,
    round(max(weight), 4) as weight, round(max(probability), 6) as probability, arg_max(why, (weight, why)) as why
from scored_pair pair
join node a on a.node = least(pair.a, pair.b)
join node b on b.node = greatest(pair.a, pair.b)
join customer_of one on one.node = a.node
join customer_of other on other.node = b.node
where pair.band = 'review' and one.customer_id <> other.customer_id
group by all
"""
_SIGNALS = """
create or replace table identity_signal_new as
select kind, coalesce(system, '') as system, coalesce(province, '') as province, coalesce(customer_key, '') as customer_key,
    coalesce(detail, '') as detail, count(*) as times
from signal group by all
"""


def set_aside(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `review_pair_new` from `scored_pair` and `customer_of`, and `identity_signal_new` from `signal`."""
    connection.execute(_PAIRS)
    connection.execute(_SIGNALS)
