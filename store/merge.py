"""State entities: accepted rows merged into their history by closing a version and inserting the next, in whole sets."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, text
from sqlalchemy.dialects import postgresql

from schemas.batch import Kind, LoadCounts
from schemas.contract import Contract
from store import duck
from store.ledger import Batch
from store.staged import StagedRows, entity_columns, held_rows, state_rows
from store.tables import ENTITY_TABLES

_WHOLE = (Kind.FULL, Kind.INITIAL)

# The order of two states of one row: the source's version, then the period, a correction after its month, the resend number.
_STANDING = "({version}, {period}, {kind} like 'correction%', {resend})"


def fill(engine: Engine, batch: Batch, staged: StagedRows) -> None:
    """The accepted rows into `work.load_b<batch>`, and the quarantined ones' keys into `work.held_b<batch>`."""
    contract = batch.contract
    with engine.begin() as connection:
        connection.execute(text(_work_ddl(contract, batch.batch_id)))
        connection.execute(text(f"create unlogged table work.held_b{batch.batch_id} (source_key text, source text)"))
    rows = state_rows(contract, batch.period, batch.delivery.kind, staged)
    with duck.session(engine.url) as connection_duck:
        connection_duck.execute(f"insert into {duck.ATTACHED}.work.load_b{batch.batch_id} {rows}")
        if batch.delivery.kind in _WHOLE:
            connection_duck.execute(f"insert into {duck.ATTACHED}.work.held_b{batch.batch_id} {held_rows(contract, staged)}")


def merge(connection: Connection, batch: Batch, seq: int) -> LoadCounts:
    """Merges what `fill` left, at sequence `seq`, and drops it. Part of the load's transaction."""
    facts: dict[str, object] = {
        "seq": seq,
        "batch": batch.batch_id,
        "system": batch.system,
        "feed": batch.feed,
        "province": batch.province,
        "period": batch.period,
        "kind": batch.delivery.kind.value,
        "resend": batch.delivery.resend,
        "late": _is_late(connection, batch),
    }
    contract = batch.contract
    connection.execute(text(_judged(contract, batch.batch_id)), facts)
    connection.execute(text("analyze judged"))
    connection.execute(text(_close(contract)), facts)
    connection.execute(text(_insert(contract)), facts)
    vanished = 0
    if batch.delivery.kind in _WHOLE and not facts["late"]:
        connection.execute(text(_gone(contract, batch.batch_id)), facts)
        connection.execute(text(_close_gone(contract)), facts)
        vanished = connection.execute(text(_insert_gone(contract)), facts).rowcount
    money = f"coalesce(sum({contract.money}), 0)" if contract.money else "0"
    counted = connection.execute(text(f"select outcome, count(*), {money} from judged group by outcome")).all()
    connection.execute(text(f"drop table work.load_b{batch.batch_id}, work.held_b{batch.batch_id}"))
    numbers = {outcome: int(rows) for outcome, rows, _ in counted}
    fen = {f"{outcome}_fen": int(amount) for outcome, _, amount in counted}
    return LoadCounts(**numbers, **fen, vanished=vanished)


def _work_ddl(contract: Contract, batch_id: int) -> str:
    table = ENTITY_TABLES[contract.entity]
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    columns = ", ".join(f"{name} {table.c[name].type.compile(dialect)}" for name in entity_columns(contract))
    return (
        f"create unlogged table work.load_b{batch_id} (row_no bigint, source_key text, {columns}, "
        "source_version timestamptz, is_deleted boolean, row_hash text)"
    )


def _is_late(connection: Connection, batch: Batch) -> bool:
    """A whole daily picture older than one already loaded says nothing new: all its rows are stale.

    A month's full delivery is whole within its month only, so a late month is news.
    """
    if batch.delivery.kind not in _WHOLE or batch.contract.period == "monthly":
        return False
    newer = text(
        "select exists (select from hub.batch where system = :system and feed = :feed and province = :province "
        "and kind in ('full', 'initial') and state in ('loaded', 'superseded') and (period, resend) > (:period, :resend))"
    )
    key = {"system": batch.system, "feed": batch.feed, "province": batch.province}
    return bool(connection.execute(newer, {**key, "period": batch.period, "resend": batch.delivery.resend}).scalar_one())


