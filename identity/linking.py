"""Which source customers are one: the linker's seam, and the linkers.

A linker reads the tables of `identity.sources` and makes

| table | a row is |
|---|---|
| `edge` | a pair of nodes that are one customer, why, by what: `a, b, rule, value`; a customer is a connected component |
| `customer_group` | a node and its customer, named by its smallest node: `node, component` |
| `scored_pair` | a pair the model thinks of: `a, b, weight, probability, band, why`; `band` is 'merge' or 'review' |
| `hierarchy_edge` | `child, parent, kind, evidence`: who belongs to whom, which is never identity |
| `code_trust` | a code and how far it is believed |

and adds to `signal` what it saw and did not act upon.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import duckdb

from identity import blocking, contents
from identity.belonging import find_belonging, take_names
from identity.clusters import decide_by_stewards, follow_weights
from identity.components import components
from identity.scoring import Scorer, score, score_in_duckdb
from identity.settings import IdentitySettings, load_settings
from identity.tiers import link_by_facts
from identity.trust import judge_codes

_NOTHING_SCORED = """
create or replace table scored_pair (a integer, b integer, weight double, probability double, band varchar, why varchar)
"""


class Linker(Protocol):
    def link(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Makes the tables above. The same input gives the same edges, whatever the order of its rows."""


class ModelLinker:
    """Facts first (codes, recorded cross-references), then a steward's decisions, then the model between the groups those make.

    `memory`: a folder in which weights once computed are kept, so that a night pays only for what changed.
    """

    def __init__(
        self, settings: IdentitySettings | None = None, *, scorer: Scorer = score_in_duckdb, memory: Path | None = None
    ) -> None:
        self._settings = settings or load_settings()
        self._scorer = scorer
        self._memory = memory

    @property
    def settings(self) -> IdentitySettings:
        return self._settings

    def link(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.link_by_facts(connection)
        self.link_by_model(connection)
        take_names(connection)
        find_belonging(connection)

    def link_by_facts(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Makes the groups of facts and stewards' decisions, and the keys by which the model seeks pairs of them."""
        settings = self._settings
        judge_codes(connection, settings)
        link_by_facts(connection, settings.rules)
        if settings.rules.steward:
            decide_by_stewards(connection)
        if settings.rules.model:
            contents.make(connection, settings)
            blocking.find_keys(connection)

    def link_by_model(self, connection: duckdb.DuckDBPyConnection, touched: str | None = None) -> None:
        """Makes `customer_group` and `scored_pair` of those groups. `touched`: see `identity.scoring.score`."""
        settings = self._settings
        if settings.rules.model:
            blocking.pair_up(connection, settings)
            score(connection, settings, self._scorer, memory=self._memory, touched=touched)
            follow_weights(connection, settings)
        else:
            connection.execute(_NOTHING_SCORED)
            components(connection, "node", "edge", "customer_group")
