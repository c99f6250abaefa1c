"""What became of every row of both extracts: five lists and a summary that accounts for each row, and its money, once.

| file | a line is |
|---|---|
| `matched.csv` | two rows that belong together; a group of several has a line a row of its larger side, and one `group` |
| `differing.csv` | two rows of one key whose amounts or dates are further apart than allowed; in mode grouped, a key's sums |
| `suggested.csv` | two rows that may belong together, the likeliest of a left row first (`place`); for a person to decide |
| `left_only.csv`, `right_only.csv` | a row nothing was found for, and why |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path

import duckdb

from hub.errors import InvariantBroken
from reconcile.matching.question import MONEY_DIGITS, Columns, Mode, Question
from reconcile.matching.rows import FAULTS, SIDES
from store.duck import literal

OUTCOMES = ("matched", "differing", "suggested", "only")


@dataclass(frozen=True)
class Share:
    """Rows of one side with one outcome; `amount` is the sum of those that could be read, `unreadable` counts the others."""

    rows: int
    amount: Decimal
    unreadable: int


@dataclass(frozen=True)
class Summary:
    """Per side: what came in, and what became of it. The outcomes add up to what came in, in rows and in money."""

    left: Mapping[str, Share]
    right: Mapping[str, Share]
    kinds: Mapping[str, int]
    notes: tuple[str, ...]
    seconds: Decimal

    def rows(self) -> list[dict[str, object]]:
        """A line a side and outcome, for a table."""
        sides = ((side, getattr(self, side)) for side in SIDES)
        return [
            {"side": side, "outcome": outcome, **asdict(share)} for side, shares in sides for outcome, share in shares.items()
        ]


_LEFTOVER = """
create or replace table differing as
with leftover as (
    select side, row_no, key, row_number() over (partition by side, key order by amount, day, id, row_no) as k,
        count(*) over (partition by side, key) as n
    from rows anti join settled using (side, row_no) where key <> ''
), turn as (
    select key, any_value(n) filter (side = 'left') as lefts, any_value(n) filter (side = 'right') as rights
    from leftover group by key having lefts > 0 and rights > 0
), lined as (
    select key, lefts, rights, unnest(range(1, {lines} + 1)) as line from turn
)
select dense_rank() over (order by lined.key) as group_no, l.row_no as left_row, r.row_no as right_row
from lined
join leftover l on l.side = 'left' and l.key = lined.key and l.k = least(line, lefts)
join leftover r on r.side = 'right' and r.key = lined.key and r.k = least(line, rights)
"""
_SETTLED = """
create or replace table settled as
select 'left' as side, left_row as row_no, 'matched' as outcome from paired
union all select 'right', right_row, 'matched' from paired
union all select side, row_no, case when settled then 'matched' else 'suggested' end from grouped
union all select distinct 'left', left_row, 'suggested' from tied
union all select distinct 'right', right_row, 'suggested' from tied
"""
_FATE = """
create or replace table fate as
select rows.*, coalesce(settled.outcome, case when differ.row_no is not null then 'differing' else 'only' end) as outcome
from rows left join settled using (side, row_no)
left join (
    select distinct 'left' as side, left_row as row_no from differing union all select distinct 'right', right_row from differing
) differ using (side, row_no)
"""


def settle(connection: duckdb.DuckDBPyConnection, question: Question) -> None:
    """Makes `differing` and `fate` (`rows` with their `outcome`) from `paired`, `tied` and `grouped`."""
    connection.execute(_SETTLED)
    lines = "greatest(lefts, rights)" if question.mode is Mode.GROUPED else "least(lefts, rights)"
    connection.execute(_LEFTOVER.format(lines=lines))
    connection.execute(_FATE)


def summarise(connection: duckdb.DuckDBPyConnection, question: Question, seconds: Decimal) -> Summary:
    """The summary. Raises InvariantBroken where a row, or money, is lost or counted twice."""
    sides = {side: _shares(connection, question, side) for side in SIDES}
    for side, shares in sides.items():
        parts = [shares[outcome] for outcome in OUTCOMES]
        whole = shares["read"]
        if (sum(p.rows for p in parts), sum(p.amount for p in parts)) != (whole.rows, whole.amount):
            raise InvariantBroken(f"the {side} extract has {whole} and its outcomes {parts}", side=side)
    kinds = connection.execute(
        "select kind, count(distinct group_no) from grouped where settled group by kind "
        "union all select '1:1', count(*) from paired order by kind"
    ).fetchall()
    return Summary(
        sides["left"], sides["right"], {str(kind): int(count) for kind, count in kinds}, _notes(connection, question), seconds
    )


def _shares(connection: duckdb.DuckDBPyConnection, question: Question, side: str) -> dict[str, Share]:
    counted = f"count(*), coalesce(sum(amount), 0)::varchar, {_unread('amount', question.amount)}"
    whole = connection.execute(f"select 'read', {counted} from rows where side = ?", [side]).fetchall()
    parts = connection.execute(f"select outcome, {counted} from fate where side = ? group by outcome", [side]).fetchall()
    found = {str(name): Share(int(rows), _amount(money), int(bad)) for name, rows, money, bad in (*whole, *parts)}
    return {name: found.get(name, Share(0, _amount("0"), 0)) for name in ("read", *OUTCOMES)}


def _amount(units: str) -> Decimal:
    exact = Decimal(units).scaleb(-MONEY_DIGITS)
    return exact.quantize(Decimal("0.01")) if exact == exact.quantize(Decimal("0.01")) else exact.normalize()


def _unread(column: str, asked: Columns | None) -> str:
    """How many rows have none, an empty cell as well as one that says something else; of a column not asked for, none has."""
    return f"count(*) filter ({asked is not None} and {column} is null)"


def _notes(connection: duckdb.DuckDBPyConnection, question: Question) -> tuple[str, ...]:
    """What a person should know of the extracts themselves."""
    notes = []
    for side in SIDES:
        row = connection.execute(
            "select count(*) filter (unnamed), count(*) - count(distinct id), "
            f"{_unread('amount', question.amount)}, {_unread('day', question.date)}, count(*) filter (key is null) "
            "from rows where side = ?",
            [side],
        ).fetchone()
        words = ("without an id, called by their number", "that repeat an id", "whose amount cannot be read",
                 "whose date cannot be read", "with an empty key")  # fmt: skip
        notes += [f"{side}: {count} rows {said}" for count, said in zip(row or (), words, strict=True) if count]
    return tuple(notes)


def write(connection: duckdb.DuckDBPyConnection, question: Question, out: Path) -> None:
    """Writes the five lists into `out`, UTF-8, in an order that depends on the rows alone."""
    out.mkdir(parents=True, exist_ok=True)
    queries = {
        **_QUERIES,
        "differing": _differing(sums=question.mode is Mode.GROUPED),
        **{f"{side}_only": _only(side) for side in SIDES},
    }
    for name, query in queries.items():
        connection.execute(f"copy ({query}) to {literal(out / f'{name}.csv')} (format csv, header)")


def _decimal(units: str) -> str:
    """Units of 10^-6 as plain text, two decimals at least."""
    whole = f"lpad((abs({units}) % {10**MONEY_DIGITS})::varchar, {MONEY_DIGITS}, '0')"
    digits = f"(abs({units}) // {10**MONEY_DIGITS})::varchar || '.' || {whole}"
    return f"(case when {units} < 0 then '-' else '' end || regexp_replace({digits}, '0{{1,{MONEY_DIGITS - 2}}}$', ''))"


def _date(days: str) -> str:
    return f"(date '1970-01-01' + {days})"


def _pair(gap: str) -> str:
    return f"""{_decimal("l.amount")} as left_amount, {_decimal("r.amount")} as right_amount, {_decimal(gap)} as difference,
        {_date("l.day")} as left_date, {_date("r.day")} as right_date, r.day - l.day as days"""


_JOINED = "join rows l on l.side = 'left' and l.row_no = left_row join rows r on r.side = 'right' and r.row_no = right_row"
_GAP = "(l.amount - r.amount)"
_REASON = """concat_ws(', ', case when l.fault is not null then 'left: ' || l.fault end,
    case when r.fault is not null then 'right: ' || r.fault end, case when l.amount <> r.amount then 'amount' end,
    case when l.day <> r.day then 'date' end)"""
_GROUPED = """
    with several as (
        select group_no, any_value(kind) as kind, bool_and(settled) as settled, count(*) filter (side = 'left') as lefts,
            count(*) filter (side = 'right') as rights
        from grouped group by group_no
    ), lined as (select *, unnest(range(1, greatest(lefts, rights) + 1)) as line from several)
    select lined.group_no, lined.kind, lined.settled, a.row_no as left_row, b.row_no as right_row, line
    from lined join grouped a on a.group_no = lined.group_no and a.side = 'left' and a.place = least(line, lefts)
    join grouped b on b.group_no = lined.group_no and b.side = 'right' and b.place = least(line, rights)
