"""Which payment settles which bill: those that name it, then those that do not, as far as amounts alone can tell.

| `settled` | |
|---|---|
| `province`, `payment_no`, `account_no`, `bill_no`, `amount_fen` | a line a payment and bill; a payment's lines add up to it |
| `how` | see below |

Payments that name a bill of their account are `named`. Of the others, in this order, each payment and bill used once:
`reversed` (a payment and the reversal of its amount, for no bill), `whole` (1:1, the balance of exactly one bill of the account,
wanted by no other payment), `parts` (N:1, all that is left of an account's payments is the balance of exactly one bill; or a pair
of them is), `several` (1:N, one payment is the balance of all the account's bills that are left), `only` (the account owes one
bill only: part or too much of it). The rest is in `suggested_settlement` (`province, payment_no, bill_no, place`), nearest
balance first: a person decides (`assign`), and billing is asked to name the bill.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
from sqlalchemy import Connection, Engine, text

from hub.errors import NotAllowed, NotFound
from identity.extract import RECONCILE_COLUMNS, open_extract, read_store
from reconcile.life import filled
from store import outbox
from store.publication import current_publication

PLACES = 3

_BEGIN = """
create or replace table settled as
select payment.province, payment.payment_no, payment.account_no, bill.bill_no, payment.amount_fen, 'named' as how
from core.payment payment
join core.bill bill on bill.province = payment.province and bill.bill_no = payment.bill_no
    and bill.account_no = payment.account_no;

create or replace table loose_payment as
select province, payment_no, account_no, amount_fen, paid_at from core.payment where bill_no is null;
"""
_OWING = """
create or replace table owing as
select bill.province, bill.account_no, bill.bill_no, bill.total_fen - coalesce(paid.fen, 0) as balance_fen
from core.bill bill
left join (select province, bill_no, sum(amount_fen)::bigint as fen from settled group by all) paid using (province, bill_no)
where bill.total_fen > coalesce(paid.fen, 0);

delete from loose_payment where (province, payment_no) in (select (province, payment_no) from settled);
"""
# A reversal takes back the earliest payment of its amount, made by then, that no reversal before it took. `short` counts the
# reversals so far that found none; one that raises it is one of them.
_REVERSED = """
insert into settled
with numbered as (
    select *, abs(amount_fen) as fen,
        row_number() over (partition by province, account_no, amount_fen order by paid_at, payment_no) as turn,
        count(*) filter (amount_fen > 0) over (
            partition by province, account_no, abs(amount_fen) order by paid_at::date
        ) as paid_by_then
    from loose_payment
), back as (
    select *, greatest(0, max(turn - paid_by_then) over earlier) as short
    from numbered where amount_fen < 0
    window earlier as (partition by province, account_no, fen order by turn rows unbounded preceding)
), pair as (
    select paid.province, paid.account_no, paid.payment_no as paid_no, back.payment_no as back_no, paid.fen
    from (
        select *, lag(short, 1, 0) over (partition by province, account_no, fen order by turn) as short_before from back
    ) back
    join numbered paid on paid.province = back.province and paid.account_no = back.account_no and paid.fen = back.fen
        and paid.amount_fen > 0 and paid.turn = back.turn - back.short
    where back.short = back.short_before
)
select province, paid_no, account_no, null, fen, 'reversed' from pair
union all select province, back_no, account_no, null, -fen, 'reversed' from pair
"""
_WHOLE = """
insert into settled
select province, payment_no, account_no, bill_no, amount_fen, 'whole'
from (
    select payment.*, owing.bill_no, count(*) over (partition by payment.province, payment.payment_no) as bills,
        count(*) over (partition by payment.province, owing.bill_no) as payments
    from loose_payment payment join owing using (province, account_no) where owing.balance_fen = payment.amount_fen
) where bills = 1 and payments = 1
"""
_PARTS = """
insert into settled
with whole_account as (
    select province, account_no, sum(amount_fen) as fen, list(payment_no order by payment_no) as payments from loose_payment
    where amount_fen > 0 group by all having count(*) > 1
), pair as (
    select one.province, one.account_no, one.amount_fen + other.amount_fen as fen, [one.payment_no, other.payment_no] as payments
    from loose_payment one join loose_payment other using (province, account_no)
    where one.payment_no < other.payment_no and one.amount_fen > 0 and other.amount_fen > 0
), fitting as (
    select distinct made.province, made.account_no, made.payments, owing.bill_no
    from (select * from whole_account union all by name select * from pair) made
    join owing using (province, account_no) where owing.balance_fen = made.fen
), told as (
    select *, unnest(payments) as payment_no from fitting
    qualify count(*) over (partition by province, account_no) = 1
)
select told.province, told.payment_no, told.account_no, told.bill_no, payment.amount_fen, 'parts'
from told join loose_payment payment using (province, payment_no)
"""
_SEVERAL = """
insert into settled
with owed as (
    select province, account_no, sum(balance_fen) as fen from owing group by all having count(*) > 1
), fitting as (
    select payment.* from loose_payment payment join owed using (province, account_no) where owed.fen = payment.amount_fen
    qualify count(*) over (partition by province, account_no) = 1
)
select fitting.province, fitting.payment_no, fitting.account_no, owing.bill_no, owing.balance_fen, 'several'
from fitting join owing using (province, account_no)
"""
_ONLY = """
insert into settled
select payment.province, payment.payment_no, payment.account_no, owing.bill_no, payment.amount_fen, 'only'
from loose_payment payment
join (select province, account_no, any_value(bill_no) as bill_no from owing group by all having count(*) = 1) owing
    using (province, account_no)
