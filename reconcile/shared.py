"""What several rules read, made once a run from the extract. `province` is an enumeration (`reconcile.provinces`).

| table | a row is |
|---|---|
| `charge` | what one bill charges one account for one product in one month: `items`, `amount_fen`, `tax_fen`, `untaxed` (items without tax), `rent_fen`, `discount_fen`, and the lines that are not quantity times price (`wrong_lines`, `wrong_fen`, `wrong_by_fen`, `abs_wrong_fen`) |
| `product_charge` | what one product was charged in one month: `amount_fen`, and the first `bill_no` |
| `rent` | one rent item: `item_no`, `bill_no`, `product_id_crm`, `month`, `quantity`, `price_fen`, `amount_fen`, `charged_from`, `charged_to` |
| `account_bill` | what one bill charges one account in one month: `items`, `amount_fen`, `tax_fen`, `untaxed` |
| `bill_sum` | the accepted items of one bill |
| `kept` | one (`province`, `month`; `first_day`, `last_day`) whose bill items the candidate holds and the run judges |
| `account_charge` | what one account was charged in the last month judged |
| `payer` | one customer (`customer_key`, golden `customer_id`) whose `products` one account pays for |
| `odd_order`, `odd_rent`, `odd_resource` | orders, rents, resources that do not simply say what their product says (`reconcile.odd`); made when rules `by_product` are judged, for no others |
| `ordered_job` | a production job (`job_no`, `order_no`, `product_id_crm`, `job_state`, `source_version`), whether its order is known (`is_known`), and of the order `order_product`, `order_state`, `price_fen`, `order_version` |
| `linked_group` | a CRM customer and a group customer that name each other, or one the other, and no third |
| `withheld` | one word (`feed`, `province`, `token`, `row_hash`) of a row in quarantine that nothing later settled; `is_withheld(feed, province, key)` asks for one |
| `status_term` | a time (`since`, `until`) in which a product that was suspended once had one `product_status`; `was_active(province, product, status, first month, last month)` asks whether it was in use on a day of the months, by its `status` of today where it never was suspended |
| `golden` | which golden customer a source customer is |
| `nightly_picture` | the last whole picture of a nightly feed: rows and fen `accepted`, and of the one before, `previous` |
| `controlled` | a loaded delivery with the sender's control totals, and what was received |
| `figure`, `signed` | a month's figures as they are and as they stand signed (`reconcile.figures`) |
| `product_number_group` | of the extract, not made here: a product (`system, province, source_key`) whose service number another has too, and their `number_group` (`identity.alike`) |
| `present` | one (`entity`, `province`) of which the extract holds a row |
"""  # noqa: E501  (a table's row is one line)

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from identity.extract import Extract, read_store
from reconcile import figures
from reconcile.charges import sum_charges
from reconcile.provinces import TYPE
from schemas.contract import Mode
from schemas.contracts import CONTRACTS
from schemas.entities import FACTS

