"""The data of `bench-reconcile`, made set-based in DuckDB and written straight into a store's core tables by COPY.

Two provinces, each with half of everything: ten products a customer, one account a customer (and a fifth more that pay for
nothing), an order and two or four work orders a product, a job for half the circuits, bill items of one month for the products
in use. About one product in four hundred contradicts something, in twelve ways.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import psycopg
import sqlalchemy as sa

from schemas.entities import FACTS
from store import duck, tables

PROVINCES = ("gd", "js")
MONTH, NIGHT, NEXT_NIGHT = "202602", "20260305", "20260306"
BASE_SEQ, NEXT_SEQ = 1, 2
_LONG_AGO = "timestamptz '2026-02-01 10:00:00+08'"
ITEMS_A_PRODUCT, PRODUCTS_A_CUSTOMER = 5, 10
_FEEDS = (
    ("crm", "customer"), ("crm", "contact"), ("crm", "contract"), ("crm", "product_instance"), ("crm", "resource"),
    ("orders", "product_order"), ("orders", "work_order"), ("group", "group_customer"), ("group", "production_job"),
    ("billing", "account"), ("billing", "bill"), ("billing", "bill_item"), ("billing", "payment"),
)  # fmt: skip
# One number that looks like chance decides what each product is: `draw` < 1,000,000.
_PRODUCTS = """
create or replace table made as
select p, p // {each} as c, p * 2654435761 % 1000003 as draw, (p * 40503 % 977 + 60) * 1000 as price,
    ['internet_leased_line', 'mobile_group_plan', 'iot', 'mpls_vpn', 'mobile_group_plan'][1 + (p * 31 // 7) % 5] as offering
from range({products}) t(p);
create or replace table product_made as
select *, offering in ('internet_leased_line', 'mpls_vpn') as circuit,
    case when draw < 915000 then 'active' when draw < 925000 then 'suspended' when draw < 990000 then 'terminated'
        else 'pendingActive' end as status,
    case when draw between 1000 and 1199 then 'never billed' when draw between 1200 and 1399 then 'never ordered'
        when draw between 1400 and 1599 then 'price' when draw between 1600 and 1799 then 'rent'
        when draw between 1800 and 1999 then 'twice' when draw between 2000 and 2199 then 'no resource'
        when draw between 2200 and 2399 then 'steps' when draw between 2400 and 2599 then 'order open'
        when draw between 2600 and 2799 then 'no account' when draw between 2800 and 2999 then 'line'
        when draw between 3000 and 3199 then 'other customer' when draw between 988000 and 988199 then 'after end' end as fault
from made;
"""
_ROWS = {
    "customer": """
        select 'crm' as system, key as source_key, key as customer_key, 'active' as customer_status, 'M' || c % 400 as manager_id,
            case when c % 4 <> 0 then 'G' || n end as group_id_group, null as customer_id_crm, 1 as feed from each_customer
        union all
        select 'group', 'G' || n, 'G' || n, 'active', case when c % 2500 = 1 then 'M9' else 'M' || c % 400 end, null,
            case when c % 4 = 1 then key end, 8 from each_customer where c % 4 <> 0""",
    "contact": "select 'crm' as system, 'L' || n as source_key, 'L' || n as contact_id, key as customer_key, 2 as feed "
    "from each_customer",
    "agreement": "select 'crm' as system, 'H' || n as source_key, 'H' || n as contract_no, key as customer_key, 3 as feed "
    "from each_customer",
    "account": """
        select 'billing' as system, 'A' || n as source_key, 'A' || n as account_no, 'K' || n as customer_no_billing,
            'active' as account_status, date '2020-01-01' as opened_on, null::date as closed_on, key as customer_id_crm,
            10 as feed
        from each_customer where c % 5000 <> 7""",
    "product": """
        select 'crm' as system, pk as source_key, pk as product_id_crm, key as customer_key, 'H' || n as contract_no,
            case when fault = 'no account' then 'A99999' || n else 'A' || n end as account_no, offering,
            status as product_status, case when status <> 'pendingActive' then date '2021-03-01' end as started_on,
            case when status = 'terminated' then date '2025-10-31' end as ended_on, price as monthly_price_fen,
            '186' || pk as service_no, 4 as feed from each_product""",
    "resource": """
        select 'crm' as system, 'R' || pk as source_key, 'R' || pk as resource_id, pk as product_id_crm,
            case when circuit then 'circuit' else 'number' end as resource_kind,
            case when status in ('active', 'suspended') then 'reserved' else 'suspended' end as resource_status, 5 as feed
        from each_product where status <> 'pendingActive' and fault is distinct from 'no resource'""",
    "product_order": """
        select 'orders' as system, 'O' || pk as source_key, 'O' || pk as order_no, pk as product_id_crm,
            case when p % 5 < 2 then null when fault = 'other customer' then 'C' || lpad(((c + 1) % {customers})::varchar, 8, '0')
                else key end as customer_id_crm, 'add' as order_action,
            case when status = 'pendingActive' or fault = 'order open' then 'inProgress' else 'completed' end as order_state,
            timestamptz '2021-02-01 10:00:00+08' as ordered_at, timestamptz '2021-02-27 10:00:00+08' as completed_at,
            price as price_fen, 6 as feed from each_product where fault is distinct from 'never ordered'""",
    "work_order": """
        select 'orders' as system, 'W' || pk || s as source_key, 'W' || pk || s as work_order_no, 'O' || pk as order_no,
            case when s = steps and (status = 'pendingActive' or fault in ('steps', 'order open')) then 'inProgress'
                else 'completed' end as work_order_state, timestamptz '2021-02-26 10:00:00+08' as finished_at, 7 as feed
        from (select *, case when circuit then 4 else 2 end as steps from each_product) o, range(1, 5) t(s)
        where s <= steps and fault is distinct from 'never ordered'""",
    "production_job": """
        select 'group' as system, 'J' || pk as source_key, 'J' || pk as job_no, 'G' || n as customer_key, 'O' || pk as order_no,
            pk as product_id_crm, case when status = 'pendingActive' or fault = 'order open' then 'inProgress' else 'completed'
                end as job_state, date '2021-02-27' as finished_on, 9 as feed
        from each_product where circuit and c % 4 <> 0 and p % 2 = 0 and fault is distinct from 'never ordered'""",
    "bill": """
        select 'billing' as system, bill_no as source_key, bill_no, 'A' || right(bill_no, 8) as account_no,
            '{month}' as bill_month, count(*) as item_count,
            (sum(amount_fen) + case when c % 2000 = 3 then 7 else 0 end)::bigint as total_fen, sum(tax_fen)::bigint as tax_fen,
            11 as feed
        from item_made group by bill_no, c""",
    "bill_item": "select * exclude (c), 12 as feed from item_made",
    "payment": """
        select 'billing' as system, 'Y' || n as source_key, 'Y' || n as payment_no, 'A' || n as account_no, 'B' || n as bill_no,
            1000 as amount_fen, 'payment' as payment_kind, timestamptz '2026-03-04 10:00:00+08' as paid_at, 13 as feed
        from each_customer where c % 2 = 0""",
}  # fmt: skip
_KEYS = """
create or replace view each_customer as
select c, lpad(c::varchar, 8, '0') as n, 'C' || lpad(c::varchar, 8, '0') as key from range({customers}) t(c);
create or replace view each_product as
select *, 'P' || lpad(p::varchar, 9, '0') as pk, lpad(c::varchar, 8, '0') as n, 'C' || lpad(c::varchar, 8, '0') as key
from product_made;
"""
# Rent, three or four lines of usage, a discount for two products of five, a fee for the others; in the order of bills.
_ITEMS = """
create or replace table item_made as
select 'billing' as system, 'I' || lpad((p * 8 + t)::varchar, 11, '0') as source_key,
    'B' || n as bill_no, case when fault = 'no account' then 'A99999' || n else 'A' || n end as account_no,
    pk as product_id_crm, c, charge_item, quantity, amount as price_fen,
    amount * quantity + case when fault = 'line' and t = 1 then 3 else 0 end as amount_fen, amount * 6 // 100 as tax_fen,
    date '2026-02-01' as charged_from, date '2026-02-28' as charged_to
from (
    select *,
        case when t = 0 or t = 5 then case when circuit then 'circuit' else 'recurring' end when t < 4 or t = 6 then 'usage'
            when p % 5 < 2 then 'discount' else 'one_off' end as charge_item,
        case when t between 1 and 3 or t = 6 then 1 + (p + t) % 9 else 1 end as quantity,
        case when t = 0 or t = 5 then price + case when fault = 'price' then 100 when fault = 'rent' then 50 else 0 end
            when t < 4 or t = 6 then 20 + (p * t) % 37 when p % 5 < 2 then -price // 10 else 5000 end as amount
    from each_product, range(7) items(t)
    where (status in ('active', 'suspended') or fault = 'after end') and fault is distinct from 'never billed'
        and (t < 5 or t = 5 and fault = 'twice' or t = 6 and p % 7 < 3)
) line
"""


_CHANGES = ((4, "product", "monthly_price_fen t.{} + 100"), (6, "product_order", "price_fen t.{} + 100"),
            (10, "account", "closed_on t.{}"))  # fmt: skip


class ReconcileWorld:
    """A store filled for one night, and its changes of the next."""

    def __init__(self, url: str, items: int) -> None:
        self.url = sa.make_url(url)
        self.products = items // ITEMS_A_PRODUCT // len(PROVINCES)
        self.customers = self.products // PRODUCTS_A_CUSTOMER
        self.fact_batches = [self.batch(province, 12) for province in PROVINCES]

    def batch(self, province: str, feed: int) -> int:
        return 100 * (PROVINCES.index(province) + 1) + feed

    def fill(self) -> None:
        """Every row at `BASE_SEQ`; the indexes of states are made when their tables are full, which is quicker."""
        with self._connected() as store:
            store.execute(f"update hub.clock set seq = {BASE_SEQ}".encode())
            made = [index for entity in _ROWS if entity not in FACTS for index in self._without_indexes(store, entity)]
        for province in PROVINCES:
            self._fill_province(province)
        with self._connected() as store:
            for index in made:
                store.execute(index.encode())
            store.execute(b"vacuum analyze")

    def _without_indexes(self, store: psycopg.Connection, entity: str) -> list[str]:
        """Drops the entity's indexes; the statements that make them again."""
        store.execute(f"alter table core.{entity} drop constraint pk_{entity}".encode())
        left = store.execute(
            "select indexname, indexdef from pg_indexes where schemaname = 'core' and tablename = %s", [entity]
        ).fetchall()
        for name, _ in left:
            store.execute(f"drop index core.{name}".encode())
        key = "system, province, source_key, recorded_from"
        return [f"alter table core.{entity} add constraint pk_{entity} primary key ({key})", *(made for _, made in left)]

    def _fill_province(self, province: str) -> None:
        with self._connected() as store:
            for number, (system, feed) in enumerate(_FEEDS, start=1):
                self._record_batch(store, province, number, system, feed)
            part = f"core.bill_item_b{self.batch(province, 12)}"
            values = f"for values in ({self.batch(province, 12)})"
            store.execute(f"create table {part} partition of core.bill_item {values}".encode())
        with duck.session(self.url, threads=2, memory="6GB") as connection:
            self._make(connection)
            for entity, rows in _ROWS.items():
                connection.execute(self._insert(entity, rows, province))
            connection.execute(self._crosswalk(province))

    def _make(self, connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(_PRODUCTS.format(products=self.products, each=PRODUCTS_A_CUSTOMER))
        connection.execute(_KEYS.format(customers=self.customers))
        connection.execute(_ITEMS)

    def _record_batch(
        self, store: psycopg.Connection, province: str, feed_no: int, system: str, feed: str, *, number: int = 0,
        period: str = "", seq: int = BASE_SEQ, kind: str = "initial",
    ) -> None:  # fmt: skip
        number = number or self.batch(province, feed_no)
        period = period or (MONTH if feed in ("bill", "bill_item") else NIGHT)
        store.execute(
            "insert into hub.batch (batch_id, system, feed, province, period, kind, resend, content_digest, delivery, state, "
            "loaded_seq, landed_at) overriding system value "
            "values (%s, %s, %s, %s, %s, %s, 0, %s, '{}', 'loaded', %s, now())",
            (number, system, feed, province, period, kind, f"d{number}", seq),
        )

    def _insert(self, entity: str, rows: str, province: str) -> str:
        made = rows.format(customers=self.customers, month=MONTH)
        row = f"'{province}' as province, {self.batch(province, 0)} + feed as batch_id, row_number() over () as row_no"
        if entity in FACTS:
            target = f"{duck.ATTACHED}.core.{entity}_b{self.batch(province, 12)}"
            return f"insert into {target} by name select * exclude (feed), {row} from ({made}) made"
        history = f"{_LONG_AGO} as source_version, false as is_deleted, {_LONG_AGO} as valid_from, 'h' as row_hash"
        history += f", {BASE_SEQ}::bigint as recorded_from"
        return f"insert into {duck.ATTACHED}.core.{entity} by name select * exclude (feed), {row}, {history} from ({made}) made"

    def _crosswalk(self, province: str) -> str:
        return (
            f"insert into {duck.ATTACHED}.core.crosswalk by name select system, '{province}' as province, customer_key, "
            f"'BC{province}' || n as customer_id, 'bench' as rule, '{{}}' as evidence, {BASE_SEQ}::bigint as recorded_from from ("
            "select 'crm' as system, key as customer_key, n from each_customer union all "
            "select 'billing', 'K' || n, n from each_customer) known"
        )

    @property
    def correction_batches(self) -> list[int]:
        return [self.batch(province, 52) for province in PROVINCES]

    def change(self) -> None:
        """The loads of the next night: one product, order, account and bill item in a hundred changes, at `NEXT_SEQ`."""
        with self._connected() as store:
            store.execute(f"update hub.clock set seq = greatest(seq, {NEXT_SEQ})".encode())
            for province in PROVINCES:
                for feed_no, entity, change in _CHANGES:
                    self._new_versions(store, province, feed_no, entity, change)
                self._correct_items(store, province)

    def _new_versions(self, store: psycopg.Connection, province: str, feed_no: int, entity: str, change: str) -> None:
        system, feed = _FEEDS[feed_no - 1]
        number = self.batch(province, feed_no + 40)
        self._record_batch(store, province, feed_no, system, feed, number=number, period=NEXT_NIGHT, seq=NEXT_SEQ)
        columns = [column.name for column in tables.ENTITY_TABLES[entity].columns]
        fresh = {"recorded_from": str(NEXT_SEQ), "recorded_to": "null", "batch_id": str(number), "row_hash": "'n'"}
        values = ", ".join(
            fresh.get(name, change.partition(" ")[2].format(name) if name == change.partition(" ")[0] else f"t.{name}")
            for name in columns
        )
        store.execute(
            f"with closed as (update core.{entity} t set recorded_to = {NEXT_SEQ} where province = '{province}' "
            f"and system = '{system}' and recorded_to is null and row_no % 100 = 0 returning t.*) "
            f"insert into core.{entity} ({', '.join(columns)}) select {values} from closed t".encode()
        )

    def _correct_items(self, store: psycopg.Connection, province: str) -> None:
        """As a correction does: rows of the month are closed, rows of the correction's own partition take their place."""
        number, base = self.batch(province, 52), self.batch(province, 12)
        self._record_batch(
            store, province, 12, "billing", "bill_item", number=number, period=MONTH, seq=NEXT_SEQ, kind="correction_insert"
        )
        store.execute(f"create table core.bill_item_b{number} partition of core.bill_item for values in ({number})".encode())
        columns = [column.name for column in tables.ENTITY_TABLES["bill_item"].columns]
        fresh = {"recorded_to": "null", "batch_id": str(number), "source_key": "t.source_key || 'N'"}
        values = ", ".join(fresh.get(name, f"t.{name}") for name in columns)
        store.execute(
            f"with closed as (update core.bill_item_b{base} t set recorded_to = {NEXT_SEQ} where row_no % 100 = 0 returning t.*) "
            f"insert into core.bill_item_b{number} ({', '.join(columns)}) select {values} from closed t".encode()
        )

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection]:
        dsn = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(dsn, autocommit=True) as store:
            yield store