where payment.amount_fen > 0
"""
_SUGGESTED = f"""
create or replace table suggested_settlement as
select payment.province, payment.payment_no, owing.bill_no,
    row_number() over (
        partition by payment.province, payment.payment_no order by abs(owing.balance_fen - payment.amount_fen), owing.bill_no
    ) as place
from loose_payment payment join owing using (province, account_no)
where payment.amount_fen > 0
qualify place <= {PLACES}
"""


_PAYMENT = """
select account_no, amount_fen from loose_payment where province = ? and payment_no = ?
    and (province, payment_no) in (select (province, payment_no) from suggested_settlement)
"""
_BILLS = """
select owing.bill_no from loose_payment payment join owing using (province, account_no)
where payment.province = ? and payment.payment_no = ? order by owing.bill_no
"""


def settle(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `settled` and `suggested_settlement` from `core.payment` and `core.bill`."""
    connection.execute(_BEGIN)
    connection.execute(_OWING)
    for step in (_REVERSED, _WHOLE, _PARTS, _SEVERAL, _ONLY):
        connection.execute(step)
        connection.execute(_OWING)
    connection.execute(_SUGGESTED)


@dataclass(frozen=True)
class Settlements:
    """`ways`: payments and fen by province and `how`, every payment once; beside the ways above `misnamed` (names a bill that is
    not its account's), `suggested`, `advance` (no bill of the account is open), `reversal alone`.

    `suggested`: a line a payment and bill that may be its own, nearest balance first; `asked_bill`: what a person assigned it to.
    """

    ways: list[dict[str, Any]]
    suggested: list[dict[str, Any]]


_WAYS = """
select province, how, count(distinct payment_no) as payments, sum(amount_fen)::bigint as amount_fen from (
    select province, how, payment_no, amount_fen from settled
    union all
    select province, case when (province, payment_no) in (select (province, payment_no) from suggested_settlement)
        then 'suggested' when amount_fen < 0 then 'reversal alone' else 'advance' end, payment_no, amount_fen
    from loose_payment
    union all
    select province, 'misnamed', payment_no, amount_fen from core.payment
    where bill_no is not null and (province, payment_no) not in (select (province, payment_no) from settled)
) told group by province, how order by province, how
"""
_ASKED = """
select province, payload #>> '{rows,0,source_key}' as payment_no, payload #>> '{change,bill_no}' as asked_bill
from hub.outbox where idempotency_key like 'settlement/%' and state <> 'withdrawn'
"""
_OFFERED = """
select province, payment_no, payment.account_no, payment.amount_fen, bill_no, owing.balance_fen, place, asked_bill
from suggested_settlement
join loose_payment payment using (province, payment_no)
join owing using (province, bill_no)
left join asked using (province, payment_no)
order by payment.amount_fen desc, province, payment_no, place
"""


