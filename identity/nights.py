"""A night's linking: only circles (`identity.circles`) that something touched are linked again, the others are taken over.

A run keeps what it linked, circle by circle. The next one finds the nodes of which something else is said, calls their circles
and those they now reach into, and links these nodes by the same statements, which then find fewer of them. It goes on calling
until nothing outside has to do with what is inside; above a third of all, everything is linked.

What is kept stands under the name of the store's last run, of the settings, and of the source of this package. Beside any other
it counts for nothing; losing it costs time, never a result. It holds names and codes, keys and numbers. Of a telephone, an
address, a contact it holds tokens that nobody makes without the store, and, in a node's content and digest, plain hashes of all
that is said of a firm together: who may read the folder could try numbers against those, so it is its owner's alone to read.

| file | a row is |
|---|---|
| `node` | one source customer: a digest of what is said of it, its content, its customer (`component`), its circle |
| `token` | something that a circle's nodes bear: `token, circle` |
| `key` | a key by which pairs are sought: `key, circle, free, speakers`, one row a group that has it |
| `token-stayed`, `key-stayed` | the same of circles that were taken over |
| `edge`, `scored_pair` | as `identity.linking` makes them |
| `named`, `hierarchy_edge` | as `identity.belonging` makes them |
| `noted` | a signal of a node: `node, kind, detail` |
| `doubted` | a code that is not one firm's, and one of its bearers: `node, kind, code, nodes, trust` |
| `crowd` | as `identity.blocking` makes it |
| `decision` | as `identity.sources` tells |
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from hub.program import program_digest
from identity import blocking, circles, folding, trust
from identity.belonging import find_belonging, find_belonging_again, take_names
from identity.extract import read_store
from identity.linking import ModelLinker
from identity.settings import IdentitySettings
from identity.sources import describe, refer
from identity.standing import run_before
from store.duck import literal

_Seal = Callable[[str], str]
"""Of a column of tokens, the SQL of what is kept of it."""

# Of all records, those texts whose comparable forms are read after linking, and the others of which they are kept.
_READ_LATER = {
    folding.USCCS: "select uscc from source_row where node is not null",
    folding.ORG_CODES: "select org_code from source_row where node is not null",
}
_SAID = {
    folding.NAMES: "select customer_name from source_row union all select short_name from source_row",
    folding.LICENCES: "select licence_no from source_row",
}

_PROGRAM = program_digest("identity")
WORTH_IT = 3
"""Where more than one in so many nodes would have to be linked again, all are."""

_STAYED = "-stayed"
_SEALED = {"token": "circle", "key": "circle, free, speakers"}
_UNSEALED = ("node", "noted", "doubted", "crowd", "edge", "scored_pair", "named", "hierarchy_edge", "decision")
_FILES = (*_UNSEALED, *_SEALED, *(name + _STAYED for name in _SEALED))
_DRAFT = "linking"
_FORMAT = "format parquet, compression lz4_raw, dictionary_size_limit 1000"

# Tonight's nodes beside those kept, which are numbered as they were.
_KNOWN = """
create or replace table renumbered as
select kept.node as was, kept.circle, now.node, coalesce(kept.digest = now.digest, false) as same
from (from every_node join node_digest using (node)) now full join kept_node kept using (system, province, customer_key)
"""
_CALLED = """
create or replace table called as
with decided as (
    (from decision except from kept_decision) union (from kept_decision except from decision)
), concerned as (
    select a_system as system, a_province as province, a_key as customer_key from decided
    union select b_system, b_province, b_key from decided
)
select circle from renumbered where not same and circle is not null
union
select circle from concerned join kept_node using (system, province, customer_key)
"""
_CHANGED = "select node from renumbered where node is not null and not same"
_INSIDE = """
select node from renumbered where was is null
union all select node from renumbered semi join called using (circle) where node is not null
"""
# Who bears the same outside, and to whom those inside now refer.
_REACHED_BY_TOKENS = f"""
insert into called
select circle from kept_token semi join (
    select {{sealed}} as token from token union select {circles.NAME} from node
) inside using (token) anti join called using (circle)
union
select circle from pointer join every_node target using (system, province, customer_key)
join renumbered on renumbered.node = target.node anti join called using (circle) where circle is not null
"""
# Of the keys that those inside have, or had: by whom each was and is used. Where pairs are sought by it tonight, or were last
# night, everybody who has it belongs inside.
_KEYS_MET = """
create or replace table key_met as
with inside as (
    select {sealed} as key, free, speakers from group_key
), before as (
    select key, free, speakers from kept_key semi join called using (circle)
), asked as (
    select key from inside union select key from before
), outside as (
    select key, free, speakers from kept_key anti join called using (circle) semi join asked using (key)
), counted as (
    select key, count(*) filter (place <> 'inside') as groups_before, sum(speakers) filter (place <> 'inside') as speakers_before,
        coalesce(bool_or(free) filter (place <> 'inside'), false) as live_before,
        count(*) filter (place <> 'before') as groups_now, sum(speakers) filter (place <> 'before') as speakers_now,
        coalesce(bool_or(free) filter (place <> 'before'), false) as live_now
    from (
        select *, 'inside' as place from inside
        union all select *, 'before' from before
        union all select *, 'outside' from outside
    ) group by key having bool_or(place = 'outside')
)
select key, live_before and {usable_before} as used_before, live_now and {usable_now} as used_now from counted
"""
_REACHED_BY_KEYS = """
insert into called
select distinct circle from kept_key semi join (from key_met where used_before or used_now) used using (key)
anti join called using (circle)
"""
_WORN = """
insert into worn_key
select distinct group_key.key from group_key join key_met on key_met.key = {sealed} where not used_now
"""
_TOUCHED_CONTENTS = """
create or replace table touched_content as
select content from kept_node semi join called using (circle) union select content from node_content
"""
# What was linked.
_LINKED = {
    "node": """
        select node, system, province, customer_key, digest, content, circle, customer_group.component
        from node join node_digest using (node) join node_content using (node) join customer_group using (node)
        join circle_of on circle_of.node = customer_group.component""",
    "token": """
        select token, personal, circle from token_home join circle_of on circle_of.node = home""",
    "key": """
        select key, personal, circle, free, speakers
        from group_key join customer_group on customer_group.node = tier_group
        join circle_of on circle_of.node = customer_group.component""",
    "noted": "select node, kind, detail from signal join node using (system, province, customer_key)",
    "doubted": """
        select min(node) as node, kind, code, any_value(nodes) as nodes, any_value(trust) as trust
        from code_trust join node_code using (kind, code) where trust <> 'firm' group by kind, code""",
    "crowd": "from crowd",
}
# The last run's nodes, by their number as it was and is; those that stay are taken over.
_CARRIED = """
create or replace table carried as
select was, node, node is not null and called.circle is null as stays
from renumbered left join called using (circle) where was is not null;
create or replace view staying as select was, node from carried where stays
"""
# What is taken over.
_KEPT = {
    "node": """
        select staying.node, system, province, customer_key, digest, content, circle, head.node as component
        from kept_node kept join staying on was = kept.node join staying head on head.was = kept.component""",
    "token": "select token, circle from kept_token anti join called using (circle)",
    "key": "select key, circle, free, speakers from kept_key anti join called using (circle)",
    "named": "select staying.node, kept.* exclude (node) from kept_named kept join staying on was = kept.node",
    "noted": "select staying.node, kind, detail from kept_noted kept join staying on was = kept.node",
    "doubted": "select staying.node, kept.* exclude (node) from kept_doubted kept join staying on was = kept.node",
    "crowd": "select staying.node, kept.* exclude (node) from kept_crowd kept join staying on was = kept.node",
    "edge": """
        select one.node, other.node, kept.* exclude (a, b)
        from kept_edge kept join staying one on one.was = a join staying other on other.was = b""",
    "scored_pair": """
        select one.node, other.node, kept.* exclude (a, b)
        from kept_scored_pair kept join staying one on one.was = a join staying other on other.was = b""",
    "hierarchy_edge": """
        select one.node as child, other.node as parent, kind, evidence
        from kept_hierarchy_edge join staying one on one.was = child join staying other on other.was = parent""",
}
# What was said by the names of those that are gone or were linked again.
_NAMED_BEFORE = "from kept_named kept semi join (select was from carried where not stays) moved on was = kept.node"
_NAMING_PARENTS = "(from source_row where parent_key is not null)"
_FIRST_RUN = "select extract, ran_at::text as ran_at from hub.identity_run order by seq limit 1"


def link(connection: duckdb.DuckDBPyConnection, linker: ModelLinker, memory: Path) -> bool:
    """Makes what `identity.sources.describe` and the linker make, from the tables of `identity.sources.gather` and
    `identity.digests`: by what the memory keeps of the last run, where that serves. Leaves `linked_token` and `linked_key`, of
    what was linked again, for `remember`.

    Returns whether it served: then `carried` has the last run's nodes (`was`; `node`: tonight's number of the same, NULL where it
    is gone; `stays`: whether it was not linked again)."""
    _begin_draft(memory)
    in_part = _linked_in_part(connection, linker, memory)
    if not in_part:
        _begin_draft(memory)
        describe(connection, memory)
        linker.link_by_facts(connection)
        _find_tokens(connection)
        linker.link_by_model(connection)
        take_names(connection)
        _note_what_was_linked(connection)
        find_belonging(connection)
    _write_draft(connection, memory)
    return in_part


def _linked_in_part(connection: duckdb.DuckDBPyConnection, linker: ModelLinker, memory: Path) -> bool:
    """Links what something touched, and takes over the rest; False where all is to be linked."""
    kept = folder_of(memory, linker.settings, run_before(connection))
    salt = _salt(connection)
    if not kept.exists() or salt is None:
        return False
    try:
        with _some_nodes_alone(connection):
            inside = _link_inside(connection, linker, memory, kept, _sealed(salt))
        if inside:
            _take_over(connection, memory)
            return True
    except duckdb.Error:
        # A memory that cannot be read costs time, never a result.
        logging.getLogger(__name__).warning("what the last run linked cannot be read: everything is linked again")
        shutil.rmtree(kept, ignore_errors=True)
    finally:
        for name in (*_UNSEALED, *_SEALED):
            connection.execute(f"drop view if exists kept_{name}")
    return False


@contextmanager
def _some_nodes_alone(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """While the block lasts all nodes are `every_node`, and `node` is what the block makes of them."""
    connection.execute("alter table node rename to every_node")
    try:
        yield
    finally:
        connection.execute("drop table if exists node; alter table every_node rename to node")


def _link_inside(connection: duckdb.DuckDBPyConnection, linker: ModelLinker, memory: Path, kept: Path, seal: _Seal) -> bool:
    for name in (*_UNSEALED, *_SEALED):
        files = [literal(kept / file) for file in (name, name + _STAYED) if file in _FILES]
        connection.execute(f"create or replace temp view kept_{name} as from read_parquet([{', '.join(files)}])")
    connection.execute(_KNOWN)
    connection.execute(_CALLED)
    if not _enter(connection, _CHANGED):
        return False
    describe(connection, memory, touched=True)
    trust.find_codes(connection)
    circles.find_tokens(connection, with_contents=False)
    connection.execute(_REACHED_BY_TOKENS.format(sealed=seal("token")))
    while _enter(connection, _INSIDE):
        describe(connection, memory, touched=True)
        linker.link_by_facts(connection)
        _find_tokens(connection)
        if not _call_further(connection, linker.settings, seal):
            connection.execute(_WORN.format(sealed=seal("group_key.key")))
            connection.execute(_TOUCHED_CONTENTS)
            linker.link_by_model(connection, "touched_content")
            take_names(connection)
            _note_what_was_linked(connection)
            return True
    return False


def _enter(connection: duckdb.DuckDBPyConnection, nodes: str) -> bool:
    """Makes `node` of those nodes alone; False where they are too many to be worth it."""
    connection.execute(f"create or replace table node as from every_node semi join ({nodes}) chosen using (node)")
    [(inside, every)] = connection.execute("select (select count(*) from node), (select count(*) from every_node)").fetchall()
    return bool(inside * WORTH_IT <= every)


def _find_tokens(connection: duckdb.DuckDBPyConnection) -> None:
    circles.find_tokens(connection, with_contents=True)
    blocking.list_keys(connection)


def _call_further(connection: duckdb.DuckDBPyConnection, settings: IdentitySettings, seal: _Seal) -> bool:
    """Calls the circles in that those inside have to do with; whether there were any."""
    before = _count(connection, "called")
    connection.execute(_REACHED_BY_TOKENS.format(sealed=seal("token")))
    used = {f"usable_{when}": blocking.usable(settings, f"groups_{when}", f"speakers_{when}") for when in ("before", "now")}
    connection.execute(_KEYS_MET.format(sealed=seal("key"), **used))
    connection.execute(_REACHED_BY_KEYS)
    return _count(connection, "called") > before


def _note_what_was_linked(connection: duckdb.DuckDBPyConnection) -> None:
    circles.draw(connection)
    for name, query in _LINKED.items():
        connection.execute(f"create or replace table linked_{name} as {query}")


def _take_over(connection: duckdb.DuckDBPyConnection, memory: Path) -> None:
    """Adds to what was linked all that was not, as the last run left it."""
    connection.execute(_CARRIED)
    connection.execute(f"insert into signal select kind, system, province, customer_key, detail "
                       f"from ({_KEPT['noted']}) join node using (node)")  # fmt: skip
    trust.signal_doubted(connection, f"({_KEPT['doubted']})")
    connection.execute(f"insert into code_trust by name select kind, code, nodes, trust from ({_KEPT['doubted']})")
    blocking.signal_crowds(connection, f"({_KEPT['crowd']})")
    for name in ("node", "noted", "doubted", "crowd"):
        connection.execute(f"insert into linked_{name} {_KEPT[name]}")
    for name in _SEALED:
        connection.execute(f"copy ({_KEPT[name]}) to {literal(memory / _DRAFT / (name + _STAYED))} ({_FORMAT})")
    connection.execute("create or replace temp table named_again as from named")
    for name in ("edge", "scored_pair", "named"):
        connection.execute(f"insert into {name} {_KEPT[name]}")
    connection.execute("create or replace table customer_group as select node, component from linked_node")
    refer(connection, _NAMING_PARENTS)
    find_belonging_again(connection, "named_again", _NAMED_BEFORE, _KEPT["hierarchy_edge"])
    connection.execute("drop table named_again")
    folding.fold_all(connection, _READ_LATER, memory, touched=True)
    folding.forget(connection, _SAID | _READ_LATER, memory)


def _begin_draft(memory: Path) -> None:
    shutil.rmtree(memory / _DRAFT, ignore_errors=True)
    (memory / _DRAFT).mkdir(parents=True)


def _write_draft(connection: duckdb.DuckDBPyConnection, memory: Path) -> None:
    """Writes what needs no seal, and lets go of it."""
    draft = memory / _DRAFT
    for name in _UNSEALED:
        query = f"from linked_{name}" if name in _LINKED else f"from {name}"
        connection.execute(f"copy ({query}) to {literal(draft / name)} ({_FORMAT})")
    for name in ("node", "noted", "doubted", "crowd"):
        connection.execute(f"drop table if exists linked_{name}")


def remember(connection: duckdb.DuckDBPyConnection, memory: Path, settings: IdentitySettings, run: str | None) -> None:
    """Keeps what was linked under the name of the `run` that linked it: to be called once that is written for good."""
    salt = _salt(connection)
    if salt is None:
        return
    draft, file = memory / _DRAFT, folder_of(memory, settings, run)
    seal = _sealed(salt)
    for name, columns in _SEALED.items():
        query = f"select {seal(name)} as {name}, {columns} from linked_{name}"
        connection.execute(f"copy ({query}) to {literal(draft / name)} ({_FORMAT})")
        if not (draft / (name + _STAYED)).exists():
            connection.execute(f"copy (from ({query}) limit 0) to {literal(draft / (name + _STAYED))} ({_FORMAT})")
        connection.execute(f"drop table linked_{name}")
    for other in memory.glob("linked-*"):
        shutil.rmtree(other)
    draft.rename(file)


def folder_of(memory: Path, settings: IdentitySettings, run: str | None) -> Path:
    said = f"{run}{settings.model_dump_json()}{_PROGRAM}{duckdb.__version__}"
    return memory / f"linked-{hashlib.sha256(said.encode()).hexdigest()[:16]}"


def _salt(connection: duckdb.DuckDBPyConnection) -> str | None:
    """What only the store knows, and knows on every night; None before its first run."""
    first = _told(connection, _FIRST_RUN)
    return hashlib.sha256(str(first).encode()).hexdigest() if first else None


def _sealed(salt: str) -> _Seal:
    return lambda token: f"case when personal then md5_number_lower('{salt}' || {token}::varchar) else {token} end"


def _told(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[object, ...] | None:
    read_store(connection, "told_by_store", query)
    return connection.execute("from told_by_store").fetchone()


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"select count(*) from {table}").fetchone()
    return int(row[0]) if row else 0
