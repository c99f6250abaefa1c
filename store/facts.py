"""Facts (bill items): a batch is a partition, filled aside by parallel COPY, indexed, then attached in one transaction.

A partition keeps every accepted row of its batch, corrections too. What counts is said by `recorded_to` and by the batch
(docs/internals.md): a resend replaces its month's base partition; corrections outlive it, so that a hub that was late and
one that was not show the same month.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text

from schemas.batch import Kind, LoadCounts
from schemas.contract import Contract
from store import duck, ledger
from store.ledger import CORRECTIONS, Batch
from store.staged import StagedRows, entity_columns, fact_rows
from store.tables import CLOSED
from store.work import clear_orphans

STREAMS = 2
STREAM_ROWS = 200_000
"""Fewer rows than this are not worth a second connection."""


def fill(engine: Engine, batch: Batch, staged: StagedRows) -> None:
    """The accepted rows into `work.<entity>_b<batch>`, with the parent's indexes, ready to be attached."""
    copy_rows(engine, batch, staged)
    build_key(engine, batch)


def copy_rows(engine: Engine, batch: Batch, staged: StagedRows) -> None:
    """COPY by `STREAMS` connections, each a range of rows: one PostgreSQL backend alone is the bottleneck of a large load."""
    contract = batch.contract
    with engine.begin() as connection:
        clear_orphans(connection, mine=batch.batch_id)
        connection.execute(text(_aside_ddl(contract, batch.batch_id)))
    rows = fact_rows(contract, batch.system, batch.province, batch.batch_id, staged)
    received = batch.account.received if batch.account else 0
    streams = STREAMS if received > STREAM_ROWS * STREAMS else 1
    step = received // streams + 1

    def copy(stream: int) -> None:
        window = f" where _row_no > {stream * step} and _row_no <= {(stream + 1) * step}" if streams > 1 else ""
        with duck.session(engine.url) as connection_duck:
            target = f"{duck.ATTACHED}.work.{contract.entity}_b{batch.batch_id}"
            connection_duck.execute(f"insert into {target} {rows}{window}")

    with ThreadPoolExecutor(streams) as pool:
        for done in [pool.submit(copy, stream) for stream in range(streams)]:
            done.result()


def build_key(engine: Engine, batch: Batch) -> None:
    name = f"{batch.contract.entity}_b{batch.batch_id}"
    with engine.begin() as connection:
        connection.execute(
            text(f"alter table work.{name} add constraint uq_{name} unique (source_key, system, province, batch_id)")
        )
        connection.execute(text(f"create index ix_{name}_closed on work.{name} (recorded_to) where {CLOSED}"))
        connection.execute(text(f"analyze work.{name}"))


def attach(connection: Connection, batch: Batch, seq: int) -> LoadCounts:
    """Makes the filled partition count from sequence `seq` on. Part of the load's transaction."""
    month = _month(connection, batch)
    attach_partition(connection, batch)
    if batch.delivery.kind not in CORRECTIONS:
        return _attach_base(connection, batch, seq, month)
    if batch.delivery.kind is Kind.CORRECTION_INSERT:
        return _attach_insert(connection, batch, seq, month)
    return _attach_delete(connection, batch, seq, month)


def attach_partition(connection: Connection, batch: Batch) -> None:
    """The check implies the partition's bound and the indexes are there, so attaching reads no rows."""
    entity = batch.contract.entity
    name = f"{entity}_b{batch.batch_id}"
    connection.execute(text(f"alter table work.{name} set schema core"))
    connection.execute(text(f"alter table core.{entity} attach partition core.{name} for values in ({batch.batch_id})"))
    connection.execute(text(f"alter table core.{name} drop constraint ck_{name}"))


@dataclass(frozen=True)
class _Month:
    """The batches loaded for the feed, province and period before this one, by what they do."""

    bases: tuple[int, ...]
    inserts: tuple[int, ...]
    deletes: tuple[int, ...]

    @property
    def live(self) -> str:
        return _listed((*self.bases, *self.inserts))


def _month(connection: Connection, batch: Batch) -> _Month:
    statement = text(
        "select batch_id, kind from hub.batch where system = :system and feed = :feed and province = :province "
        "and period = :period and state = 'loaded' order by loaded_seq"
    )
    key = {"system": batch.system, "feed": batch.feed, "province": batch.province, "period": batch.period}
    found = [(int(number), Kind(kind)) for number, kind in connection.execute(statement, key)]
    return _Month(
        bases=tuple(number for number, kind in found if kind not in CORRECTIONS),
        inserts=tuple(number for number, kind in found if kind is Kind.CORRECTION_INSERT),
        deletes=tuple(number for number, kind in found if kind is Kind.CORRECTION_DELETE),
    )