WITHHOLDING_FEEDS = tuple(sorted(contract.feed for contract in CONTRACTS.values()))
SHORTEST_KEY = 4
_SUMS = """
create or replace table bill_sum as
select province, bill_no, min(month) as month, min(account_no) as account_no, sum(items)::bigint as items,
    sum(amount_fen)::bigint as amount_fen, sum(tax_fen)::bigint as tax_fen, sum(untaxed)::bigint as untaxed
from account_bill group by province, bill_no;

create or replace table kept as
select province, month, strptime(month, '%Y%m')::date as first_day, last_day(first_day) as last_day
from (select distinct province, month from account_bill) where {judged};

create or replace table account_charge as
select province, account_no, arg_max(amount_fen, month) as amount_fen from (
    select province, account_no, month, sum(amount_fen)::bigint as amount_fen
    from account_bill join kept using (province, month) group by province, account_no, month
) monthly group by province, account_no;
"""
# A row in quarantine withholds what it names until its batch was superseded or replayed, its period came again, a later whole
# picture of its feed was loaded, or a later row of its key was accepted: from then on the store knows better.
# The raw bytes as text without decoding them: keys are ASCII, whatever else is broken in the row. PostgreSQL writes every
# other byte as a backslash and three octal digits, which must not stick to the key beside it.
_WITHHELD = """
with held as (
    select b.batch_id, b.system, b.feed, b.province, encode(q.raw, 'escape') as raw,
        coalesce(b.delivery ->> 'layout' in ('json_page', 'soap_page'), false) as names_its_fields
    from hub.batch b join hub.quarantine q using (batch_id)
    where q.outcome = 'quarantined' and q.raw is not null and b.feed in ({feeds})
        and (b.feed <> 'bill_item' or b.batch_id in ({batches}))
        and (b.superseded_seq is null or b.superseded_seq > {seq})
        and not exists (
            select from hub.batch later
            where (later.system, later.feed, later.province) = (b.system, b.feed, b.province)
                and later.batch_id > b.batch_id and later.loaded_seq <= {seq}
                and (later.delivery ->> 'replay_of' = b.batch_id::text
                    or later.kind in ('full', 'initial')
                        and (later.period = b.period or later.period > b.period and length(b.period) = 8)
                    or later.kind = 'incremental' and b.kind = 'incremental' and later.period = b.period)
        )
)
select distinct feed, province, raw from held where not ({came_again})
"""
# A key stands first in its record, or behind its name where a page names its fields.
_CAME_AGAIN = """
feed = '{feed}' and exists (
    select from core.{entity} version
    where version.system = held.system and version.province = held.province and version.batch_id > held.batch_id
        and version.row_no > 0 and version.recorded_from <= {seq} and version.source_key = substring(
            regexp_replace(held.raw, '\\\\[0-7]{{3}}', ' ', 'g')
            from case when names_its_fields then '\\m{key}\\M[^A-Za-z0-9_-]+' else '' end || '([A-Za-z0-9_-]+)'))
"""
_TOKENS = f"""
create or replace table withheld as
select distinct feed, province, token, row_hash
from (
    select feed, province, hash(raw) as row_hash, unnest(string_split_regex(raw, '(\\\\[0-7]{{3}}|[^A-Za-z0-9_-])+')) as token
    from withheld_row
)
where length(token) >= {SHORTEST_KEY};

create or replace macro is_withheld(of_feed, of_province, of_key) as exists (
    select 1 from withheld where withheld.feed = of_feed and withheld.province = of_province and withheld.token = of_key
)
"""
# By CRM's own clock. Before the first version known it is taken to have been as that one says.
_STATUS_TERMS = """
select province, source_key as product_id_crm, product_status,
    case when lag(source_version) over versions is not null then source_version end as since, lead(source_version) over versions
    as until
from core.product
where recorded_from <= {seq} and (system, province, source_key) in (
    select system, province, source_key from core.product where product_status = 'suspended' and recorded_from <= {seq}
)
window versions as (partition by system, province, source_key order by source_version, recorded_from)
"""
_WAS_ACTIVE = """
create or replace macro was_active(of_province, of_product, status, first_month, last_month) as case
    when not exists (select 1 from status_term where province = of_province and product_id_crm = of_product)
        then status <> 'suspended'
    else exists (
        select 1 from status_term where province = of_province and product_id_crm = of_product and product_status = 'active'
        and coalesce(since < strptime(last_month, '%Y%m') + interval 1 month, true)
        and coalesce(until > strptime(first_month, '%Y%m'), true)
    ) end
"""
_GOLDEN = "select system, province, customer_key, customer_id from core.crosswalk where recorded_to is null"
# Of a province that the extract holds nothing of, nobody asks.
_KNOWN = f"create or replace table golden as select * replace (try_cast(province as {TYPE}) as province) from golden"
_CUSTOMERS = f"""
create or replace table payer as
select paying.province, paying.account_no, paying.customer_key, golden.customer_id, paying.products
from (
    select * replace (province::{TYPE} as province) from ({{paying}}) where account_no is not null and products > 0
) paying
left join golden on golden.system = 'crm' and golden.province = paying.province and golden.customer_key = paying.customer_key;

create or replace table linked_group as
with link as (
    select province, customer_key, group_id_group as group_key from core.customer
    where system = 'crm' and group_id_group is not null
    union
    select province, customer_id_crm, customer_key from core.customer where system = 'group' and customer_id_crm is not null
)
select province, customer_key, group_key from link
qualify count(*) over (partition by province, customer_key) = 1 and count(*) over (partition by province, group_key) = 1;
"""
_JOBS = """
create or replace table ordered_job as
select job.province, job.job_no, job.order_no, job.product_id_crm, job.job_state, job.source_version,
    ordered.order_no is not null as is_known, ordered.product_id_crm as order_product, ordered.order_state, ordered.price_fen,
    ordered.source_version as order_version
from core.production_job job
left join core.product_order ordered on ordered.province = job.province and ordered.order_no = job.order_no
"""
_PRESENT = f"create or replace table present as select entity, province::{TYPE} as province from entity_province where held > 0"
_PICTURES = """
select distinct on (b.system, b.feed, b.province, b.period) b.system || '.' || b.feed as feed, b.province, b.period,
    b.accepted, b.accepted_fen
from hub.batch b
where b.kind in ('full', 'initial') and b.loaded_seq <= {seq} and b.system || '.' || b.feed in ({feeds})
order by b.system, b.feed, b.province, b.period, b.batch_id desc
"""
_LATEST = """
create or replace table nightly_picture as
select feed, province, period, accepted, accepted_fen,
    lag(accepted) over feed_nights as previous, lag(accepted_fen) over feed_nights as previous_fen
from picture window feed_nights as (partition by feed, province order by period)
qualify row_number() over (partition by feed, province order by period desc) = 1
"""
_CONTROLLED = """
select b.system || '.' || b.feed as feed, b.province, b.period, b.batch_id, (b.delivery #>> '{{control,rows}}')::bigint as
    control_rows, (b.delivery #>> '{{control,amount_fen}}')::bigint as control_fen, b.received, b.received_fen, b.unreadable
from hub.batch b
where b.loaded_seq <= {seq} and (b.superseded_seq is null or b.superseded_seq > {seq})
    and b.delivery #>> '{{control,rows}}' is not null
"""


