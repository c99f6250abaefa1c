"""Why a break is one: both sides' rows with the file and batch they came from, what was done about it, what shares its cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, text

from hub.errors import NotFound
from reconcile.rule import Summed
from reconcile.rules import rule_of
from schemas.contract import Label
from schemas.entities import ENTITIES, FACTS

MOST_ROWS = 50


@dataclass(frozen=True)
class Row:
    """One source row the break speaks of. `values`: its columns that are not personal and hold something; None where the row
    is no longer current."""

    system: str
    province: str
    entity: str
    source_key: str
    batch_id: int | None
    row_no: int | None
    period: str | None
    file: str | None
    values: Mapping[str, object] | None


@dataclass(frozen=True)
class Explanation:
    """`history`: its versions, oldest first; `alike`: breaks at stake of the same cause, by rule; `requests`: what systems were
    asked. `rows_left_out`: rows beyond the first `MOST_ROWS`."""

    break_id: str
    title: Label
    meaning: Label
    left: Label
    right: Label
    now: Mapping[str, object]
    rows: tuple[Row, ...]
    rows_left_out: int
    history: tuple[Mapping[str, object], ...]
    acts: tuple[Mapping[str, object], ...]
    waiver: Mapping[str, object] | None
    alike: tuple[Mapping[str, object], ...]
    requests: tuple[Mapping[str, object], ...]


_HISTORY = """
select recorded_from as seq, state, left_value, right_value, money_fen, owner, due_at, last_seen_cycle as last_seen, reopened
from recon.breaks where break_id = :id order by recorded_from
"""
_ACTS = """
select act, acted_by, acted_at, said, owner, state_before, state_after from hub.break_act where break_id = :id order by act_id
"""
_ALIKE = """
select b.rule_id as rule, count(*) as breaks, sum(b.money_fen)::bigint as money_fen, sum(b.counted_fen)::bigint as counted_fen
from audit.break_now b where b.shared = :shared and b.at_stake group by b.rule_id order by counted_fen desc, rule
"""
_WAIVER = """
select waiver_id, reason, announced_by, starts_cycle as starts, expires_cycle as expires from hub.waiver where waiver_id = :id
"""
_REQUESTS = """
select outbox_id, target_system, state, requested_by, requested_at, payload -> 'change' as change
from hub.outbox where break_id = :id order by outbox_id
"""


def explain(engine: Engine, break_id: str) -> Explanation:
    """Raises NotFound for an unknown break."""
    with engine.connect() as store:
        return explain_in(store, break_id)


def explain_in(store: Connection, break_id: str) -> Explanation:
    """The same, in the connection's own snapshot."""
    found = store.execute(text("select * from audit.break_now where break_id = :id"), {"id": break_id}).mappings().one_or_none()
    if found is None:
        raise NotFound(f"no break {break_id!r}; `bsshub breaks` lists them", break_id=break_id)
    rule = rule_of(str(found["rule_id"]))
    kept: Sequence[Mapping[str, str]] = found["refs"]
    refs = [*kept, *(_summed(store, rule.summed, dict(found)) if rule.summed else ())]
    waivers = _all(store, _WAIVER, id=found["waiver_id"])
    return Explanation(
        break_id,
        rule.title,
        rule.meaning,
        rule.left,
        rule.right,
        {name: value for name, value in found.items() if name != "refs"},
        _source_rows(store, refs[:MOST_ROWS]),
        max(len(refs) - MOST_ROWS, 0),
        _all(store, _HISTORY, id=break_id),
        _all(store, _ACTS, id=break_id),
        waivers[0] if waivers else None,
        _all(store, _ALIKE, shared=found["shared"]),
        _all(store, _REQUESTS, id=break_id),
    )


def _summed(store: Connection, summed: Summed, found: Mapping[str, Any]) -> Sequence[Mapping[str, str]]:
    """The rows that a side adds up, as the break's own are named."""
    statement = f"""
    select t.system, t.province, t.source_key from core.{summed.entity} t join hub.batch b using (batch_id)
    where t.recorded_to is null and b.state = 'loaded' and t.province = :province and t.{summed.column} = :key
    order by t.source_key"""
    rows = _all(store, statement, province=found["province"], key=found["subject"][summed.column])
    return [{"entity": summed.entity, **{name: str(value) for name, value in row.items()}} for row in rows]


def _source_rows(store: Connection, refs: Sequence[Mapping[str, str]]) -> tuple[Row, ...]:
    wanted: dict[str, list[Mapping[str, str]]] = {}
    for ref in refs:
        wanted.setdefault(ref["entity"], []).append(ref)
    held = {(entity, *key): row for entity, some in wanted.items() for key, row in _of_entity(store, entity, some)}
    return tuple(_row(ref, held.get((ref["entity"], ref["system"], ref["province"], ref["source_key"]))) for ref in refs)


def _of_entity(
    store: Connection, entity: str, refs: Sequence[Mapping[str, str]]
) -> list[tuple[tuple[str, str, str], Mapping[str, Any]]]:
    shape = ENTITIES[entity]
    columns = ", ".join(f"t.{column.name}" for column in shape.columns if not column.personal)
    current = "b.state = 'loaded'" if entity in FACTS else "true"
    statement = f"""
    select t.system, t.province, t.source_key, t.batch_id, t.row_no, b.period, (
            select landed ->> 'name' from jsonb_array_elements(b.delivery -> 'objects') with ordinality as objects (landed, place)
            where b.object_ends[place] >= t.row_no order by place limit 1
        ) as file, to_jsonb(shown) as values
    from core.{entity} t join hub.batch b using (batch_id)
    cross join lateral (select {columns}) shown
    where t.recorded_to is null and {current} and t.source_key = any (:keys) and t.system = any (:systems)
        and t.province = any (:provinces)"""
    sides = {"keys": "source_key", "systems": "system", "provinces": "province"}
    found = store.execute(text(statement), {name: [ref[part] for ref in refs] for name, part in sides.items()}).mappings()
    return [((row["system"], row["province"], row["source_key"]), dict(row)) for row in found]


def _row(ref: Mapping[str, str], held: Mapping[str, Any] | None) -> Row:
    named = (ref["system"], ref["province"], ref["entity"], ref["source_key"])
    if held is None:
        return Row(*named, None, None, None, None, None)
    values = {name: value for name, value in held["values"].items() if value is not None}
    return Row(*named, held["batch_id"], held["row_no"], held["period"], held["file"], values)


def _all(store: Connection, statement: str, **values: object) -> tuple[Mapping[str, object], ...]:
    return tuple(dict(row) for row in store.execute(text(statement), values).mappings())
