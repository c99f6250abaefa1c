"""The migrations build what `store.tables` says, and can be taken back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, create_engine, text

from schemas.entities import ENTITIES
from store.migrate import downgrade, upgrade
from store.tables import metadata

pytestmark = pytest.mark.postgres


def differences(connection: Connection) -> list[object]:
    options = {"include_schemas": True, "version_table_schema": "hub", "compare_server_default": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def test_migrated_store_equals_the_tables(store_engine: Engine) -> None:
    with store_engine.connect() as connection:
        assert differences(connection) == []


def test_a_table_the_migrations_do_not_know_is_seen(store_engine: Engine) -> None:
    with store_engine.connect() as connection:
        connection.execute(text("alter table hub.clock add column unknown bigint"))
        assert len(differences(connection)) == 1


def test_downgrade_takes_everything_back(new_database: Callable[..., str]) -> None:
    engine = create_engine(new_database())
    upgrade(engine)
    upgrade(engine)
    downgrade(engine, "base")
    with engine.connect() as connection:
        left = connection.execute(
            text("select table_schema || '.' || table_name from information_schema.tables where table_schema !~ '^(pg_|info)'")
        )
        assert left.scalars().all() == ["hub.alembic_version"]
    upgrade(engine)
    engine.dispose()


PORTAL_ENTITIES = {
    "contract": "agreement",
    "contact": "contact",
    "product": "product",
    "resource": "resource",
    "account": "account",
    "bill": "bill",
    "bill_item": "bill_item",
    "payment": "payment",
    "product_order": "product_order",
    "work_order": "work_order",
    "production_job": "production_job",
}


@pytest.mark.parametrize(("view", "entity"), PORTAL_ENTITIES.items())
def test_a_view_shows_every_column_and_masks_the_personal_ones(store_engine: Engine, view: str, entity: str) -> None:
    with store_engine.connect() as connection:
        definition = connection.execute(
            text("select pg_get_viewdef(('portal_v1.' || :view)::regclass)"), {"view": view}
        ).scalar_one()
        shown = set(
            connection.execute(
                text(
                    "select column_name from information_schema.columns where table_schema = 'portal_v1' and table_name = :view"
                ),
                {"view": view},
            ).scalars()
        )
    columns = {column.name for column in ENTITIES[entity].columns}
    assert columns <= shown
    masked = {name for name in columns if f"hub.masked(t.{name}) AS {name}" in definition}
    assert masked == ENTITIES[entity].personal


def test_every_entity_is_published() -> None:
    assert set(PORTAL_ENTITIES.values()) | {"customer"} == set(ENTITIES)
