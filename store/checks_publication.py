"""Publications: what is shown is whole (4), and what was derived is as it was when it was published (5)."""

from __future__ import annotations

from sqlalchemy import Connection, RowMapping, select, text

from store import tables
from store.checksums import derived_digests
from store.finding import Finding, named
from store.publication import batches_digest, live_fact_batches

KEPT = 7
"""Digests are computed again for the newest publications, this many, whichever is shown: an intruder may have moved that."""


_WRONGLY_NAMED = {
    "(loaded_seq is null or loaded_seq > :seq)": "is named, and was not loaded at its sequence",
    "superseded_seq <= :seq": "is named, and was superseded at its sequence",
}


def check_publications(connection: Connection) -> list[Finding]:
    table = tables.publication
    kept = connection.execute(select(table).order_by(table.c.publication_id.desc()).limit(KEPT)).mappings().all()
    return [finding for row in kept for finding in _check_one(connection, row)] + _check_provenance(connection)


def _check_one(connection: Connection, row: RowMapping) -> list[Finding]:
    where = f"publication {row['publication_id']} ({row['cycle']})"
    statement = text("select batch_id from hub.publication_batch where publication_id = :id order by 1")
    batches = list(connection.execute(statement, {"id": row["publication_id"]}).scalars())
    published = dict(row["digests"])
    findings = []
    if published.pop("hub.publication_batch") != batches_digest(batches):
        findings.append(Finding(5, where, "the batches it names were changed"))
    unnamed = sorted(set(live_fact_batches(connection, row["seq"])) - set(batches))
    findings += named(4, where, [f"batch {number}" for number in unnamed], "counts at its sequence, and is not named")
    for fault, detail in _WRONGLY_NAMED.items():
        statement = text(f"select batch_id from hub.batch where batch_id = any (:ids) and {fault}")
        wrong = connection.execute(statement, {"ids": batches, "seq": row["seq"]}).scalars()
        findings += named(4, where, [f"batch {number}" for number in wrong], detail)
    now = derived_digests(connection, row["derived_seq"])
    changed = [name for name, digest in published.items() if now.get(name) != digest]
    return findings + [Finding(5, f"{name} in {where}", "is not what was published: a row was changed") for name in changed]


def _check_provenance(connection: Connection) -> list[Finding]:
    """Every golden attribute that has a value names the source that won; every golden customer is somebody's."""
    unnamed = """
    select g.customer_id from core.golden_customer g
    where g.recorded_to is null and not exists (
        select from core.crosswalk x where x.customer_id = g.customer_id and x.recorded_to is null)"""
    unsourced = """
    select p.customer_id || ' ' || p.attribute from core.golden_provenance p
    where p.recorded_to is null and p.system <> 'steward' and not exists (
        select from hub.batch b where b.batch_id = p.batch_id and b.loaded_seq is not null)"""
    undecided = """
    select p.customer_id || ' ' || p.attribute from core.golden_provenance p
    where p.recorded_to is null and p.system = 'steward' and not exists (
        select from hub.steward_decision d join hub.steward_value v using (decision_id)
        where d.decision_id::text = p.source_key and (d.attribute, v.value) = (p.attribute, p.value)
            and d.effective_from <= p.recorded_from)"""
    changed = """
    select v.decision_id::text from hub.steward_value v join hub.steward_decision d using (decision_id)
    where encode(sha256(convert_to(v.salt || v.value, 'UTF8')), 'hex') <> d.value_digest"""
    return [
        *named(
            5, "core.golden_customer", list(connection.execute(text(unnamed)).scalars()), "no source customer stands behind it"
        ),
        *named(5, "core.golden_provenance", list(connection.execute(text(unsourced)).scalars()), "names no loaded batch"),
        *named(5, "core.golden_provenance", list(connection.execute(text(undecided)).scalars()), "no steward's decision says it"),
        *named(5, "hub.steward_value", list(connection.execute(text(changed)).scalars()), "is not the value that was decided"),
    ]