def prepare(
    extract: Extract, batches: Sequence[int], periods: Sequence[str] | None, also: Callable[[], None] | None = None
) -> None:
    """Makes the tables above but `odd_*`, of what counts at the extract's sequence. `periods`: the months to judge; None judges
    every month of `batches`. `also`: what else asks the store, while charges are summed."""
    with ThreadPoolExecutor(1) as aside:
        asking = aside.submit(_ask, extract, batches, also)
        derive(extract, periods, asking.result)


def _ask(extract: Extract, batches: Sequence[int], also: Callable[[], None] | None) -> None:
    seq = int(extract.seq)
    with extract.connection.cursor() as connection:
        read_store(connection, "withheld_row", _withheld(seq, batches))
        read_store(connection, "golden", _GOLDEN)
        read_store(connection, "status_term", _STATUS_TERMS.format(seq=seq))
        whole = [c.feed_id for c in CONTRACTS.values() if c.period == "daily" and c.mode is Mode.FULL]
        pictures = ", ".join(f"'{feed}'" for feed in whole)
        read_store(connection, "picture", _PICTURES.format(seq=seq, feeds=pictures))
        read_store(connection, "controlled", _CONTROLLED.format(seq=seq))
        figures.read_signed(connection)
    if also:
        also()


def _withheld(seq: int, batches: Sequence[int]) -> str:
    """The store's query of `feed, province, raw`: the rows in quarantine that may still come, as text."""
    came_again = " or ".join(
        _CAME_AGAIN.format(feed=contract.feed, entity=contract.entity, key=contract.column(contract.key[0]).source, seq=seq)
        for contract in CONTRACTS.values()
        if contract.entity not in FACTS
    )
    numbers = ", ".join(str(int(batch)) for batch in batches) or "null"
    feeds = ", ".join(f"'{feed}'" for feed in WITHHOLDING_FEEDS)
    return _WITHHELD.format(feeds=feeds, batches=numbers, seq=seq, came_again=came_again)


def derive(extract: Extract, periods: Sequence[str] | None, asked: Callable[[], None] | None = None) -> None:
    """Makes what follows from `core.*` and from what is read of the store (`withheld_row`, `golden`, `picture`, …); `asked` waits
    until it is."""
    connection = extract.connection
    sum_charges(extract)
    if asked:
        asked()
    connection.execute(_KNOWN)
    months = ", ".join(f"'{int(month)}'" for month in periods or ())
    connection.execute(_SUMS.format(judged=f"month in ({months or 'null'})" if periods is not None else "true"))
    connection.execute(_TOKENS)
    connection.execute(_WAS_ACTIVE)
    paying = extract.counted("product", ["province", "account_no", "customer_key"], {"products": "count(*)"})
    connection.execute(_CUSTOMERS.format(paying=paying))
    connection.execute(_JOBS)
    connection.execute(_LATEST)
    figures.make(connection)
    figures.none_signed(connection)
    if periods is not None:
        connection.execute(f"delete from signed where month not in ({months or 'null'})")
    connection.execute(_PRESENT)
