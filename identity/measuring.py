"""How well a linking agrees with a known truth: pairs found, missed, and of strangers; overall and by kind of trap."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb


@dataclass(frozen=True)
class Agreement:
    """Over pairs of records: `found` true ones in one customer, `wrong` of two firms in one customer, `missed` true ones apart;
    `asked`: missed ones that wait in the review band."""

    trap: str
    found: int
    wrong: int
    missed: int
    asked: int

    @property
    def precision(self) -> float:
        return self.found / (self.found + self.wrong) if self.found + self.wrong else 1.0

    @property
    def recall(self) -> float:
        return self.found / (self.found + self.missed) if self.found + self.missed else 1.0


_PAIRS = """
create or replace table judged_pair as
with placed as (
    select node.node, customer_group.component, truth.firm_id, truth.trap
    from truth join node using (system, province, customer_key) join customer_group using (node)
), met as (
    select one.node as a, other.node as b, one.trap as trap_a, other.trap as trap_b, true as together,
        one.firm_id = other.firm_id as same
    from placed one join placed other on one.component = other.component and one.node < other.node
    union all
    select one.node, other.node, one.trap, other.trap, false, true
    from placed one join placed other
        on one.firm_id = other.firm_id and one.node < other.node and one.component <> other.component
)
select met.*, scored.band is not null as asked from met
left join (select least(a, b) as a, greatest(a, b) as b, min(band) as band from scored_pair where band = 'review' group by 1, 2)
    scored using (a, b)
"""
_COUNTS = """
select {trap} as trap, count(*) filter (together and same), count(*) filter (together and not same),
    count(*) filter (not together), count(*) filter (not together and asked)
from (
    select *, case when trap_a <> 'none' then trap_a else trap_b end as trap from judged_pair
) group by 1 order by 1
"""


def measure(connection: duckdb.DuckDBPyConnection) -> list[Agreement]:
    """Of all pairs first (`trap` 'all'), then by trap, from `truth` (`system, province, customer_key, firm_id, trap`) and what a
    linker made. A pair belongs to the trap of its first record, or of its second where the first has none."""
    connection.execute(_PAIRS)
    rows = [
        *connection.execute(_COUNTS.format(trap="'all'")).fetchall(),
        *connection.execute(_COUNTS.format(trap="trap")).fetchall(),
    ]
    return [Agreement(str(trap), *(int(count) for count in counts)) for trap, *counts in rows]
