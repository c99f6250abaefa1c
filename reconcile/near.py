"""The products that a night must be asked about again.

A rule that looks at one product at a time (`Rule.by_product`) says of it what it said in the run before, unless a row of it, or a
row that one of its rows names, is another since. So a night judges such a rule for the products that loads touched, and for those
of which it found something then; of no other can it find anything. The other rules are judged whole, and so are these where what
was kept says nothing of tonight: other rules, months or provinces, a batch that counts no more, a month sent again, a quarter of
all products touched.

| loaded | touches |
|---|---|
| a product, order, resource, production job or bill item | the products that it names, or named before |
| an account, customer or agreement | the products of which a row names it |
| nothing, but identity took a CRM customer for another than before | the same |

While these rules are judged, and while it is looked up whose the findings are, `RELATIONS` hold the rows of those products alone,
of the products that the other rules' findings name, and the rows that name none.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
from sqlalchemy import text

from identity import extract as extract_room
from identity import parts as parts_room
from identity.extract import Extract, read_store
from identity.parts import Part, Parts, feeds_of, listed
from reconcile import charges, odd, provinces, shared
from reconcile.provinces import TYPE
from reconcile.rule import Rule
from store import sequence
from store.duck import literal
from store.ledger import CORRECTIONS

RELATIONS = ("core.product", "core.product_order", "core.resource", "charge", "rent")
"""What such a rule sees of the touched products alone; `reconcile.odd` is made of it."""
NAMING = ("product_order", "resource", "production_job")
"""State entities whose rows name a product by a column that can change."""
AT_MOST = 25
"""Products in a hundred; of more, all are judged."""

_TOUCHED = """
create or replace table near as
select distinct try_cast(province as {type}) as province, coalesce(product, '') as product from ({each})
where try_cast(province as {type}) is not null
"""
_ITSELF = "select distinct province, source_key as product from core.{entity} where batch_id in ({batches})"
_NAMING = """
select distinct province, product_id_crm as product from core.{entity}
where (system, province, source_key) in (select system, province, source_key from core.{entity} where batch_id in ({batches}))
"""
_CHARGED = """
select province, product_id_crm as product from core.bill_item where batch_id in ({batches})
union
select province, product_id_crm from core.bill_item where recorded_to > {since} and recorded_to <= {seq}
"""
_NAMED = "select distinct province, source_key as key from core.{entity} where batch_id in ({batches})"
_MOVED = """
select distinct province, customer_key as key from core.crosswalk
where system = 'crm' and (recorded_from > {clock} or recorded_to > {clock})
"""
# Whose column names a row of which entity.
_NAMES = (
    ("core.product", "account_no", "account"),
    ("core.product", "customer_key", "customer"),
    ("core.product", "contract_no", "agreement"),
    ("core.product_order", "customer_id_crm", "customer"),
    ("charge", "account_no", "account"),
)
_OF_NAMED = """
select child.province::varchar as province, child.product_id_crm as product from {relation} child
semi join named_{entity} named on try_cast(named.province as {type}) = child.province and named.key = child.{column}
"""
_SEEN = """
select 'product' as what, province::varchar as province, product as value from finding_raw where product is not null
union
select 'month', province::varchar, month from kept
union
select 'judged', province, rule_id from judged where rule_id in ({rules})
union
select 'batch', null, unnest([{batches}]::varchar[])
union
select 'clock', null, '{clock}'
"""
# So that it can be told among few whose the products are that the rules judged whole find.
_FOUND_SO_FAR = f"""
insert into near
select distinct province::{TYPE}, holder_key from finding_raw where holder = 'product_id_crm' and holder_key is not null
except from near
"""
_OTHERWISE = """
with now as ({seen}), each as (
    select *, true as is_now from now union all select *, false from before
    union all select 'batch', null, unnest([{loaded}]::varchar[]), false
)
select count(*) from (
    select 1 from each where what in ('month', 'judged', 'batch') group by what, province, value
    having not (bool_or(is_now) and bool_or(not is_now))
)
"""


class Near:
    """The touched products of one run. Made before anything is read of the store; then `ask`, and after what is judged whole,
    `begin`."""

    def __init__(self, extract: Extract, rules: Iterable[Rule], batches: Sequence[int], periods: Sequence[str] | None) -> None:
        self._extract, self._batches = extract, batches
        self._rules = [rule for rule in rules if rule.by_product]
        self._stem = f"found-{_digest(self._rules, periods)}"
        self._clock = 0
        self._before: Part | None = None
        self._each: list[str] = []
        if extract.parts:
            self._before = extract.parts.newest(self._stem)
            with extract.parts.engine.connect() as store:
                self._clock = sequence.current(store)

    def ask(self) -> None:
        """Asks the store what loads since the run before touched."""
        parts, before = self._extract.parts, self._before
        if parts and before and _sent_again(parts, before.seq):
            self._before = None
        elif parts and before:
            with self._extract.connection.cursor() as connection:
                connection.execute(f"create or replace table before as from read_parquet({literal(before.file)})")
                self._each = [
                    "select province, value as product from before where what = 'product'",
                    f"select unnest(enum_range(null::{TYPE}))::varchar as province, '' as product",
                    *_naming(connection, parts, before.seq),
                    *_named(connection, parts, before.seq),
                ]

    def begin(self) -> bool:
        """Makes `near` (`province, product`) and the rows of those products, `near_NAME` for each of `RELATIONS`; False where all
        products are to be judged."""
        parts, connection = self._extract.parts, self._extract.connection
        before = self._before
        if parts is None or before is None:
            return False
        loaded = ", ".join(map(str, set(parts.loaded(feeds_of("bill_item"), before.seq)) & set(self._batches)))
        if _one(connection, _OTHERWISE.format(seen=self._seen(), loaded=loaded)):
            return False
        connection.execute(_TOUCHED.format(type=TYPE, each=" union all ".join(self._each)))
        if _one(connection, "select count(*) from near") * 100 > _one(connection, "select count(*) from core.product") * AT_MOST:
            return False
        connection.execute(_FOUND_SO_FAR)
        for relation in RELATIONS:
            # Where a state came from, no such rule asks.
            columns = "whole.* exclude (source_key, batch_id, row_no)" if relation.startswith("core.") else "whole.*"
            connection.execute(
                f"create or replace table {_near(relation)} as select {columns} from {relation} whole semi join near "
                "on near.province = whole.province and near.product = coalesce(whole.product_id_crm, '')"
            )
        return True

    def remember(self) -> None:
        """Keeps of which products the rules found something, whatever became of it, and of what they were judged."""
        parts = self._extract.parts
        if parts:
            parts.used.add(parts.put("found", parts.named(self._stem), self._seen()).file)

    def _seen(self) -> str:
        rules = ", ".join(literal(rule.rule_id) for rule in self._rules)
        return _SEEN.format(rules=rules or "null", batches=listed(self._batches) if self._batches else "", clock=self._clock)


def _naming(connection: duckdb.DuckDBPyConnection, parts: Parts, since: int) -> Iterator[str]:
    """SELECTs of the products that what was loaded names."""
    for entity, query in {"product": _ITSELF, "bill_item": _CHARGED, **dict.fromkeys(NAMING, _NAMING)}.items():
        if batches := parts.loaded(feeds_of(entity), since):
            if entity in NAMING and (said := parts.said_since(connection, entity, "product_id_crm", since)):
                yield f"select province, value as product from ({said})"
                continue
            wanted = query.format(entity=entity, batches=listed(batches), since=since, seq=parts.seq)
            read_store(connection, f"touched_{entity}", wanted)
            yield f"select province, product from touched_{entity}"


def _named(connection: duckdb.DuckDBPyConnection, parts: Parts, since: int) -> Iterator[str]:
    """SELECTs of the products of which a row names what was loaded, or whom identity took for another."""
    clock = _one(connection, "select max(value::bigint) from before where what = 'clock'")
    for entity in ("account", "customer", "agreement"):
        queries = [_NAMED.format(entity=entity, batches=listed(parts.loaded(feeds_of(entity), since)))]
        if entity == "customer":
            queries.append(_MOVED.format(clock=clock))
        read_store(connection, f"named_{entity}", " union ".join(queries))
    for relation, column, entity in _NAMES:
        if _one(connection, f"select count(*) from named_{entity}"):
            yield _OF_NAMED.format(relation=relation, column=column, entity=entity, type=TYPE)


@contextmanager
def narrowed(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """While the block runs, `RELATIONS` are the rows of the touched products."""
    kinds = {relation: _kind(connection, relation) for relation in RELATIONS}
    for relation, kind in kinds.items():
        connection.execute(f"alter {kind} {relation} rename to {_whole(relation)}")
        connection.execute(f"create view {relation} as from {_near(relation)}")
    try:
        yield
    finally:
        for relation, kind in kinds.items():
            connection.execute(f"drop view {relation}")
            schema, _, name = relation.rpartition(".")
            connection.execute(f"alter {kind} {f'{schema}.' if schema else ''}{_whole(relation)} rename to {name}")


def _kind(connection: duckdb.DuckDBPyConnection, relation: str) -> str:
    schema, _, name = relation.rpartition(".")
    given = [schema or "main", name]
    is_view = connection.execute("select 1 from duckdb_views() where (schema_name, view_name) = (?, ?)", given).fetchone()
    return "view" if is_view else "table"


def _whole(relation: str) -> str:
    return f"{relation.rpartition('.')[2]}_whole"


def _near(relation: str) -> str:
    return f"near_{relation.rpartition('.')[2]}"


def _sent_again(parts: Parts, since: int) -> bool:
    """Whether more than corrections of bill items came since."""
    corrections = [kind.value for kind in CORRECTIONS]
    query = text(
        "select exists (select from hub.batch where system || '.' || feed = any (:feeds) "
        "and loaded_seq > :since and loaded_seq <= :seq and kind <> all (:corrections))"
    )
    facts = {"feeds": feeds_of("bill_item"), "since": since, "seq": parts.seq, "corrections": corrections}
    with parts.engine.connect() as store:
        return bool(store.execute(query, facts).scalar_one())


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0] or 0) if row else 0


# What decides what such a rule sees: a mended one asks about all products again.
_ROOMS = (charges, extract_room, odd, parts_room, provinces, shared, sys.modules[__name__])


def _digest(rules: Sequence[Rule], periods: Sequence[str] | None) -> str:
    """What tells one question from another: the rules, the months asked for, and how the shared tables are made."""
    sources = [Path(str(room.__file__)).read_text(encoding="utf-8") for room in _ROOMS]
    asked = [f"{rule.rule_id} {rule.by_product} {rule.found}" for rule in sorted(rules, key=lambda rule: rule.rule_id)]
    return hashlib.sha256("\n".join([duckdb.__version__, str(periods), *asked, *sources]).encode()).hexdigest()[:12]
