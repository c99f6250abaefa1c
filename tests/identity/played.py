"""Nights of a clientele played twice: once with a memory, and once linking everything."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from nightly import Nightly

from identity import digests, nights
from identity.linking import ModelLinker
from identity.settings import IdentitySettings, load_settings
from identity.sources import describe, gather

# So low that a small clientele goes above them, and comes back.
TIGHT = load_settings().model_copy(
    update={"limits": load_settings().limits.model_copy(update={"block": 4, "alike": 3, "strangers": 3})}
)
LEFT = (
    "select a, b, rule, value from edge",
    "select node, component from customer_group",
    "select least(a, b), greatest(a, b), round(weight, 9), band, why from scored_pair",
    "select child, parent, kind, evidence from hierarchy_edge",
    "select kind, code, nodes, trust from code_trust where trust <> 'firm'",
    "select * from signal",
    "select node, system, province, customer_key from node",
    "select * from uscc_fold",
    "select * from org_fold",
)
Left = dict[str, list[tuple[object, ...]]]


def by_rule_of_thumb(connection: duckdb.DuckDBPyConnection, settings: IdentitySettings) -> None:
    """A scorer that takes no time to make ready, and gives weights on both sides of every threshold."""
    del settings
    connection.execute("""
        create or replace table weighed as
        select content_l, content_r, (case when l.core = r.core then 5.0 else 0.0 end)
            + (case when l.phone = r.phone then 4.0 else -1.0 end) + (case when l.street = r.street then 3.0 else 0.0 end)
            + (case when left(l.core, 2) = left(r.core, 2) then 0.5 else -3.0 end) as weight
        from asked join content l on l.content = content_l join content r on r.content = content_r
    """)


@dataclass
class Nights:
    """The same nights, once with a memory and once without. `inside`: how many of how many were linked again."""

    memory: Path
    settings: IdentitySettings = TIGHT
    inside: list[tuple[int, int]] = field(default_factory=list)

    def linked(self, world: Nightly, *, kept: bool) -> Left:
        connection = duckdb.connect(config={"threads": 1})
        connection.execute("set TimeZone = 'Asia/Shanghai'")
        world.into_duck(connection)
        gather(connection)
        world.decide(connection)
        linker = ModelLinker(self.settings, scorer=by_rule_of_thumb, memory=self.memory if kept else None)
        if kept:
            digests.take(connection)
            nights.link(connection, linker, self.memory)
            nights.remember(connection, self.memory, self.settings, "one run")
            self.inside += connection.execute(
                "select (select count(distinct node) from said), (select count(*) from node)"
            ).fetchall()
        else:
            describe(connection)
            linker.link(connection)
        left = {query: sorted(connection.execute(query).fetchall(), key=str) for query in LEFT}
        connection.close()
        return left
