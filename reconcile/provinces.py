"""Provinces as an enumeration: every comparison of two systems begins with the province, and a byte costs less than a text."""

from __future__ import annotations

from identity.extract import Extract
from schemas.entities import FACTS

TYPE = "province_name"
"""The enumeration, in the order of the text; what is cast to it reads, sorts and joins as the text does."""
_AS_READ = "_as_read"


def enumerate_provinces(extract: Extract) -> None:
    """Makes `entity_province`, how many rows of which entity the extract holds of which province (`entity, province, held`), and
    of these provinces the type, which it gives to the entities; twice changes nothing.

    Facts keep the text: whoever sums them casts the sums.
    """
    connection = extract.connection
    if connection.execute(f"select 1 from duckdb_types() where type_name = '{TYPE}'").fetchone():
        return
    each = " union all ".join(
        f"select '{entity}' as entity, * from ({extract.counted(entity, ['province'], {'held': 'count(*)'})})"
        for entity in extract.entities
    )
    connection.execute(f"create or replace table entity_province as select * from ({each}) where province is not null")
    connection.execute(f"create type {TYPE} as enum (select distinct province from entity_province order by province)")
    views = {
        str(name) for (name,) in connection.execute("select view_name from duckdb_views() where schema_name = 'core'").fetchall()
    }
    for entity in extract.entities:
        if entity in FACTS:
            continue
        if entity in views:
            connection.execute(f"alter view core.{entity} rename to {entity}{_AS_READ}")
            enumerated = f"select * replace (province::{TYPE} as province) from core.{entity}{_AS_READ}"
            connection.execute(f"create view core.{entity} as {enumerated}")
        else:
            connection.execute(f"alter table core.{entity} alter province type {TYPE}")
