"""One row for one row: which may belong together, which do, which cannot be told apart.

Reads `rows`; leaves `paired` (`left_row, right_row, sure`), pairs that are surer than `SURE`, and `tied`
(`left_row, right_row, sure, tie, place`), what stays for a person: `tie` numbers the rows that compete with one another,
`place` 1 is the likeliest for its left row. A row is in at most one of them, and in `paired` once.
"""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from reconcile.matching import belief, likeness
from reconcile.matching.question import MONEY_DIGITS, Question, Tolerance

SURE = 0.7
"""From here a pair is matched. It must be likelier than every other use of its rows taken together, with something over."""
WORTH_A_LOOK = 0.1
"""A row whose free candidates together are likelier than this is shown to a person."""
PLACES = 5
MOST_PAIRS = 4_000_000
"""Beyond so many candidates only the nearest of each row are weighed."""

COMMON = 10
"""A word that more than one row in so many has says too little to look for pairs by."""

_NODES = """
create or replace table node as
with free as (
    select rows.*, coalesce(hint.token, '') as hint from rows left join hint using (side, row_no)
    where fault is null
), known as (
    select side, key, amount, day, text, hint, count(*) as n from free group by all
)
select (row_number() over (order by side, key, amount, day, text, hint) - 1)::int as node,
    (dense_rank() over (order by key))::int as key_no, *
from known
"""
_MEMBERS = """
create or replace table member as
select node.node, rows.side, rows.row_no, row_number() over (partition by node.node order by rows.id, rows.row_no) - 1 as place
from rows left join hint using (side, row_no)
join node on node.side = rows.side and node.key = rows.key and node.amount is not distinct from rows.amount
    and node.day is not distinct from rows.day and node.text = rows.text and node.hint = coalesce(hint.token, '')
where rows.fault is null
"""
# Keys, words and cells as numbers: tens of millions of pairs are compared by them.
_CANDIDATES = """
create or replace table candidate as
with l as (
    select node, key_no, amount, day, {bucket} as bucket, {cell} as cell, word, {rarity} from node {words} where side = 'left'
), r as (
    select * exclude (cell), unnest({around_day}) as cell from (
        select node, key_no, amount, day, unnest({around_bucket}) as bucket, {cell} as cell, word, {rarity} from node {words}
        where side = 'right')
)
select l.node as l, r.node as r, coalesce(r.day - l.day, 0) as days, coalesce(r.amount - l.amount, 0) as off,
    {allowed} as allowed, {shared} as shared
from l join r on r.key_no = l.key_no and r.bucket = l.bucket and r.cell = l.cell and r.word = l.word
where abs(off) <= allowed and abs(days) <= {span}
"""
_NEAREST = """
create or replace table candidate as
select * from candidate qualify row_number() over (partition by l order by {first}{distance} + r) <= {most}
union
select * from candidate qualify row_number() over (partition by r order by {first}{distance} + l) <= {most}
"""
# One number to order by, the partner's own behind the distance: the few nearest by it are found without a sort.
_DISTANCE = "(abs(off)::{number} * {span} + abs(days)::{number} * allowed) * {nodes}"
# With too many candidates, those that share one of the words that few rows have are weighed beside the nearest.
_RARE = f"""
create or replace table rare as
with words as (
    select node, token from node join token using (text) union select node, hint from node where hint <> ''
), counted as (select *, count(*) over (partition by token) as holders from words)
select node, dense_rank() over (order by token) as word, 1000000000 // holders as rarity from counted
where holders * {COMMON} <= (select count(*) from node)
qualify row_number() over (partition by node order by holders, token) <= {PLACES}
"""
_WORDLESS = "cross join (select 0 as word)"
_WORDED = "join rare using (node)"


