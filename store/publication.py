"""Publication: one row changed in one transaction moves every reader from last night to tonight, breaks included."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, RowMapping, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from hub.errors import InvariantBroken
from hub.periods import check_kind, now
from schemas.contracts import CONTRACTS
from schemas.entities import FACTS
from store import journal, sequence, tables
from store.checksums import derived_digests
from store.work import LOAD_LOCK


@dataclass(frozen=True)
class Candidate:
    """What a `unify` run works on. `seq`: data is read as of it; `fact_batches` count at it; `inputs` tells whether this
    night of this data was published already."""

    cycle: str
    seq: int
    fact_batches: tuple[int, ...]
    missing: tuple[str, ...]
    inputs: str


@dataclass(frozen=True)
class Publication:
    """What portals see: data at `seq`, what was derived from it at `derived_seq`."""

    publication_id: int
    cycle: str
    seq: int
    derived_seq: int
    inputs: str
    missing: tuple[str, ...]


def candidate(engine: Engine, cycle: str, missing: Sequence[str] = ()) -> Candidate:
    """The store as it stands, for the night `cycle`. `missing` names the feed instances it goes without."""
    check_kind(cycle, "daily")
    with engine.connect() as connection:
        seq = sequence.current(connection)
        named = tuple(sorted(missing))
        facts = live_fact_batches(connection, seq)
        return Candidate(cycle, seq, facts, named, _inputs(connection, cycle, seq, named))


def current_publication(connection: Connection) -> Publication | None:
    table = tables.publication
    statement = select(table).join(
        tables.current_publication, tables.current_publication.c.publication_id == table.c.publication_id
    )
    row = connection.execute(statement).mappings().one_or_none()
    return None if row is None else _publication(row)


def is_published(engine: Engine, chosen: Candidate) -> bool:
    """True where portals already see this night of this data: there is nothing to resolve, reconcile or publish."""
    with engine.connect() as connection:
        shown = current_publication(connection)
    return shown is not None and shown.inputs == chosen.inputs


def publish(engine: Engine, chosen: Candidate) -> Publication:
    """Shows the candidate to every reader. What was derived from it must be committed before.

    Publishing what is shown already changes nothing. Raises InvariantBroken where a batch that counts at the candidate's
    sequence is not loaded, or the publication shown is newer than the candidate.
    """
    with engine.begin() as connection:
        # No load commits meanwhile, and two publishers take turns.
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOAD_LOCK})
        shown = current_publication(connection)
        if shown is not None and shown.inputs == chosen.inputs:
            return shown
        if shown is not None and shown.seq > chosen.seq:
            raise InvariantBroken(f"publication {shown.publication_id} shows sequence {shown.seq}, later than {chosen.seq}")
        publication = _insert(connection, chosen, shown)
        statement = upsert(tables.current_publication).values(publication_id=publication.publication_id)
        moved = {"publication_id": publication.publication_id}
        connection.execute(statement.on_conflict_do_update(index_elements=["one_row"], set_=moved))
        journal.record(connection, "published", "current_publication", True)
        return publication


def live_fact_batches(connection: Connection, seq: int) -> tuple[int, ...]:
    """The fact batches that count at a sequence: loaded by then, and not superseded by then."""
    statement = text(
        "select batch_id from hub.batch where system || '.' || feed = any (:feeds) and loaded_seq <= :seq "
        "and (superseded_seq is null or superseded_seq > :seq) order by batch_id"
    )
    return tuple(connection.execute(statement, {"feeds": _fact_feeds(), "seq": seq}).scalars())


def _fact_feeds() -> list[str]:
    return [contract.feed_id for contract in CONTRACTS.values() if contract.entity in FACTS]


def _insert(connection: Connection, chosen: Candidate, shown: Publication | None) -> Publication:
    derived_seq = sequence.current(connection)
    batches = [*chosen.fact_batches, *_new_batches(connection, shown.seq if shown else 0, chosen.seq)]
    named = sorted(set(batches))
    digests = derived_digests(connection, derived_seq)
    digests["hub.publication_batch"] = batches_digest(named)
    values = {
        "cycle": chosen.cycle,
        "seq": chosen.seq,
        "derived_seq": derived_seq,
        "inputs_digest": chosen.inputs,
        "digests": digests,
        "missing": list(chosen.missing),
        "published_at": now(),
    }
    row = connection.execute(insert(tables.publication).values(values).returning(tables.publication)).mappings().one()
    publication = _publication(row)
    if named:
        rows = [{"publication_id": publication.publication_id, "batch_id": batch_id} for batch_id in named]
        connection.execute(insert(tables.publication_batch), rows)
    journal.record(connection, "publication made", "publication", publication.publication_id)
    return publication


def batches_digest(batches: Sequence[int]) -> str:
    return hashlib.sha256(json.dumps(sorted(batches)).encode()).hexdigest()


def _new_batches(connection: Connection, after: int, seq: int) -> Sequence[int]:
    """The batches loaded since the publication shown before. A month's partition that was replaced meanwhile was never to be
    seen: named, it would show every item of the month twice."""
    statement = text(
        "select batch_id from hub.batch where loaded_seq > :after and loaded_seq <= :seq "
        "and (superseded_seq is null or superseded_seq > :seq)"
    )
    return connection.execute(statement, {"after": after, "seq": seq}).scalars().all()


def _inputs(connection: Connection, cycle: str, seq: int, missing: Sequence[str]) -> str:
    """What a publication is a function of: the night, who is missing, the newest load that changed anything, and the newest
    change of what stewards decided."""
    changed = text("""
        select coalesce(max(b.loaded_seq), 0) from hub.batch b
        where b.loaded_seq <= :seq and (b.inserted + b.updated + b.deleted + b.vanished > 0
            or exists (select from hub.batch older where older.superseded_by = b.batch_id))""")
    newest = connection.execute(changed, {"seq": seq}).scalar_one()
    decided = text("""
        select coalesce(max(changed), 0) from hub.steward_decision, unnest(array[effective_from, effective_to]) as changed
        where changed <= :seq""")
    last_decision = connection.execute(decided, {"seq": seq}).scalar_one()
    parts = [cycle, int(newest), list(missing), *([int(last_decision)] if last_decision else [])]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _publication(row: RowMapping) -> Publication:
    return Publication(
        row["publication_id"], row["cycle"], row["seq"], row["derived_seq"], row["inputs_digest"], tuple(row["missing"])
    )
