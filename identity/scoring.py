"""The model's weight of pairs of contents, by Splink on DuckDB, and a store of those already known.

A weight is a function of two contents and of the model; nothing of the night goes into it. So a pair scored once is kept in
Parquet under the hub's home (safe to lose), and only pairs with a new side are scored again.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Protocol

import duckdb
from splink import DuckDBAPI
from splink import Linker as SplinkLinker

from identity import comparing
from identity.comparing import COMPARED, FREQUENCY, MULTIPLE, model
from identity.contents import frequencies_file
from identity.settings import IdentitySettings
from store.duck import literal


class Scorer(Protocol):
    """Makes `weighed` (`content_l, content_r, weight` in bits, the prior included) from `content` and `asked`."""

    def __call__(self, connection: duckdb.DuckDBPyConnection, settings: IdentitySettings) -> None: ...


def score_in_duckdb(connection: duckdb.DuckDBPyConnection, settings: IdentitySettings) -> None:
    """Splink's own scoring, in the connection that holds the tables."""
    with quiet():
        api = DuckDBAPI(connection)
        connection.execute(
            f"create or replace table splink_content as select content, {', '.join(COMPARED)}, {MULTIPLE} from content "
            "semi join (select content_l as content from asked union all select content_r from asked) sides using (content)"
        )
        connection.execute(
            f"create or replace table splink_frequency as select distinct {FREQUENCY}, {MULTIPLE} from splink_content"
        )
        connection.execute(
            "create or replace table splink_pair as "
            "select '0' as match_key, content_l as join_key_l, content_r as join_key_r from asked"
        )
        linker = SplinkLinker(api.register("splink_content"), model(settings))
        logging.getLogger("splink").setLevel(logging.WARNING)  # a Splink linker sets its own as it is made
        linker.table_management.register_term_frequency_lookup(api.register("splink_frequency"), FREQUENCY)
        linker.table_management.register_blocked_pairs_for_predict(api.register("splink_pair"))
        scored = linker.inference.predict(warning_mode="never")
        connection.execute(
            "create or replace table weighed as select least(content_l, content_r) as content_l, "
            f"greatest(content_l, content_r) as content_r, match_weight as weight from {scored.physical_name}"
        )
        linker.table_management.delete_tables_created_by_splink_from_db()  # type: ignore[no-untyped-call]
        connection.execute("drop table splink_content; drop table splink_pair; drop table splink_frequency")


def score(
    connection: duckdb.DuckDBPyConnection,
    settings: IdentitySettings,
    scorer: Scorer = score_in_duckdb,
    *,
    memory: Path | None = None,
    touched: str | None = None,
) -> None:
    """Makes `content_pair` (`content_l, content_r, weight`) from `candidate` and `node_content`. `memory`: a folder in which
    weights are kept from run to run; what it does not know is scored and added to it. `touched`: a table of the only contents
    (`content`) whose pairs are asked for; those of others stay in the memory as they are."""
    connection.execute(_WANTED)
    known = _file_of(memory, settings) if memory else None
    _recall(connection, known)
    connection.execute(_ASKED)
    scorer(connection, settings)
    connection.execute(_ANSWERED)
    if known:
        _remember(connection, known, touched)
    connection.execute("drop table wanted; drop table known; drop table asked; drop table weighed")


_WANTED = """
create or replace table wanted as
select distinct least(one.content, other.content) as content_l, greatest(one.content, other.content) as content_r
from candidate join node_content one on one.node = candidate.a join node_content other on other.node = candidate.b
"""
_KNOWN = "create or replace table known as from {kept} kept semi join wanted using (content_l, content_r)"
_NOTHING_KNOWN = "create or replace table known (content_l bigint, content_r bigint, weight double)"
_ASKED = "create or replace table asked as from wanted anti join known using (content_l, content_r)"
_ANSWERED = """
create or replace table content_pair as from known union all by name select content_l, content_r, weight from weighed
"""
_REMEMBERED = "copy (from content_pair {others}) to {file} (format parquet)"
_OTHERS = "union all from read_parquet({kept}) anti join {touched} touched on touched.content = content_l"


def _file_of(memory: Path, settings: IdentitySettings) -> Path:
    """One file a model: other weights, levels or frequencies, another file."""
    # DuckDB may hash otherwise in another version.
    said = (duckdb.__version__, settings.model_dump_json(include={"model", "prior", "weights"}), _levels())
    digest = hashlib.sha256("\0".join(said).encode() + frequencies_file(settings).read_bytes())
    return memory / f"weights-{digest.hexdigest()[:16]}.parquet"


@cache
def _levels() -> str:
    """What tells one state of the comparisons from another: their source."""
    return Path(str(comparing.__file__)).read_text(encoding="utf-8")


def _recall(connection: duckdb.DuckDBPyConnection, file: Path | None) -> None:
    if file and file.exists():
        try:
            connection.execute(_KNOWN.format(kept=f"read_parquet({literal(file)})"))
        except duckdb.Error:
            # A file that cannot be read costs time, never a result.
            file.unlink(missing_ok=True)
        else:
            return
    connection.execute(_NOTHING_KNOWN)


def _remember(connection: duckdb.DuckDBPyConnection, file: Path, touched: str | None) -> None:
    """Only what this night used is kept: the store grows with the population, not with the nights."""
    file.parent.mkdir(parents=True, exist_ok=True)
    for other in file.parent.glob("weights-*.parquet"):
        if other != file:
            other.unlink(missing_ok=True)
    draft = file.with_suffix(".tmp")
    others = _OTHERS.format(kept=literal(file), touched=touched) if touched and file.exists() else ""
    connection.execute(_REMEMBERED.format(file=literal(draft), others=others))
    draft.replace(file)


@contextmanager
def quiet() -> Iterator[None]:
    """Splink tells of every step; a task's log need not."""
    logger = logging.getLogger("splink")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)
