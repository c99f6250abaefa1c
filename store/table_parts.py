"""What the store's tables are made of."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, MetaData, Text
from sqlalchemy.dialects.postgresql import TIMESTAMP

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def text_column(name: str, **options: bool) -> Column[str]:
    return Column(name, Text, nullable=options.get("nullable", False), primary_key=options.get("key", False))


def number(name: str, **options: bool) -> Column[int]:
    nullable, key = options.get("nullable", False), options.get("key", False)
    return Column(name, BigInteger, nullable=nullable, primary_key=key, autoincrement=False)


def moment(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, TIMESTAMP(timezone=True), nullable=nullable)


def feed_columns(*, key: bool = False) -> list[Column[str]]:
    return [text_column("system", key=key), text_column("feed", key=key), text_column("province", key=key)]


def recorded() -> list[Column[int]]:
    """When we knew: load sequences, half open; `recorded_to` is NULL while current."""
    return [number("recorded_from", key=True), number("recorded_to", nullable=True)]
