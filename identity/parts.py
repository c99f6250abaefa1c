"""The Parquet parts an extract is made of, and what is kept of them from run to run.

A part holds the rows visible at the sequence it was made at. Later loads are read as a difference: a state entity's keys that
they touched, a fact's rows that they closed. A difference of more than a tenth makes the part anew. Parts hold no personal
column: an entity of which one is asked for is read anew each time, into the task's own memory.

| file | |
|---|---|
| `<entity>-<columns>-<seq>-<ledger>.parquet` | a state entity at a sequence |
| `<entity>-<columns>-b<batch>-<seq>-<ledger>.parquet` | a batch of facts at a sequence |
| `<name>-<query>-<seq>-<ledger>.parquet` | what stands for a personal column at a sequence (`identity.alike`) |
| `found-<rules>-<seq>-<ledger>.parquet` | the products of which reconciliation found something (`reconcile.near`) |
| `<name>-<query>-<part>.parquet` | what a query says of a part: charges summed, rows counted |
| `….parquet.<DuckDB>.sum` | how many rows a part has, and the sum of their hashes by this DuckDB (`Extract.digest`) |

`<ledger>` is a digest of the batches loaded up to the sequence, with what the gate decided of them: a part is used only where the
store, as it now is, still says the same of that past.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import duckdb
from sqlalchemy import Connection, Engine, text

from hub.errors import RetryLater
from hub.logging import redact
from schemas.contracts import CONTRACTS
from schemas.entities import ENTITIES
from store import duck

LINEAGE = ("system", "province", "source_key", "batch_id", "row_no")
STREAMS = 2
"""Entities and batches read at a time: one backend of the store alone is the bottleneck of a large one."""
PARQUET = "format parquet, compression lz4_raw, dictionary_size_limit 1000"
"""How parts are written. Keys are all different: a dictionary of them is given up after as many, not after a fifth of them."""
ANEW_ABOVE = 10
"""Parts per hundred of a part's rows: a greater difference makes it anew."""
VISIBLE = "not is_deleted and recorded_from <= {seq} and (recorded_to is null or recorded_to > {seq})"
"""Of a state entity, the version that counts at a sequence: one a key."""

Select = Callable[..., str]


@dataclass(frozen=True)
class Part:
    """Rows of an entity in a file, visible at `seq`."""

    entity: str
    file: Path
    seq: int


@dataclass(frozen=True)
class Sieve:
    """Of an entity, only some rows are read: those for which `own` holds, and those whose `column` is the source key of a row of
    `parent`, of the same province, for which `parents` holds."""

    own: str
    column: str
    parent: str
    parents: str

    def where(self, seq: int, among: str) -> str:
        """The condition, of parents visible at a sequence; `among` tells which alone matter."""
        return f"{self.own} or (province, {self.column}) in ({self.asked('province, source_key', seq, among)})"

    def asked(self, columns: str, seq: int, among: str) -> str:
        """The store's query of those parents."""
        return f"select {columns} from core.{self.parent} where {self.parents} and {VISIBLE.format(seq=seq)} and {among}"


def read_store(connection: duckdb.DuckDBPyConnection, table: str, query: str, constant: str = "") -> None:
    """Makes `table` from a query the store runs, streamed out of it by binary COPY; `constant` as of `copy_store`."""
    _from_store(connection, f"create or replace table {table} as select {constant}* from {{query}}", query, table)


def copy_store(connection: duckdb.DuckDBPyConnection, file: Path, query: str, constant: str = "") -> None:
    """Writes what the store answers as Parquet, streamed; `constant` columns, the same in every row, are not asked for."""
    _from_store(connection, f"copy (select {constant}* from {{query}}) to {duck.literal(file)} ({PARQUET})", query, file.stem)


def _from_store(connection: duckdb.DuckDBPyConnection, statement: str, query: str, what: str) -> None:
    try:
        connection.execute(statement.format(query=f"postgres_query('{duck.ATTACHED}', {duck.literal(query)})"))
    except duckdb.Error as error:
        raise RetryLater(f"the store could not be read for {what}: {redact(str(error))[:500]}", table=what) from None