def _judged(contract: Contract, batch_id: int) -> str:
    """Each accepted row beside the current version of its key, with what becomes of it."""
    now = _STANDING.format(version="n.source_version", period="cast(:period as text)", kind=":kind", resend=":resend")
    then = _STANDING.format(version="c.source_version", period="b.period", kind="b.kind", resend="b.resend")
    return f"""
    create temporary table judged on commit drop as
    select n.*, c.recorded_from as closes,
        case when n.place > 1 or :late then 'stale'
             when c.source_key is null and (:kind = 'correction_delete') then 'stale'
             when c.source_key is null then case when n.is_deleted then 'deleted' else 'inserted' end
             when {now} < {then} then 'stale'
             when c.row_hash = n.row_hash then 'unchanged'
             when n.is_deleted and c.is_deleted then 'unchanged'
             when n.is_deleted then 'deleted'
             else 'updated' end as outcome
    from (select *, row_number() over (partition by source_key order by source_version desc, row_no desc) as place
          from work.load_b{batch_id}) n
    left join core.{contract.entity} c
        on c.system = :system and c.province = :province and c.source_key = n.source_key and c.recorded_to is null
    left join hub.batch b on b.batch_id = c.batch_id"""


def _close(contract: Contract) -> str:
    return f"""
    update core.{contract.entity} c set recorded_to = :seq from judged j
    where j.closes is not null and j.outcome in ('updated', 'deleted') and c.recorded_to is null
        and c.system = :system and c.province = :province and c.source_key = j.source_key"""


def _insert(contract: Contract) -> str:
    columns = ", ".join(entity_columns(contract))
    return f"""
    insert into core.{contract.entity} (system, province, source_key, {columns}, source_version, is_deleted,
        valid_from, valid_to, recorded_from, row_hash, batch_id, row_no)
    select :system, :province, source_key, {columns}, source_version, is_deleted,
        source_version, case when is_deleted then source_version end, :seq, row_hash, :batch, row_no
    from judged where outcome in ('inserted', 'updated', 'deleted')"""


def _gone(contract: Contract, batch_id: int) -> str:
    """Rows that a whole delivery no longer holds. A month's delivery is whole within its month.

    A key that a quarantined row bears, or that stands in the text of one that could not be read, is not taken as gone.
    """
    month = " and b.period = :period" if contract.period == "monthly" else ""
    return f"""
    create temporary table gone on commit drop as
    with absent as materialized (
        select c.* from core.{contract.entity} c join hub.batch b on b.batch_id = c.batch_id{month}
        where c.system = :system and c.province = :province and c.recorded_to is null and not c.is_deleted
            and not exists (select from work.load_b{batch_id} n where n.source_key = c.source_key)
    )
    select a.* from absent a
    where not exists (
        select from work.held_b{batch_id} h
        where h.source_key = a.source_key
            or (h.source is not null and (select bool_and(position(part in h.source) > 0)
                                          from unnest(string_to_array(a.source_key, '|')) part)))"""


def _close_gone(contract: Contract) -> str:
    return f"""
    update core.{contract.entity} c set recorded_to = :seq from gone
    where c.system = :system and c.province = :province and c.source_key = gone.source_key and c.recorded_to is null"""


def _insert_gone(contract: Contract) -> str:
    """Removed versions in the name of this batch, `row_no` 0. They keep the row's `source_version`, so that the row is back
    when a later delivery holds it again, and a hash of their own, so that it does not look unchanged then."""
    columns = ", ".join(entity_columns(contract))
    return f"""
    insert into core.{contract.entity} (system, province, source_key, {columns}, source_version, is_deleted,
        valid_from, valid_to, recorded_from, row_hash, batch_id, row_no)
    select system, province, source_key, {columns}, source_version, true,
        valid_from, source_version, :seq, md5(row_hash || ' vanished'), :batch, 0
    from gone"""
