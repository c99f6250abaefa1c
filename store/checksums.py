"""Checksums of tables and views as multisets of rows: equal whatever the order, in flat memory."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Engine, text

from store.tables import GOLDEN_ATTRIBUTES

STAMPS = frozenset(
    {
        "batch_id",
        "row_no",
        "recorded_from",
        "recorded_to",
        "seq",
        "derived_seq",
        "publication_id",
        "published_at",
        "inputs_digest",
        "ran_at",
        "lineage_hash",
        "sequence",
    }
)
"""What says when and by which batch the hub knew, not what it knows. Whether a row is current stays in the checksum."""

SCHEMAS = ("core", "recon", "portal_v1")

DERIVED: dict[str, tuple[str, ...]] = {
    "core.crosswalk": ("system", "province", "customer_key", "customer_id", "rule", "evidence"),
    "core.golden_customer": ("customer_id", *GOLDEN_ATTRIBUTES, "row_hash"),
    "core.golden_provenance": (
        "customer_id",
        "attribute",
        "value",
        "system",
        "province",
        "source_key",
        "entity",
        "batch_id",
        "row_no",
        "rule",
    ),
    "core.review_pair": (
        *("a_system", "a_province", "a_key", "b_system", "b_province", "b_key"),
        *("weight", "probability", "why"),
    ),
    "core.identity_signal": ("kind", "system", "province", "customer_key", "detail", "times"),
    "core.customer_hierarchy": ("child_id", "parent_id", "kind", "is_parent", "evidence"),
    "recon.breaks": (
        "break_id",
        "rule_id",
        "severity",
        "province",
        "subject",
        "left_value",
        "right_value",
        "money_fen",
        "state",
        "owner",
        "due_at",
        "first_seen_cycle",
        "last_seen_cycle",
        "reopened",
        "details",
    ),
}
"""What the hub derives and publishes, and the columns that a publication's digest covers: all but `recorded_*`."""

RULE_RUNS = ("seq", "rule_id", "cycle", "subjects", "breaks", "money_fen", "tolerance", "passed")
"""`recon.rule_run` is only ever added to: a publication's digest covers every run up to it."""

BREAK_LIVES = ("break_id", "cause", "customer_id", "refs", "opened_cycle", "closed_cycle", "returned", "waiver_id")
RULE_VERDICTS = ("seq", "rule_id", "warned", "waived", "undetermined")
"""What came to breaks and rule runs later; digests of their own, so that older publications' still hold."""


IDENTITY_EVENTS = ("recorded_from", "customer_id", "kind", "other_id", "records", "cause")
"""So is `core.identity_event`."""


def checksums(engine: Engine) -> dict[str, str]:
    """Name → checksum of every table of `core` and `recon` and every view of `portal_v1`, audit stamps left out.

    Two stores that hold the same, loaded by other batches at other times, have equal checksums.
    """
    with engine.connect() as connection:
        connection.execute(text("set local timezone = 'UTC'"))
        return {name: digest(connection, name, columns) for name, columns in _relations(connection)}


def digest(connection: Connection, relation: str, columns: Sequence[str], condition: str = "true") -> str:
    """`rows:sum:sum` over the MD5 of each row's columns, halves added up apart. The session's zone should be UTC."""
    row = f"row({', '.join(columns)})::text"
    statement = f"""
    select count(*) || ':' || coalesce(sum(('x' || left(m, 16))::bit(64)::bigint), 0)
        || ':' || coalesce(sum(('x' || right(m, 16))::bit(64)::bigint), 0)
    from (select md5({row}) as m from {relation} where {condition}) rows"""
    return str(connection.execute(text(statement)).scalar_one())


def derived_digests(connection: Connection, derived_seq: int) -> dict[str, str]:
    """Digests of what is visible at `derived_seq` of everything in `DERIVED`, and of the rule runs up to then."""
    connection.execute(text("set local timezone = 'UTC'"))
    visible = f"hub.visible(recorded_from, recorded_to, {derived_seq})"
    digests = {name: digest(connection, name, columns, visible) for name, columns in DERIVED.items()}
    digests["recon.breaks, their lives"] = digest(connection, "recon.breaks", BREAK_LIVES, visible)
    verdicts = digest(connection, "recon.rule_run", RULE_VERDICTS, f"seq <= {derived_seq}")
    digests["recon.rule_run, their verdicts"] = verdicts
    logs = {
        "recon.rule_run": (RULE_RUNS, f"seq <= {derived_seq}"),
        "core.identity_event": (IDENTITY_EVENTS, f"recorded_from <= {derived_seq}"),
    }
    return {**digests, **{name: digest(connection, name, columns, until) for name, (columns, until) in logs.items()}}


def _relations(connection: Connection) -> list[tuple[str, list[str]]]:
    """Every relation of the published schemas with what stands for it. A fact's partitions are counted through their parent."""
    found = connection.execute(
        text("""
        select n.nspname || '.' || c.relname, array_agg(a.attname::text order by a.attnum)
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where n.nspname = any (:schemas) and c.relkind in ('r', 'p', 'v') and not c.relispartition
        group by 1 order by 1"""),
        {"schemas": list(SCHEMAS)},
    )
    return [(str(name), _content(columns)) for name, columns in found]


def _content(columns: Sequence[str]) -> list[str]:
    current = ["recorded_to is null"] if "recorded_to" in columns else []
    return [f'"{name}"' for name in columns if name not in STAMPS] + current