@contextmanager
def claimed(folder: Path) -> Iterator[Path | None]:
    """The folder, until the block ends; None where another process has it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield folder


class Parts:
    """The parts under a folder. One run at a time uses it (`claimed`); `forget` removes what the run did not use."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, engine: Engine, folder: Path, seq: int) -> None:
        self.connection = connection
        self.engine = engine
        self.folder = folder
        self.seq = seq
        self.used: set[Path] = set()
        self.facts: dict[str, list[Part]] = {}
        self._made: dict[str, tuple[list[Path], list[tuple[int, str]]]] = {}
        self._overlaid: dict[str, Part] = {}
        self._ledgers: dict[int, str] = {}
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def state(self, entity: str, columns: Sequence[str], select: Select, sieve: Sieve | None = None) -> None:
        """Makes view `core.<entity>` of the rows visible at the sequence. `select(where, among)` is the store's query of
        them, where of the sieve's parents only those matter. A key that loads touched is now as a row that they brought says."""
        stem = f"{entity}-{_digest((*columns, sieve.where(0, '')) if sieve else columns)}"
        kept = self.newest(stem) or self._write(entity, self.named(stem), select("true"))
        own = self.loaded(feeds_of(entity), kept.seq)
        above = self.loaded(feeds_of(sieve.parent), kept.seq) if sieve else []
        changed = bool(own or above)
        with self.connection.cursor() as cursor:
            if changed:
                brought = f"batch_id in ({listed(own)})"
                read_store(cursor, f"{entity}_touched", f"select system, province, source_key from core.{entity} where {brought}")
                now = select(
                    brought, f"source_key in (select {sieve.column} from core.{entity} where {brought})" if sieve else "true"
                )
                if sieve and above:
                    now += f" union {self._followed(cursor, kept, sieve, above, select)}"
                read_store(cursor, f"{entity}_now", now)
                overlaid = _overlaid(cursor, entity, kept.file)
                if _count(cursor, f"{entity}_touched") * 100 > _rows_of(cursor, kept.file) * ANEW_ABOVE:
                    kept, changed = self.put(entity, self.named(stem), overlaid), False
            rows = overlaid if changed else f"select * from read_parquet({duck.literal(kept.file)})"
            cursor.execute(f"create or replace view core.{entity} as {rows}")
        self.used.add(kept.file)
        if changed:
            self._overlaid[entity] = kept
        later = [(-1, f"{entity}_gone"), (1, f"{entity}_now")] if changed else []
        self._made[entity] = ([kept.file], later)

    def fact(
        self, entity: str, columns: Sequence[str], batches: Sequence[int], select: Callable[[str], str], pool: Executor
    ) -> Callable[[], None]:
        """Begins to read, and gives what waits for it and makes view `core.<entity>` of the rows of these batches visible at
        the sequence, and `<entity>_closed` of the rows that later loads closed in the parts.
        `select(where)` leaves out what is one in a batch: `system`, `province` and `batch_id`."""
        ever = f"select {', '.join((*LINEAGE, *columns))} from core.{entity} where"
        read_store(self.connection, f"{entity}_closed", f"{ever} false")
        stems = {int(batch): f"{entity}-{_digest(columns)}-b{int(batch)}" for batch in batches}
        reading = {batch: pool.submit(self._batch, entity, batch, stem, select, ever) for batch, stem in stems.items()}
        return partial(self._unite, entity, reading, select)

    def _batch(self, entity: str, batch: int, stem: str, select: Callable[[str], str], ever: str) -> Part:
        kept = self.newest(stem)
        if kept and self._closed_since(entity, batch, kept, ever):
            return kept
        return self._write_batch(entity, batch, self.named(stem), select)

    def _unite(self, entity: str, reading: Mapping[int, Future[Part]], select: Callable[[str], str]) -> None:
        self.facts[entity] = [part.result() for part in reading.values()]
        self.used |= {part.file for part in self.facts[entity]}
        if self.facts[entity]:
            files = ", ".join(duck.literal(part.file) for part in self.facts[entity])
            query = f"select * from read_parquet([{files}]) anti join {entity}_closed using (batch_id, row_no)"
            self.connection.execute(f"create or replace view core.{entity} as {query}")
            self._made[entity] = ([part.file for part in self.facts[entity]], [(-1, f"{entity}_closed")])
        else:
            read_store(self.connection, f"core.{entity}", select("false"), _same_in_a_batch("", "", 0))

    def _write_batch(self, entity: str, batch: int, file: Path, select: Callable[[str], str]) -> Part:
        with self.engine.connect() as store:
            whose = store.execute(
                text(f"select system, province from core.{entity} where batch_id = :batch limit 1"), {"batch": batch}
            )
            system, province = whose.one_or_none() or ("", "")
        constant = _same_in_a_batch(str(system), str(province), batch)
        return self._write(entity, file, select(f"batch_id = {batch}"), constant)

    def forget(self) -> None:
        """Removes the parts that this run had no use for, and what a killed one left half-written."""
        for file in self.folder.iterdir():
            if file not in self.used:
                file.unlink(missing_ok=True)

    def newest(self, stem: str) -> Part | None:
        """The newest file of a stem that may be used at this sequence."""
        usable = []
        for file in self.folder.glob(f"{stem}-*.parquet"):
            seq, ledger = file.stem.removeprefix(f"{stem}-").split("-")
            if seq.isdecimal() and int(seq) <= self.seq and ledger == self._ledger(int(seq)):
                usable.append((int(seq), file))
        if not usable:
            return None
        seq_made, file = max(usable)
        return Part(stem.partition("-")[0], file, seq_made)

    def named(self, stem: str) -> Path:
        return self.folder / f"{stem}-{self.seq}-{self._ledger(self.seq)}.parquet"

    def _ledger(self, seq: int) -> str:
        """Digest of the batches loaded up to a sequence, and of the gate's decisions."""
        if seq not in self._ledgers:
            query = text(
                "select md5(coalesce(string_agg(concat_ws(':', batch_id, content_digest, gate_digest, loaded_seq), ',' "
                "order by batch_id), '')) from hub.batch where loaded_seq <= :seq"
            )
            with self.engine.connect() as store:
                self._ledgers[seq] = str(store.execute(query, {"seq": seq}).scalar_one())[:12]
        return self._ledgers[seq]

    def _followed(
        self, connection: duckdb.DuckDBPyConnection, kept: Part, sieve: Sieve, batches: Sequence[int], select: Select
    ) -> str:
        """Adds to `<entity>_touched` the rows of the part that a parent let in which batches touched, and gives the store's query
        of those that such a parent lets in now."""
        entity, brought = kept.entity, f"batch_id in ({listed(batches)})"
        parents = f"select distinct province, source_key from core.{sieve.parent} where {brought}"
        read_store(connection, f"{entity}_parents", parents)
        connection.execute(
            f"insert into {entity}_touched select system, province, source_key from read_parquet({duck.literal(kept.file)}) "
            f"where ({sieve.own}) is not true "
            f"and (province, {sieve.column}) in (select (province, source_key) from {entity}_parents)"
        )
        # As an array, for they are few, which the planner does not know of a query, and looks at every row. Which province is
        # theirs, the sieve minds.
        named = f"{sieve.column} = any (array({sieve.asked('source_key', self.seq, brought)}))"
        return select(f"({sieve.own}) is not true and {named}", brought)

    def _closed_since(self, entity: str, batch: int, kept: Part, ever: str) -> bool:
        """Notes the rows that loads of the batch's month closed since the part was made; False where they are too many.
        `ever`: the store's query of rows whether closed or not, up to its conditions."""
        if not self.loaded(feeds_of(entity), kept.seq, beside=batch):
            return True
        query = f"{ever} batch_id = {batch} and recorded_to > {kept.seq} and recorded_to <= {self.seq}"
        closing = f"{entity}_closing_b{batch}"
        with self.connection.cursor() as cursor:
            read_store(cursor, closing, query)
            if _count(cursor, closing) * 100 > _rows_of(cursor, kept.file) * ANEW_ABOVE:
                return False
            cursor.execute(f"insert into {entity}_closed from {closing}")
        return True

    def loaded(self, feeds: Sequence[str], since: int, *, beside: int | None = None) -> list[int]:
        """Batches of the feeds loaded after `since`; `beside` keeps to those of another batch's province and period."""
        query = (
            "select b.batch_id from hub.batch b where b.system || '.' || b.feed = any (:feeds) "
            "and b.loaded_seq > :since and b.loaded_seq <= :seq"
        )
        if beside is not None:
            query += " and (b.province, b.period) = (select m.province, m.period from hub.batch m where m.batch_id = :beside)"
        facts: dict[str, object] = {"feeds": list(feeds), "since": since, "seq": self.seq}
        with self.engine.connect() as store:
            return _numbers(store, query, facts if beside is None else {**facts, "beside": beside})

    def said_since(self, connection: duckdb.DuckDBPyConnection, entity: str, column: str, since: int) -> str | None:
        """SELECT of what `column` says, or said at `since` or later, of the keys that loads touched after it (`province, value`);
        makes `<entity>_said`. None where the part does not tell: it is younger, or made anew, or there is none."""
        kept = self._overlaid.get(entity)
        if kept is None or kept.seq > since:
            return None
        recent, ever = (listed(self.loaded(feeds_of(entity), seq)) for seq in (since, kept.seq))
        query = f"select system, province, source_key, {column} as value, batch_id in ({recent}) as is_recent from core.{entity}"
        read_store(connection, f"{entity}_said", f"{query} where batch_id in ({ever})")
        keys = "system, province, source_key"
        touched = f"semi join (select {keys} from {entity}_said where is_recent) touched using ({keys})"
        return (
            f"select province, value from {entity}_said {touched} "
            f"union all select province, {column} from ({_gone(kept)}) {touched}"
        )

    def _write(self, entity: str, file: Path, query: str, constant: str = "") -> Part:
        with self.connection.cursor() as cursor:
            return self._renamed(entity, file, lambda draft: copy_store(cursor, draft, query, constant))

    def put(self, entity: str, file: Path, query: str) -> Part:
        with self.connection.cursor() as cursor:
            return self._renamed(
                entity, file, lambda draft: cursor.execute(f"copy ({query}) to {duck.literal(draft)} ({PARQUET})")
            )

    def _renamed(self, entity: str, file: Path, write: Callable[[Path], object]) -> Part:
        """Written beside and renamed, so that a part that is there is whole."""
        draft = file.with_suffix(".tmp")
        write(draft)
        draft.replace(file)
        return Part(entity, file, self.seq)

    def sums(self, entity: str) -> tuple[int, int] | None:
        """How many rows the entity has and the sum of their hashes, by what is known of its parts; None where it has none."""
        if entity not in self._made:
            return None
        files, later = self._made[entity]
        each = [self._sum_of_part(file) for file in files]
        each += [(sign * rows, sign * total) for sign, table in later for rows, total in [sums(self.connection, table)]]
        return sum(rows for rows, _ in each), sum(total for _, total in each)

    def counted(self, entity: str, keys: Sequence[str], counts: Mapping[str, str]) -> str | None:
        """As `Extract.counted`, told without bringing the entity's parts together; None where it has none."""
        if entity not in self._made:
            return None
        files, later = self._made[entity]
        query = grouped(f"{{rows}} {entity}", keys, counts)
        told = ", ".join(duck.literal(self.beside(f"counted_{entity}", query, file)) for file in files)
        overlaid = self._overlaid.get(entity)
        rows = {f"{entity}_gone": f"({_gone(overlaid)})"} if overlaid else {}
        each = [f"select 1 as sign, * from read_parquet([{told}])"]
        each += [f"select {sign}, * from ({query.replace('{rows}', rows.get(table, table))})" for sign, table in later]
        return grouped(f"({' union all '.join(each)})", keys, {name: f"sum(sign * {name})::bigint" for name in counts})

    def beside(self, name: str, query: str, file: Path) -> Path:
        """The file of what a query of `{rows}` says of a part: kept beside it, under a name that follows from both."""
        digest = _digest((query,))
        told = self.folder / f"{name}-{digest}-{file.stem}.parquet"
        if not told.exists():
            self.put(name, told, query.replace("{rows}", f"read_parquet({duck.literal(file)})"))
        self.used.add(told)
        return told

    def _sum_of_part(self, file: Path) -> tuple[int, int]:
        told = file.with_name(f"{file.name}.{duckdb.__version__}.sum")
        self.used.add(told)
        if not told.exists():
            rows, total = sums(self.connection, f"read_parquet({duck.literal(file)})")
            draft = told.with_suffix(".tmp")
            draft.write_text(f"{rows} {total}", encoding="ascii")
            draft.replace(told)
        rows, total = map(int, told.read_text(encoding="ascii").split())
        return rows, total


