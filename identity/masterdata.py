"""From groups of records to master data: ids, events, hierarchy, golden records, what is left for people; and their writing.

`derive` only makes tables in DuckDB, so that a preview may do the same and write nothing; `write` brings the difference into
the store inside the caller's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb
from sqlalchemy import Connection, insert

from hub.periods import now
from identity import hierarchy, settled, standing
from identity.crosswalk import CROSSWALK, RULES, assign, read_current, reason
from identity.events import tell
from identity.golden import GOLDEN, PROVENANCE, pin, survive
from identity.hierarchy import HIERARCHY, hang
from identity.review import REVIEW, SIGNALS, set_aside
from identity.versions import Changes, Versioned, copy_in, find_changes, made_anew, read_open, read_open_of, write_changes
from store import journal, sequence, tables

_WHOLE = (CROSSWALK, HIERARCHY, REVIEW, SIGNALS, GOLDEN)
_EVENT_COLUMNS = ("customer_id", "kind", "other_id", "records", "cause")


def derive(connection: duckdb.DuckDBPyConnection, model: str, memory: Path | None = None, *, in_part: bool = False) -> None:
    """Makes what the store is to hold, as tables `NAME_new`, from `node`, `edge`, `customer_group`, the linker's other tables
    and what stewards decided. `model`: the version of the settings that linked. Ids and their history come from the store, or
    from a `memory` (`identity.standing`).

    With a `memory` rows of the crosswalk and the hierarchy (`standing`) and golden records (`settled`) are left out that the
    store holds as they are to be; `in_part`: only a part was linked again (`identity.nights.link`)."""
    recalled = standing.read_past(connection, memory if in_part else None)
    assign(connection)
    standing.find(connection, memory, recalled=recalled)
    reason(connection)
    read_current(connection)
    tell(connection, RULES, model)
    pin(connection)
    hang(connection)
    standing.find_pairs(connection, memory)
    hierarchy.tell(connection)
    set_aside(connection)
    settled.find(connection, memory)
    survive(connection)
    if memory:
        settled.remember(connection, memory)


@dataclass(frozen=True)
class Run:
    """What a run was made of: the sequence and the digest of the data it read, the version of the settings that linked."""

    data_seq: int
    extract: str
    model: str


def write(store: Connection, connection: duckdb.DuckDBPyConnection, run: Run) -> int:
    """Writes what differs, as new versions, with the events and a note of the run. Returns the sequence at which it is visible;
    where nothing differs nothing is written, and that is the clock as it stands."""
    changed = _compare(connection)
    if not any(changes for _, changes in changed):
        return sequence.current(store)
    seq = sequence.advance(store)
    for versioned, _ in changed:
        write_changes(store, connection, versioned, seq)
    query = (
        f"select {', '.join(_EVENT_COLUMNS)}, {seq} as recorded_from from identity_event_new order by customer_id, kind, other_id"
    )
    anew = made_anew(store, "core.identity_event")
    copy_in(store, connection, query, "core.identity_event", (*_EVENT_COLUMNS, "recorded_from"), anew=anew)
    _note(store, connection, seq, run)
    return seq


def _compare(connection: duckdb.DuckDBPyConnection) -> list[tuple[Versioned, Changes]]:
    """Provenance is compared only of customers whose golden record, or the digest of their provenance in it, moved."""
    found = []
    for versioned in _WHOLE:
        if versioned is HIERARCHY:
            standing.read_pairs(connection)
        elif versioned is GOLDEN:
            connection.execute("delete from golden_customer_current where customer_id in (select customer_id from settled)")
        elif versioned is not CROSSWALK:
            read_open(connection, versioned)
        found.append((versioned, find_changes(connection, versioned, f"{versioned.name}_new")))
    connection.execute(
        "create or replace temp table moved_golden as "
        "select customer_id from golden_customer_opening union select customer_id from golden_customer_closing"
    )
    read_open_of(connection, PROVENANCE, "customer_id", "select customer_id from golden_customer_closing")
    connection.execute("delete from golden_provenance_current where customer_id not in (from moved_golden)")
    wanted = "(from golden_provenance_new semi join moved_golden using (customer_id))"
    return [*found, (PROVENANCE, find_changes(connection, PROVENANCE, wanted))]


def _note(store: Connection, connection: duckdb.DuckDBPyConnection, seq: int, run: Run) -> None:
    """One row a run that changed anything: which data it read, which model linked it, what happened to ids."""
    [(customers, records)] = connection.execute("select (select count(*) from group_id), (select count(*) from node)").fetchall()
    counted: list[tuple[str, int]] = connection.execute(
        "select kind, count(*) from identity_event_new group by kind order by kind"
    ).fetchall()
    events = dict(counted)
    values = {
        "seq": seq,
        "data_seq": run.data_seq,
        "extract": run.extract,
        "model": run.model,
        "customers": customers,
        "source_customers": records,
        "events": events,
        "ran_at": now(),
    }
    store.execute(insert(tables.identity_run).values(values))
    journal.record(store, "identity resolved", "identity_run", seq)
