"""A column's distinct values in comparable form, as a DuckDB table: in Arrow batches, on as many processes as they are worth."""

from __future__ import annotations

import gc
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from multiprocessing import current_process, get_context
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from identity import checking, codes, contacts, lexicon, names, normalise, regions
from identity.checking import surely_valid_licences, surely_valid_org_codes, surely_valid_usccs
from store.duck import literal

BATCH = 20_000
# A process costs some three seconds to start, as it imports all its parent did; so many values take about as long to fold.
WORTH_A_PROCESS = 300_000

Fold = Callable[[Sequence[str]], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Folding:
    """Table `table` is to hold `text` and `columns` (SQL declarations) for every distinct text.

    What is `personal` is folded anew each time: people's values are kept in no file that outlives the task.
    """

    table: str
    columns: tuple[str, ...]
    fold: Fold
    personal: bool = False


def fold_names(texts: Sequence[str]) -> list[tuple[Any, ...]]:
    return list(normalise.names(texts))


def fold_usccs(texts: Sequence[str]) -> list[tuple[Any, ...]]:
    sure = surely_valid_usccs(texts)
    return [(text, "valid") if text in sure else _told(normalise.uscc(text)) for text in texts]


def fold_org_codes(texts: Sequence[str]) -> list[tuple[Any, ...]]:
    sure = surely_valid_org_codes(texts)
    return [(text, "valid") if text in sure else _told(normalise.org_code(text)) for text in texts]


def fold_licences(texts: Sequence[str]) -> list[tuple[Any, ...]]:
    sure = surely_valid_licences(texts)
    return [(text, "valid") if text in sure else _told(normalise.licence_no(text)) for text in texts]


def fold_taxpayers(texts: Sequence[str]) -> list[tuple[Any, ...]]:
    return [_told(normalise.taxpayer_id(text)) for text in texts]


def fold_addresses(texts: Sequence[str]) -> list[tuple[Any, ...]]:
    return list(normalise.addresses(texts))


def fold_phones(texts: Sequence[str]) -> list[tuple[Any, ...]]:
    return [(normalise.phone(text),) for text in texts]


def fold_contacts(texts: Sequence[str]) -> list[tuple[Any, ...]]:
    return [(normalise.contact(text),) for text in texts]


def _told(code: normalise.Code) -> tuple[str, str]:
    return code.text, code.reason.value


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
ADDRESSES = Folding("address_fold", ("city varchar", "street varchar", "detail varchar"), fold_addresses, personal=True)
PHONES = Folding("phone_fold", ("phone varchar",), fold_phones, personal=True)
CONTACTS = Folding("contact_fold", ("contact varchar",), fold_contacts, personal=True)


def fold_all(connection: duckdb.DuckDBPyConnection, wanted: Mapping[Folding, str], memory: Path | None = None) -> None:
    """Makes the table of each folding for the texts its query gives (one column; NULL and repeats are left out). `memory`: a
    folder that keeps what was folded from run to run; what these runs no longer meet is forgotten with the next."""
    for folding, texts in wanted.items():
        connection.execute(
            f"create or replace table unfolded_{folding.table} as "
            f"select distinct text from ({texts}) said(text) where text is not null"
        )
        connection.execute(f"create or replace table {folding.table} ({', '.join(('text varchar', *folding.columns))})")
        if memory and not folding.personal:
            _recall(connection, folding, _file_of(memory, folding))
    counts = {folding: _count(connection, f"unfolded_{folding.table}") for folding in wanted}
    with _workers(sum(counts.values())) as pool:
        for folding in wanted:
            _fold(connection, folding, pool)
            if memory and not folding.personal:
                _remember(connection, folding, _file_of(memory, folding))


def _fold(connection: duckdb.DuckDBPyConnection, folding: Folding, pool: ProcessPoolExecutor | None) -> None:
    columns_named = ["text", *(column.split()[0] for column in folding.columns)]
    reading = connection.cursor()
    reader = reading.execute(f"select text from unfolded_{folding.table}").to_arrow_reader(BATCH)
    for columns in _columns_of(folding, (batch.column(0) for batch in reader), pool):
        connection.register("folded_batch", pa.Table.from_arrays(columns, names=columns_named))
        connection.execute(f"insert into {folding.table} select * from folded_batch")
        connection.unregister("folded_batch")
    reading.close()
    connection.execute(f"drop table unfolded_{folding.table}")


@cache
def _rules() -> str:
    """What tells one state of the rules from another: their source. Other rules, other files."""
    rules = (checking, codes, contacts, lexicon, names, regions)
    text = "".join(Path(str(module.__file__)).read_text(encoding="utf-8") for module in rules)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _file_of(memory: Path, folding: Folding) -> Path:
    return memory / f"{folding.table}-{_rules()}.parquet"


def _recall(connection: duckdb.DuckDBPyConnection, folding: Folding, file: Path) -> None:
    if not file.exists():
        return
    try:
        connection.execute(
            f"insert into {folding.table} select kept.* from read_parquet({literal(file)}) kept "
            f"semi join unfolded_{folding.table} using (text)"
        )
    except duckdb.Error:
        # A file that cannot be read costs time, never a result.
        file.unlink(missing_ok=True)
        return
    connection.execute(
        f"create or replace table unfolded_{folding.table} as "
        f"select text from unfolded_{folding.table} anti join {folding.table} using (text)"
    )


def _remember(connection: duckdb.DuckDBPyConnection, folding: Folding, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    for other in file.parent.glob(f"{folding.table}-*.parquet"):
        if other != file:
            other.unlink(missing_ok=True)
    draft = file.with_suffix(".tmp")
    connection.execute(f"copy {folding.table} to {literal(draft)} (format parquet)")
    draft.replace(file)


def _columns_of(folding: Folding, given: Iterator[pa.Array], pool: ProcessPoolExecutor | None) -> Iterator[list[pa.Array]]:
    if pool is None:
        yield from (folded_columns(folding.fold, texts) for texts in given)
        return
    batches, done = list(given), 0
    try:
        for columns in pool.map(folded_columns, [folding.fold] * len(batches), batches):
            yield columns
            done += 1
    except BrokenProcessPool:
        # A worker was killed, or could not start where this process began in a way it cannot repeat: slower, not wrong.
        yield from (folded_columns(folding.fold, texts) for texts in batches[done:])


def folded_columns(fold: Fold, given: pa.Array) -> list[pa.Array]:
    """The texts and their comparable forms, column by column: what crosses between processes is Arrow, not Python's strings.
    A function of the module, for a worker process finds it by name."""
    with _without_collecting():
        return [given, *(pa.array(column) for column in zip(*fold(given.to_pylist()), strict=True))]


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"select count(*) from {table}").fetchone()
    return int(row[0]) if row else 0


@contextmanager
def _workers(count: int) -> Iterator[ProcessPoolExecutor | None]:
    """A worker a core where there is work for them and this process may have children; else None."""
    processes = min(os.cpu_count() or 1, count // WORTH_A_PROCESS)
    with ExitStack() as stack:
        yield (
            None
            if processes < 2 or current_process().daemon
            else stack.enter_context(ProcessPoolExecutor(processes, mp_context=get_context("spawn")))
        )


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Millions of small tuples, none in a cycle: looking for cycles among them is a quarter of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
