"""From source customers to golden customers: one run over one candidate publication."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from sqlalchemy import Engine

from identity import digests, nights, standing
from identity.decisions import read_decisions
from identity.extract import IDENTITY_COLUMNS, Extract, open_extract
from identity.linking import Linker, ModelLinker
from identity.masterdata import Run, derive, write
from identity.parts import claimed
from identity.scoring import Scorer, score_in_duckdb
from identity.settings import IdentitySettings, load_settings
from identity.sources import describe, gather
from identity.versions import alone

MEMORY_LIMIT = "2GB"
"""DuckDB's part of the 3 GB a run may take: with half of it, 800,000 records take twice as long, for it spills (measured)."""


_OF_LINKING = (
    "said", "folded_row", "name_fold", "address_fold", "phone_fold", "contact_fold", "licence_fold", "taxpayer_fold", "record",
    "reference_row", "node_code", "node_key", "code_group", "org_group", "groups", "reference", "weighed", "followed", "tier",
    "tier_group", "node_content", "content_first", "content_pair", "speaker", "candidate", "group_pair", "grown", "speaker_key",
    "block_key", "usable_key", "worn_key", "group_key", "reached", "token", "token_home", "circle_of", "pointer",
    "named", "renumbered", "called", "key_met", "touched_content",
)  # fmt: skip


@dataclass(frozen=True)
class ResolveSummary:
    """What a run did. `seq` is the sequence at which its result is visible, `extract` the digest of what it read.

    `merged` customers now go by another's id; `gone` have no source record left; `signals` count what was seen and not acted
    upon, by kind.
    """

    seq: int
    extract: str
    customers: int
    source_customers: int
    new: int
    merged: int
    gone: int
    unchanged: int
    signals: dict[str, int] = field(default_factory=dict)


def resolve(
    engine: Engine,
    seq: int,
    *,
    settings: IdentitySettings | None = None,
    linker: Linker | None = None,
    scorer: Scorer = score_in_duckdb,
    extract: Extract | None = None,
    memory: Path | None = None,
) -> ResolveSummary:
    """Links the source customers visible at `seq`, keeps or gives ids, and writes crosswalk, golden records and provenance in
    one transaction. Doing it twice changes nothing. `extract`: one already open, of at least `IDENTITY_COLUMNS`.
    `scorer`: what weighs pairs for the linker in force. `memory`: a folder that keeps from run to run what need not be computed
    again; losing it costs time only.

    Raises RetryLater where the store cannot be read or written.
    """
    if extract is None:
        with open_extract(engine, seq, IDENTITY_COLUMNS) as own:
            return resolve(engine, seq, settings=settings, linker=linker, scorer=scorer, extract=own, memory=memory)
    settings = settings or load_settings()
    with _alone_with(memory) as own_memory:
        own_linker = linker or ModelLinker(settings, scorer=scorer, memory=own_memory)
        return _resolved(engine, seq, own_linker, extract, model=settings.model, memory=own_memory)


@contextmanager
def _alone_with(memory: Path | None) -> Iterator[Path | None]:
    """The folder, its owner's alone to read; None where there is none, or another run has it: that one goes without."""
    if memory is None:
        yield None
        return
    with claimed(memory) as own:
        if own:
            own.mkdir(parents=True, exist_ok=True)
            own.chmod(0o700)
        yield own


def _resolved(engine: Engine, seq: int, linker: Linker, extract: Extract, *, model: str, memory: Path | None) -> ResolveSummary:
    connection = extract.connection
    connection.execute(f"set memory_limit = '{MEMORY_LIMIT}'")
    gather(connection)
    read_decisions(connection, seq)
    if memory:
        digests.take(connection)
    linked_by, in_part = _link(connection, linker, memory)
    _let_go(connection)
    with alone(engine, "identity") as store:
        derive(connection, model, memory, in_part=in_part)
        digest = extract.digest()
        summary = _summary(connection, write(store, connection, Run(seq, digest, model)), digest)
        run = standing.last_run(store)
    if memory:
        standing.remember(connection, memory, run)
    if memory and linked_by:
        nights.remember(connection, memory, linked_by, run)
    return summary


def _link(connection: duckdb.DuckDBPyConnection, linker: Linker, memory: Path | None) -> tuple[IdentitySettings | None, bool]:
    """The settings under which what was linked can be kept, None where it cannot; and whether only a part was linked again."""
    if memory and isinstance(linker, ModelLinker) and linker.settings.rules.model:
        in_part = nights.link(connection, linker, memory)
        return linker.settings, in_part
    describe(connection, memory)
    linker.link(connection)
    return None, False


def _let_go(connection: duckdb.DuckDBPyConnection) -> None:
    """Gives back the memory of what only linking needs: a large population's records would else be spilled for what follows."""
    for kind, names in (("view", ("content", "described", "staying")), ("table", _OF_LINKING)):
        for name in names:
            connection.execute(f"drop {kind} if exists {name}")


def _summary(connection: duckdb.DuckDBPyConnection, seq: int, digest: str) -> ResolveSummary:
    counts = connection.execute("""
        with before as (from old_id),
        now as (from new_id),
        lost as (select customer_id from before anti join now using (customer_id)),
        still_there as (
            select customer_id from home semi join lost using (customer_id)
            semi join (select number from past where node is not null) there using (number)
        )
        select (select count(*) from now), (select count(*) from node), (select count(*) from group_id where minted),
            (select count(*) from lost semi join still_there using (customer_id)),
            (select count(*) from lost anti join still_there using (customer_id)),
            (select count(*) from now anti join (
                select customer_id from crosswalk_opening union select customer_id from golden_customer_opening
            ) touched using (customer_id))
    """).fetchone()
    customers, nodes, new, merged, gone, unchanged = (int(count) for count in counts or ())
    signals: list[tuple[Any, ...]] = connection.execute(
        "select kind, count(*) from signal group by kind order by kind"
    ).fetchall()
    by_kind = {str(kind): int(count) for kind, count in signals}
    return ResolveSummary(seq, digest, customers, nodes, new, merged, gone, unchanged, by_kind)
