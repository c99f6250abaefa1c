"""What a change of settings would do to the customers, before anybody is bound by it. Nothing is published, nothing written.

The same data is linked twice in one extract, by the settings in force and by the new ones, ids given from the same history; so
whatever differs, the settings did it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import duckdb
from sqlalchemy import Engine

from identity.crosswalk import assign, read_history
from identity.decisions import read_decisions
from identity.extract import IDENTITY_COLUMNS, Extract, merged, open_extract
from identity.linking import Linker, ModelLinker
from identity.masterdata import derive
from identity.settings import IdentitySettings, load_settings
from identity.sources import prepare
from store import sequence

BILLED = {"bill": ("account_no", "total_fen")}


@dataclass(frozen=True)
class Change:
    """Customers that would become one (`merge`), or one that would fall apart (`split`), as they are called now and would be.

    `bills` and `billed_fen`: every bill of theirs the store holds; `managers` and `grades` (category, list status): theirs now,
    so that two managers of one customer, or two grades, are seen before they are made.
    """

    change: str
    customers: tuple[str, ...]
    becomes: tuple[str, ...]
    names: tuple[str, ...]
    records: int
    bills: int
    billed_fen: int
    managers: tuple[str, ...]
    grades: tuple[str, ...]


@dataclass(frozen=True)
class Preview:
    """`review_*`: pairs a person would be asked about. `changes`: most money first."""

    sequence: int
    model_now: str
    model_new: str
    customers_now: int
    customers_new: int
    review_now: int
    review_new: int
    changes: tuple[Change, ...]


def preview(
    engine: Engine,
    new: IdentitySettings,
    *,
    now: IdentitySettings | None = None,
    linker: Callable[[IdentitySettings], Linker] = ModelLinker,
) -> Preview:
    """Compares what the newest data comes to under `new` with what it comes to under `now` (by default the settings in force).

    Raises RetryLater where the store cannot be read.
    """
    with engine.connect() as store:
        seq = sequence.current(store)
    columns = merged(IDENTITY_COLUMNS, {"account": ("account_no", "customer_no_billing")}, BILLED)
    in_force = now or load_settings()
    with open_extract(engine, seq, columns) as extract:
        connection = extract.connection
        _link(extract, seq, linker(in_force))
        derive(connection, in_force.model)
        connection.execute(_KEPT)
        _link(extract, seq, linker(new))
        read_history(connection)
        assign(connection)
        connection.execute(_CHANGES)
        return _told(connection, seq, in_force.model, new.model)


def _link(extract: Extract, seq: int, linker: Linker) -> None:
    prepare(extract.connection)
    read_decisions(extract.connection, seq)
    linker.link(extract.connection)


# Nodes are numbered by their keys, so that they are the same in both runs.
_ASKED = "(select count(*) from scored_pair where band = 'review')"
_KEPT = f"""
create table customer_now as select node, customer_id from customer_of;
create table golden_now as
select customer_id, customer_name, manager_id, concat_ws(' · ', customer_category, list_status) as grade from golden_customer_new;
create table review_now as select {_ASKED} as pairs;
"""
_CHANGES = """
create table moved as
select before.customer_id as was, after.customer_id as will_be, count(*) as records
from customer_now before join customer_of after using (node) group by all;

create table change as
with falling as (select was from moved group by was having count(*) > 1),
joining as (select will_be from moved group by will_be having count(*) > 1)
select 'merge' as change, moved.will_be as subject, was, will_be, records from moved join joining using (will_be)
union all
select 'split', moved.was, was, will_be, records from moved join falling using (was);

create table billed as
select customer_now.customer_id, count(*) as bills, coalesce(sum(total_fen), 0)::bigint as fen
from core.bill bill
join core.account account on (account.system, account.province, account.account_no)
    = (bill.system, bill.province, bill.account_no)
join node on (node.system, node.province, node.customer_key) = (account.system, account.province, account.customer_no_billing)
join customer_now using (node)
group by customer_now.customer_id;
"""
_LISTED = """
with concerned as (select distinct change, subject, was from change),
of_customers as (
    select change, subject, coalesce(sum(bills), 0)::bigint as bills, coalesce(sum(fen), 0)::bigint as fen,
        list_sort(list_distinct(list(customer_name) filter (customer_name is not null))) as names,
        list_sort(list_distinct(list(manager_id) filter (manager_id is not null))) as managers,
        list_sort(list_distinct(list(grade) filter (grade <> ''))) as grades
    from concerned left join billed on billed.customer_id = was left join golden_now on golden_now.customer_id = was
    group by all
), of_records as (
    select change, subject, list_sort(list_distinct(list(was))) as customers, list_sort(list_distinct(list(will_be))) as becomes,
        sum(records)::bigint as records
    from change group by all
)
select change, customers, becomes, names, records, bills, fen, managers, grades
from of_records join of_customers using (change, subject)
order by fen desc, records desc, change, customers, becomes
"""


def _told(connection: duckdb.DuckDBPyConnection, seq: int, model_now: str, model_new: str) -> Preview:
    counts = connection.execute(f"""
        select (select count(distinct customer_id) from customer_now), (select count(distinct customer_id) from customer_of),
            (select pairs from review_now), {_ASKED}
    """).fetchone()
    customers_now, customers_new, review_now, review_new = (int(count) for count in counts or ())
    rows: list[tuple[Any, ...]] = connection.execute(_LISTED).fetchall()
    changes = tuple(_change(row) for row in rows)
    return Preview(seq, model_now, model_new, customers_now, customers_new, review_now, review_new, changes)


def _change(row: tuple[Any, ...]) -> Change:
    change, customers, becomes, names, records, bills, fen, managers, grades = row
    return Change(
        change=change,
        customers=tuple(customers),
        becomes=tuple(becomes),
        names=tuple(names or ()),
        records=records,
        bills=bills,
        billed_fen=fen,
        managers=tuple(managers or ()),
        grades=tuple(grades or ()),
    )