def pair(connection: duckdb.DuckDBPyConnection, question: Question) -> None:
    """Makes `paired` and `tied` of the rows that can be compared."""
    likeness.prepare(connection)
    connection.execute(_NODES)
    connection.execute(_MEMBERS)
    _find_candidates(connection, question)
    found = connection.execute("select * from candidate order by l, r").fetchnumpy()
    left, right = found["l"], found["r"]
    sure = _weigh(connection, question, found) if len(left) else np.empty(0)
    connection.register("weighed", {"l": left, "r": right, "sure": sure})
    connection.execute("create or replace table edge as select * from weighed")
    connection.unregister("weighed")
    _decide(connection)


def _find_candidates(connection: duckdb.DuckDBPyConnection, question: Question) -> None:
    allowed = _allowed(question.tolerance, "l.amount", "r.amount")
    bucket, exact = _bucket(question.tolerance)
    span = question.tolerance.days
    parts = {
        "bucket": bucket,
        "around_bucket": f"[{bucket}]" if exact else f"[{bucket} - 1, {bucket}, {bucket} + 1]",
        "cell": f"coalesce(day, 0) // {span + 1}",
        "around_day": "[cell - 1, cell, cell + 1]" if span else "[cell]",
        "allowed": allowed,
        "span": span,
    }
    every = _CANDIDATES.format(words=_WORDLESS, rarity="0 as rarity", shared="0", **parts)
    connection.execute(f"{every} limit {MOST_PAIRS + 1}")
    if _count(connection, "candidate") <= MOST_PAIRS:
        return
    connection.execute(every)
    nearest = _nearest(connection, span)
    connection.execute(nearest.format(first=""))
    if question.text is not None:
        connection.execute("create or replace table near as from candidate")
        connection.execute(_RARE)
        connection.execute(_CANDIDATES.format(words=_WORDED, rarity="rarity", shared="sum(l.rarity)", **parts) + " group by all")
        connection.execute(nearest.format(first="shared desc, "))
        pairs = "select l, r, days, off, allowed from"
        connection.execute(f"create or replace table candidate as {pairs} candidate union {pairs} near")


