"""A column's distinct values in comparable form, as a DuckDB table: in Arrow batches, on as many processes as they are worth."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import duckdb
import pyarrow as pa

from identity import normalise

BATCH = 20_000
# A process costs about a second to start; so many values take about as long to fold.
WORTH_A_PROCESS = 150_000

Fold = Callable[[Sequence[str]], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Folding:
    """Table `table` is to hold `text` and `columns` (SQL declarations) for every distinct text."""

    table: str
    columns: tuple[str, ...]
    fold: Fold


def fold_names(texts: Sequence[str]) -> list[tuple[Any, ...]]:
    return [
        (n.folded, n.core, n.trade, n.industry, n.place, n.form, n.branch, n.figures, n.sketch, n.is_group)
        for n in normalise.names(texts)
    ]


def fold_usccs(texts: Sequence[str]) -> list[tuple[Any, ...]]:
    return [(code.text, code.reason.value) for code in map(normalise.uscc, texts)]


def fold_org_codes(texts: Sequence[str]) -> list[tuple[Any, ...]]:
    return [(code.text, code.reason.value) for code in map(normalise.org_code, texts)]


def fold_licences(texts: Sequence[str]) -> list[tuple[Any, ...]]:
    return [(code.text, code.reason.value) for code in map(normalise.licence_no, texts)]


def fold_taxpayers(texts: Sequence[str]) -> list[tuple[Any, ...]]:
    return [(code.text, code.reason.value) for code in map(normalise.taxpayer_id, texts)]


def fold_addresses(texts: Sequence[str]) -> list[tuple[Any, ...]]:
    return [(place.city, place.street, place.detail) for place in normalise.addresses(texts)]


def fold_phones(texts: Sequence[str]) -> list[tuple[Any, ...]]:
    return [(normalise.phone(text),) for text in texts]


def fold_contacts(texts: Sequence[str]) -> list[tuple[Any, ...]]:
    return [(normalise.contact(text),) for text in texts]


_CODE = ("code varchar", "reason varchar")
NAMES = Folding(
    "name_fold",
    (
        "folded varchar", "core varchar", "trade varchar", "industry varchar", "place varchar", "form varchar", "branch varchar",
        "figures varchar", "sketch varchar", "is_group boolean",
    ),
    fold_names,
)  # fmt: skip
USCCS = Folding("uscc_fold", _CODE, fold_usccs)
ORG_CODES = Folding("org_fold", _CODE, fold_org_codes)
LICENCES = Folding("licence_fold", _CODE, fold_licences)
TAXPAYERS = Folding("taxpayer_fold", _CODE, fold_taxpayers)
ADDRESSES = Folding("address_fold", ("city varchar", "street varchar", "detail varchar"), fold_addresses)
PHONES = Folding("phone_fold", ("phone varchar",), fold_phones)
CONTACTS = Folding("contact_fold", ("contact varchar",), fold_contacts)


def fold(connection: duckdb.DuckDBPyConnection, folding: Folding, texts: str) -> None:
    """Makes the table of a folding for the texts a query gives (one column; NULL and repeats are left out)."""
    names = ["text", *(column.split()[0] for column in folding.columns)]
    connection.execute(f"create or replace table {folding.table} ({', '.join(('text varchar', *folding.columns))})")
    connection.execute(
        f"create or replace table unfolded as select distinct text from ({texts}) said(text) where text is not null"
    )
    row = connection.execute("select count(*) from unfolded").fetchone()
    reading = connection.cursor()
    reader = reading.execute("select text from unfolded").to_arrow_reader(BATCH)
    batches = (batch.column(0).to_pylist() for batch in reader)
    for texts_, folded in _folded(folding.fold, batches, int(row[0]) if row else 0):
        columns = list(zip(*folded, strict=True)) or [()] * len(folding.columns)
        arrays = [pa.array(texts_, pa.string()), *(pa.array(values) for values in columns)]
        connection.register("folded_batch", pa.Table.from_arrays(arrays, names=names))
        connection.execute(f"insert into {folding.table} select * from folded_batch")
        connection.unregister("folded_batch")
    reading.close()
    connection.execute("drop table unfolded")


def _folded(fold: Fold, batches: Iterator[list[str]], count: int) -> Iterator[tuple[list[str], list[tuple[Any, ...]]]]:
    processes = min(os.cpu_count() or 1, count // WORTH_A_PROCESS)
    if processes < 2:
        for batch in batches:
            yield batch, fold(batch)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        given = list(batches)
        yield from zip(given, pool.map(fold, given), strict=True)
