"""Which rows of an entity share the value of a personal column, told without the value.

In place of the column a table beside the entity has, for the rows whose value another of their province has too, the smallest
source key of those that have it.
What is kept of it from run to run is those keys; a later run asks the store for the values that loads brought since.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from identity.parts import VISIBLE, Parts, feeds_of, listed, read_store
from store.duck import literal

ALIKE: Mapping[tuple[str, str], str] = {("product", "number_group"): "service_no"}
"""Of an entity, what is told, and the personal column it stands for."""

# Grouped once, by whole numbers, and not by each of the store's parallel workers anew.
_ANYWHERE = """
with alike as materialized (
    select hashtextextended({column}, hashtext(province)) as h from core.{entity}
    where {visible} and {column} is not null group by h having count(*) > 1
), held as (
    select * from core.{entity} where {visible} and hashtextextended({column}, hashtext(province)) in (select h from alike)
)"""
_BROUGHT = """
with brought as materialized (
    select distinct province, {column} from core.{entity} where {brought} and {visible}
), held as (
    select entity.* from core.{entity} entity join brought using (province, {column}) where {visible}
)"""
_SHARED = """
select system, province, source_key, first_key as {name} from (
    select system, province, source_key, min(source_key) over same as first_key, count(*) over same as held_by
    from held window same as (partition by province, {column})
) shared where held_by > 1"""
# A value that loads brought is asked for with all who have it; of the others, those stay that loads did not touch.
_TOGETHER = """
select system, province, source_key, min(source_key) over same as {name} from (
    select *, true as is_asked from {told}_asked
    union all
    select *, false from read_parquet({kept})
    anti join {told}_touched using (system, province, source_key) anti join {told}_asked using (system, province, source_key)
) known window same as (partition by province, is_asked, {name}) qualify count(*) over same > 1"""


def tell(parts: Parts, entity: str, name: str) -> None:
    """Makes table `<entity>_<name>` of the rows that share a value: `system, province, source_key`, and what stands for it."""
    told = f"{entity}_{name}"
    query = _asked(_ANYWHERE, entity, name, 0) + _asked(_BROUGHT, entity, name, 0) + _TOGETHER
    stem = f"{name}-{hashlib.sha256(query.encode()).hexdigest()[:12]}"
    with parts.connection.cursor() as cursor:
        kept = parts.newest(stem)
        if kept is None:
            read_store(cursor, f"{told}_asked", _asked(_ANYWHERE, entity, name, parts.seq))
            kept = parts.put(entity, parts.named(stem), f"from {told}_asked")
        elif batches := parts.loaded(feeds_of(entity), kept.seq):
            brought = f"batch_id in ({listed(batches)})"
            keys = f"select distinct system, province, source_key from core.{entity} where {brought}"
            read_store(cursor, f"{told}_touched", keys)
            read_store(cursor, f"{told}_asked", _asked(_BROUGHT, entity, name, parts.seq, brought))
            kept = parts.put(entity, parts.named(stem), _TOGETHER.format(told=told, name=name, kept=literal(kept.file)))
        parts.used.add(kept.file)
        cursor.execute(f"create or replace table {told} as from read_parquet({literal(kept.file)})")


def _asked(held: str, entity: str, name: str, seq: int, brought: str = "") -> str:
    visible = VISIBLE.format(seq=seq)
    return (held + _SHARED).format(entity=entity, name=name, column=ALIKE[entity, name], visible=visible, brought=brought)