def grouped(rows: str, keys: Sequence[str], counts: Mapping[str, str]) -> str:
    """SELECT of `keys` and of what is counted by them."""
    return f"select {', '.join((*keys, *(f'{count} as {name}' for name, count in counts.items())))} from {rows} group by all"


def sums(connection: duckdb.DuckDBPyConnection, relation: str) -> tuple[int, int]:
    """How many rows a relation has, and the sum of the hashes of their lineage."""
    row = connection.execute(
        "select count(*), coalesce(sum(hash(system, province::varchar, source_key, batch_id, row_no)::hugeint), 0)::varchar "
        f"from {relation}"
    ).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def _overlaid(connection: duckdb.DuckDBPyConnection, entity: str, file: Path) -> str:
    """A query of the part with the keys of `<entity>_touched` as `<entity>_now` has them. Which of its rows are gone is found
    once, by their places, so that those who read the entity do not compare keys again."""
    rows = f"read_parquet({duck.literal(file)}, file_row_number = true)"
    connection.execute(
        f"create or replace table {entity}_gone as select file_row_number, {', '.join(LINEAGE)} from {rows} "
        f"semi join {entity}_touched using (system, province, source_key)"
    )
    left = f"select * exclude (file_row_number) from {rows} anti join {entity}_gone using (file_row_number)"
    return f"{left} union all by name select * from {entity}_now"