def _attach_base(connection: Connection, batch: Batch, seq: int, month: _Month) -> LoadCounts:
    """A month's rows. Those that a correction removed or replaced stay corrected, and are counted as stale."""
    for older in month.bases:
        ledger.record_superseded(connection, older, seq, batch.batch_id)
    entity = batch.contract.entity
    if month.inserts or month.deletes:
        corrected = (
            f"update core.{entity} t set recorded_to = :seq from core.{entity} k where t.batch_id = :batch "
            f"and k.source_key = t.source_key and (k.batch_id in ({_listed(month.deletes)}) "
            f"or (k.batch_id in ({_listed(month.inserts)}) and k.recorded_to is null))"
        )
        connection.execute(text(corrected), {"seq": seq, "batch": batch.batch_id})
    return _counts(connection, batch, "case when recorded_to is null then 'inserted' else 'stale' end")


def _attach_insert(connection: Connection, batch: Batch, seq: int, month: _Month) -> LoadCounts:
    """Added rows: a row that is there already with the same content changes nothing, with another content is replaced."""
    columns = entity_columns(batch.contract)
    same = " and ".join(f"o.{name} is not distinct from t.{name}" for name in columns)
    _judge(
        connection, batch, month, f"case when o.batch_id is null then 'inserted' when {same} then 'unchanged' else 'updated' end"
    )
    entity = batch.contract.entity
    close = f"update core.{entity} o set recorded_to = :seq from judged j where j.outcome = 'updated' and {_SAME_ROW}"
    unchanged = f"update core.{entity} t set recorded_to = :seq from judged j where j.outcome = 'unchanged' and {_OWN_ROW}"
    for statement in (close, unchanged):
        connection.execute(text(statement), {"seq": seq, "batch": batch.batch_id})
    return _judged_counts(connection, batch)


def _attach_delete(connection: Connection, batch: Batch, seq: int, month: _Month) -> LoadCounts:
    """Removed rows, named by key. The correction's own rows never count; one that names nothing is stale."""
    _judge(connection, batch, month, "case when o.batch_id is null then 'stale' else 'deleted' end")
    entity = batch.contract.entity
    close = f"update core.{entity} o set recorded_to = :seq from judged j where j.outcome = 'deleted' and {_SAME_ROW}"
    for statement in (close, f"update core.{entity} set recorded_to = :seq where batch_id = :batch"):
        connection.execute(text(statement), {"seq": seq, "batch": batch.batch_id})
    return _judged_counts(connection, batch)


_SAME_ROW = "o.batch_id = j.old_batch and o.source_key = j.source_key"
_OWN_ROW = "t.batch_id = :batch and t.source_key = j.source_key"


def _judge(connection: Connection, batch: Batch, month: _Month, outcome: str) -> None:
    """Each row of the correction beside the row of its key that counts now."""
    entity = batch.contract.entity
    statement = f"""
    create temporary table judged on commit drop as
    select t.source_key, o.batch_id as old_batch, {outcome} as outcome
    from core.{entity} t
    left join core.{entity} o on o.source_key = t.source_key and o.batch_id in ({month.live}) and o.recorded_to is null
    where t.batch_id = :batch"""
    connection.execute(text(statement), {"batch": batch.batch_id})


def _judged_counts(connection: Connection, batch: Batch) -> LoadCounts:
    return _counts(connection, batch, "j.outcome", " t join judged j using (source_key)")


def _counts(connection: Connection, batch: Batch, outcome: str, joined: str = "") -> LoadCounts:
    """Counted in the store, from the rows that are there."""
    money = batch.contract.money
    amount = f"coalesce(sum({money}), 0)" if money else "0"
    statement = (
        f"select {outcome}, count(*), {amount} from core.{batch.contract.entity}{joined} where batch_id = :batch group by 1"
    )
    counted = connection.execute(text(statement), {"batch": batch.batch_id}).all()
    rows = {name: int(number) for name, number, _ in counted}
    return LoadCounts(**rows, **{f"{name}_fen": int(fen) for name, _, fen in counted})


def _aside_ddl(contract: Contract, batch_id: int) -> str:
    name = f"{contract.entity}_b{batch_id}"
    return f"create table work.{name} (like core.{contract.entity}, constraint ck_{name} check (batch_id = {batch_id}))"


def _listed(batches: tuple[int, ...]) -> str:
    return ", ".join(map(str, batches)) or "null"
