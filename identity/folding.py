"""A column's distinct values in comparable form, as a DuckDB table: in Arrow batches, on as many processes as they are worth."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from multiprocessing import current_process, get_context
from pathlib import Path

import duckdb
import pyarrow as pa

from identity import checking, codes, contacts, forms, lexicon, names, regions
from store.duck import literal

BATCH = 20_000
# A process must be started, and imports its parent's main module anew; what so many values take to fold is well above that.
WORTH_A_PROCESS = 300_000
ANEW_ABOVE = 10
"""Where what was added to a file is more than one part in so many of it, the file is made anew."""


@dataclass(frozen=True)
class Folding:
    """Table `table` is to hold `text` and `columns` (SQL declarations) for every distinct text.

    What is `personal` is folded anew each time: people's values are kept in no file that outlives the task.
    """

    table: str
    columns: tuple[str, ...]
    fold: forms.Fold
    personal: bool = False


_CODE = ("code varchar", "reason varchar")
NAMES = Folding(
    "name_fold",
    (
        "folded varchar", "core varchar", "trade varchar", "industry varchar", "place varchar", "form varchar", "branch varchar",
        "figures varchar", "sketch varchar", "is_group boolean",
    ),
    forms.fold_names,
)  # fmt: skip
USCCS = Folding("uscc_fold", _CODE, forms.fold_usccs)
ORG_CODES = Folding("org_fold", _CODE, forms.fold_org_codes)
LICENCES = Folding("licence_fold", _CODE, forms.fold_licences)
TAXPAYERS = Folding("taxpayer_fold", _CODE, forms.fold_taxpayers)
ADDRESSES = Folding("address_fold", ("city varchar", "street varchar", "detail varchar"), forms.fold_addresses, personal=True)
PHONES = Folding("phone_fold", ("phone varchar",), forms.fold_phones, personal=True)
CONTACTS = Folding("contact_fold", ("contact varchar",), forms.fold_contacts, personal=True)


def fold_all(
    connection: duckdb.DuckDBPyConnection, wanted: Mapping[Folding, str], memory: Path | None = None, *, touched: bool = False
) -> None:
    """Makes the table of each folding for the texts its query gives (one column; NULL and repeats are left out). `memory`: a
    folder that keeps what was folded from run to run. What a run no longer meets is forgotten; where the texts are only those of
    what was `touched`, what is new is added, and `forget` is to be called."""
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
                _keep(connection, folding, _file_of(memory, folding), touched=touched, new=bool(counts[folding]))
            connection.execute(f"drop table unfolded_{folding.table}")


def _fold(connection: duckdb.DuckDBPyConnection, folding: Folding, pool: ProcessPoolExecutor | None) -> None:
    columns_named = ["text", *(column.split()[0] for column in folding.columns)]
    reading = connection.cursor()
    reader = reading.execute(f"select text from unfolded_{folding.table}").to_arrow_reader(BATCH)
    for columns in _columns_of(folding, (batch.column(0) for batch in reader), pool):
        connection.register("folded_batch", pa.Table.from_arrays(columns, names=columns_named))
        connection.execute(f"insert into {folding.table} select * from folded_batch")
        connection.unregister("folded_batch")
    reading.close()


@cache
def rules() -> str:
    """What tells one state of the rules from another: their source. Other rules, other files."""
    modules = (checking, codes, contacts, forms, lexicon, names, regions)
    text = "".join(Path(str(module.__file__)).read_text(encoding="utf-8") for module in modules)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _file_of(memory: Path, folding: Folding) -> Path:
    return memory / f"{folding.table}-{rules()}.parquet"


def _keep(connection: duckdb.DuckDBPyConnection, folding: Folding, file: Path, *, touched: bool, new: bool) -> None:
    if not touched:
        _remember(connection, folding, file)
    elif new:
        _add(connection, folding, file)


def _recall(connection: duckdb.DuckDBPyConnection, folding: Folding, file: Path) -> None:
    if not (file.exists() or _later(file).exists()):
        return
    try:
        connection.execute(
            f"insert into {folding.table} select kept.* from {_kept(file)} kept semi join unfolded_{folding.table} using (text)"
        )
    except duckdb.Error:
        # A file that cannot be read costs time, never a result.
        file.unlink(missing_ok=True)
        _later(file).unlink(missing_ok=True)
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
    _write(connection, f"from {folding.table}", file)


def _add(connection: duckdb.DuckDBPyConnection, folding: Folding, file: Path) -> None:
    """Keeps what was new beside the file, which is the greater by far."""
    file.parent.mkdir(parents=True, exist_ok=True)
    later = _later(file)
    before = f"from read_parquet({literal(later)}) union all" if later.exists() else ""
    _write(connection, f"{before} from {folding.table} semi join unfolded_{folding.table} using (text)", later)


def forget(connection: duckdb.DuckDBPyConnection, wanted: Mapping[Folding, str], memory: Path) -> None:
    """Where much was added since a folding's file was written, it is written anew, of the texts the query gives alone."""
    for folding, texts in wanted.items():
        file = _file_of(memory, folding)
        if file.exists() and _later(file).exists() and _later(file).stat().st_size * ANEW_ABOVE > file.stat().st_size:
            query = f"from {_kept(file)} semi join (select * from ({texts}) said(text)) using (text)"
            connection.execute(f"create or replace temp table still_said as {query}")
            # First: whoever is killed here has lost what was added, and not kept it twice.
            _later(file).unlink()
            _write(connection, "from still_said", file)
            connection.execute("drop table still_said")


def _later(file: Path) -> Path:
    return file.with_name(f"{file.stem}-later.parquet")


def _kept(file: Path) -> str:
    files = [literal(each) for each in (file, _later(file)) if each.exists()]
    return f"read_parquet([{', '.join(files)}])"


def _write(connection: duckdb.DuckDBPyConnection, query: str, file: Path) -> None:
    draft = file.with_suffix(".tmp")
    connection.execute(f"copy ({query}) to {literal(draft)} (format parquet)")
    draft.replace(file)


def _columns_of(folding: Folding, given: Iterator[pa.Array], pool: ProcessPoolExecutor | None) -> Iterator[list[pa.Array]]:
    if pool is None:
        yield from (forms.folded_columns(folding.fold, texts) for texts in given)
        return
    batches, done = list(given), 0
    try:
        for columns in pool.map(forms.folded_columns, [folding.fold] * len(batches), batches):
            yield columns
            done += 1
    except BrokenProcessPool:
        # A worker was killed, or could not start where this process began in a way it cannot repeat: slower, not wrong.
        yield from (forms.folded_columns(folding.fold, texts) for texts in batches[done:])


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
