"""`python -m store.ddl TABLE`: the SQL that makes a table of `store.tables`, to start a migration from."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from hub.errors import NotFound
from store.tables import metadata


def create_statements(name: str) -> Iterator[str]:
    """`create table` and its indexes for `schema.table`. Raises NotFound, which lists the tables there are."""
    if name not in metadata.tables:
        raise NotFound(f"no table {name!r}; known: {', '.join(sorted(metadata.tables))}", table=name)
    table = metadata.tables[name]
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    indexes = [CreateIndex(index) for index in sorted(table.indexes, key=lambda index: str(index.name))]
    statements: list[CreateTable | CreateIndex] = [CreateTable(table), *indexes]
    for statement in statements:
        yield str(statement.compile(dialect=dialect)).strip() + ";"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m store.ddl TABLE, for example core.account")
    try:
        statements = list(create_statements(sys.argv[1]))
    except NotFound as error:
        sys.exit(error.message)
    sys.stdout.write("\n\n".join(statements) + "\n")