"""
_QUERIES = {
    "matched": f"""
        with line as (
            select null::bigint as group_no, '1:1' as kind, left_row, right_row, sure from paired
            union all by name select group_no, kind, left_row, right_row, null as sure from ({_GROUPED}) where settled
        )
        select l.id as left_id, r.id as right_id, kind, group_no as "group", {_pair(_GAP)}, round(sure, 4) as confidence
        from line {_JOINED} order by kind, group_no, l.id, r.id, l.row_no, r.row_no""",
    "suggested": f"""
        with line as (
            select 'tie ' || tie as tie, '1:1' as kind, place, left_row, right_row, sure from tied
            union all by name
            select 'group ' || group_no as tie, kind, line as place, left_row, right_row, null as sure from ({_GROUPED})
            where not settled
        )
        select l.id as left_id, r.id as right_id, tie as "group", kind, place, {_pair(_GAP)}, round(sure, 4) as confidence
        from line {_JOINED} order by tie, l.id, place, r.id, l.row_no, r.row_no""",
}


def _differing(*, sums: bool) -> str:
    """`sums`: the difference is that of the key's rows together."""
    return f"""
        with summed as (
            select group_no, sum(case side when 'left' then amount else -amount end) as off from (
                select distinct group_no, 'left' as side, left_row as row_no from differing
                union all select distinct group_no, 'right', right_row from differing
            ) join rows using (side, row_no) group by group_no
        )
        select l.id as left_id, r.id as right_id, group_no as "group", {_pair("off" if sums else _GAP)}, {_REASON} as reason
        from differing join summed using (group_no) {_JOINED} order by group_no, l.id, r.id, l.row_no, r.row_no"""


def _only(side: str) -> str:
    said = " ".join(f"when '{fault}' then '{text}'" for fault, text in FAULTS.items())
    return f"""
        select id as {side}_id, row_no as "row", replace(ltrim(key, chr(31)), chr(31), ' | ') as key, amount_said as amount,
            date_said as date, text, case fault {said} else 'nothing matches it' end as reason
        from fate where side = '{side}' and outcome = 'only' order by id, row_no"""