def _nearest(connection: duckdb.DuckDBPyConnection, span: int) -> str:
    """The statement that keeps the nearest candidates of each row, as many as may be weighed; `first`: what counts more."""
    row = connection.execute("select max(allowed), (select count(*) from node) from candidate").fetchone() or (0, 0)
    allowed, nodes = int(row[0]), int(row[1])
    fits = allowed * 2 * (span + 1) * nodes < 2**63
    distance = _DISTANCE.format(number="bigint" if fits else "hugeint", span=span + 1, nodes=nodes)
    return _NEAREST.format(first="{first}", distance=distance, most=max(1, MOST_PAIRS // nodes))


def _allowed(tolerance: Tolerance, left: str, right: str) -> str:
    """By how much two amounts may differ, in units of 10^-6: SQL, exact."""
    fixed = int(tolerance.amount.scaleb(MONEY_DIGITS))
    if not tolerance.share:
        return f"{fixed}::bigint"
    parts = int(tolerance.share.scaleb(MONEY_DIGITS))
    share = f"(greatest(abs({left}), abs({right}))::hugeint * {parts} // {10**MONEY_DIGITS})::bigint"
    return f"greatest({fixed}::bigint, {share})"


def _bucket(tolerance: Tolerance) -> tuple[str, bool]:
    """A number for every amount such that two that agree lie at most one apart; and whether they lie in one."""
    fixed = int(tolerance.amount.scaleb(MONEY_DIGITS))
    if tolerance.share:
        plain = max(int(tolerance.amount.scaleb(MONEY_DIGITS) / tolerance.share), 10**MONEY_DIGITS)
        steps = f"1 + ln(abs(amount) / {plain}) / -ln(1 - {tolerance.share:f} * 1.001)"
        return f"(case when abs(amount) <= {plain} then 0 else sign(amount) * floor({steps}) end)::bigint", False
    return ("coalesce(amount, 0)", True) if not fixed else (f"coalesce(amount, 0) // {fixed}", False)


def _weigh(connection: duckdb.DuckDBPyConnection, question: Question, found: Any) -> Any:
    counts = connection.execute("select side, n from node order by node").fetchnumpy()
    lefts = int((counts["side"] == "left").sum())
    allowed = np.maximum(found["allowed"], 1)
    amounts = np.clip(np.rint(np.sign(found["off"]) * np.ceil(np.abs(found["off"]) * 4 / allowed)), -4, 4) + 4
    texts = np.zeros(len(allowed), dtype=np.int64)
    if question.text is not None:
        alike = likeness.likeness(connection, found["l"], found["r"])
        texts = np.where(alike < 0, belief.NO_TEXT, 1 + np.ceil(alike * 10 - 1e-9)).astype(np.int64)
    return belief.probabilities(
        belief.Candidates(
            left=found["l"].astype(np.intp),
            right=(found["r"] - lefts).astype(np.intp),
            days=(found["days"] + question.tolerance.days).astype(np.int64),
            amounts=amounts.astype(np.int64),
            texts=texts,
            span=question.tolerance.days,
            left_count=counts["n"][:lefts],
            right_count=counts["n"][lefts:],
        )
    )


def _decide(connection: duckdb.DuckDBPyConnection) -> None:
    """Sure pairs first, each row once; then what is left, and worth a look, as ties."""
    connection.execute(f"""
        create or replace table paired as
        select a.row_no as left_row, b.row_no as right_row, sure
        from edge join member a on a.node = edge.l join member b on b.node = edge.r
        join node x on x.node = edge.l and x.n = 1 join node y on y.node = edge.r and y.n = 1
        where sure >= {SURE}
        qualify row_number() over (partition by l order by sure desc, r) = 1
            and row_number() over (partition by r order by sure desc, l) = 1
    """)
    connection.execute(f"""
        create or replace table loose as
        with used as (
            select node from member join paired on side = 'left' and row_no = left_row
            union all select node from member join paired on side = 'right' and row_no = right_row
        )
        select edge.*, x.n as copies, y.n as options, sum(sure * y.n) over (partition by l) as any_right,
            sum(sure * x.n) over (partition by r) as any_left
        from edge join node x on x.node = edge.l join node y on y.node = edge.r
        where l not in (select node from used) and r not in (select node from used)
        qualify greatest(any_right, any_left) >= {WORTH_A_LOOK} and (
            row_number() over (partition by l order by sure desc, r) <= {PLACES}
            or row_number() over (partition by r order by sure desc, l) <= {PLACES})
        order by l, r
    """)
    _number_ties(connection)
    # Every loose row is shown: with its likeliest five, and, if it is on the right and among nobody's five, with its likeliest.
    connection.execute(f"""
        create or replace table tied as
        with loose_pair as (
            select a.row_no as left_row, b.row_no as right_row, sure, tie, (b.place - a.place + copies) % options as turn, l, r,
                a.place as copy
            from loose join member a on a.node = l join member b on b.node = r
            where (b.place - a.place + copies) % options < {PLACES} or (a.place - b.place + options) % copies = 0
        ), placed as (
            select *, row_number() over (partition by left_row order by sure desc, turn, r) as place,
                row_number() over (partition by right_row order by sure desc, turn, l, copy) as place_right
            from loose_pair
        )
        select left_row, right_row, sure, tie, place from placed where place <= {PLACES} or place_right = 1
    """)


def _number_ties(connection: duckdb.DuckDBPyConnection) -> None:
    found = connection.execute("select l, r from loose order by l, r").fetchnumpy()
    nodes = _count(connection, "node")
    links = sparse.coo_matrix((np.ones(len(found["l"])), (found["l"], found["r"])), shape=(nodes, nodes))
    _, labels = connected_components(links, directed=False)
    connection.register("labelled", {"l": found["l"], "r": found["r"], "label": labels[found["l"]].astype(np.int64)})
    connection.execute("""
        create or replace table loose as
        select loose.*, dense_rank() over (order by label) as tie from loose join labelled using (l, r)
    """)
    connection.unregister("labelled")


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"select count(*) from {table}").fetchone()
    return int(row[0]) if row else 0