def published(engine: Engine) -> Settlements:
    """How the payments that portals are shown settle the bills they are shown. Writes nothing.

    Raises NotFound where nothing is published yet.
    """
    with _settled(engine) as connection:
        read_store(connection, "asked", _ASKED)
        return Settlements(_rows(connection, _WAYS), _rows(connection, _OFFERED))


def assign(engine: Engine, province: str, payment_no: str, bill_no: str, *, by: str, why: str) -> int:
    """A person says which bill a suggested payment is of, an open one of its account: a request for billing, whose payment it is
    to mend; until billing sends it so, it stays suggested. Returns the request's id.

    Raises NotFound where the payment is none for a person to decide or the account owes no such bill, NotAllowed where somebody
    asked already, or nobody is named or nothing said.
    """
    person, reason = filled("--by", by), filled("a reason", why)
    with _settled(engine) as connection:
        offered = connection.execute(_PAYMENT, [province, payment_no]).fetchone()
        if offered is None:
            known = "`bsshub reconcile payments` lists those that do"
            raise NotFound(f"no payment {payment_no!r} of {province!r} waits for a person; {known}")
        bills = [str(bill) for (bill,) in connection.execute(_BILLS, [province, payment_no]).fetchall()]
    if bill_no not in bills:
        raise NotFound(f"account {offered[0]} owes no bill {bill_no!r}; it owes: {', '.join(bills)}")
    payload = {
        "rows": [{"entity": "payment", "system": "billing", "province": province, "source_key": payment_no}],
        "money_fen": int(offered[1]),
        "change": {"bill_no": bill_no},
        "reason": reason,
    }
    with engine.begin() as store:
        key = _key(store, province, payment_no)
        asked = outbox.request(store, key=key, system="billing", province=province, kind="correction", payload=payload, by=person)
        if asked is None:
            raise NotAllowed(f"billing was asked about payment {payment_no} already; see `bsshub breaks requests`")
    return asked


def unassign(engine: Engine, province: str, payment_no: str, *, by: str, why: str) -> int:
    """A person takes back what was said of a payment (`assign`), while billing has not been sent it: the request is withdrawn,
    and the payment waits for a person again. Returns the request's id.

    Raises NotFound where no such request waits, NotAllowed where nobody is named or nothing said.
    """
    person, reason = filled("--by", by), filled("a reason", why)
    with engine.begin() as store:
        withdrawn = outbox.withdraw(store, key=_key(store, province, payment_no), by=person, reason=reason)
        if withdrawn is None:
            known = "`bsshub breaks requests` lists what is asked"
            raise NotFound(f"no request about payment {payment_no!r} of {province!r} waits to be sent; {known}")
    return withdrawn


def _key(store: Connection, province: str, payment_no: str) -> str:
    """Of the request about a payment that counts, or would: each one that was withdrawn keeps a key of its own."""
    withdrawn = store.execute(
        text(
            "select count(*) from hub.outbox where idempotency_key like 'settlement/%' and state = 'withdrawn' "
            "and province = :province and payload #>> '{rows,0,source_key}' = :payment"
        ),
        {"province": province, "payment": payment_no},
    ).scalar_one()
    return f"settlement/{province}/{payment_no}" + (f"#{withdrawn}" if withdrawn else "")


@contextmanager
def _settled(engine: Engine) -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables of `settle`, of what is published."""
    with engine.connect() as connection:
        shown = current_publication(connection)
    if shown is None:
        raise NotFound("nothing is published yet; `bsshub cycle` runs a night")
    columns = {name: RECONCILE_COLUMNS[name] for name in ("bill", "payment")}
    with open_extract(engine, shown.seq, columns) as extract:
        settle(extract.connection)
        yield extract.connection


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    found = connection.execute(query)
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