def _gone(part: Part) -> str:
    """A query of the part's rows that are gone, of which only what is asked for is read."""
    rows = f"read_parquet({duck.literal(part.file)}, file_row_number = true)"
    return f"select * exclude (file_row_number) from {rows} semi join {part.entity}_gone using (file_row_number)"


def _rows_of(connection: duckdb.DuckDBPyConnection, file: Path) -> int:
    row = connection.execute(f"select sum(num_rows)::bigint from parquet_file_metadata({duck.literal(file)})").fetchone()
    return int(row[0]) if row else 0


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"select count(*) from {table}").fetchone()
    return int(row[0]) if row else 0


def _numbers(store: Connection, query: str, values: dict[str, object]) -> list[int]:
    return [int(number) for number in store.execute(text(query), values).scalars()]


def _same_in_a_batch(system: str, province: str, batch: int) -> str:
    return f"{duck.literal(system)} as system, {duck.literal(province)} as province, {batch}::bigint as batch_id, "


def feeds_of(entity: str) -> list[str]:
    return [contract.feed_id for contract in CONTRACTS.values() if contract.entity == entity]


def listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers)) or "null"


def _digest(columns: Sequence[str]) -> str:
    return hashlib.sha256("|".join(columns).encode()).hexdigest()[:12]


def may_be_kept(entity: str, columns: Sequence[str]) -> bool:
    return not ENTITIES[entity].personal & set(columns)
