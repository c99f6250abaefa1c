"""Runs rules over the extract: each one statement, what it finds brought into one shape.

| `finding` | |
|---|---|
| `rule_id`, `severity`, `province`, `month` | `month` NULL where the rule's grain is none |
| `subject`, `details` | JSON text, keys in the order jsonb keeps them |
| `left_value`, `right_value`, `money_fen` | both sides as text; BIGINT fen at stake, ≥ 0 |
| `cause` | text that breaks of one cause share; what no other break shares is its own |
| `customer_id` | the golden customer; NULL where identity knows none |
| `refs` | JSON list of `{entity, system, province, source_key}`, the rows of both sides |
| `owner`, `due_at` | the rule's owner role, and the deadline of a break first seen tonight |
| `undetermined` | rows in quarantine may explain it: neither a break, nor proof that one is gone |
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from datetime import datetime, time, timedelta

import duckdb

from hub.errors import InvariantBroken
from hub.periods import SHANGHAI, first_day
from identity.extract import Extract
from identity.parts import grouped
from reconcile import odd
from reconcile.near import Near, narrowed
from reconcile.rule import Ref, Rule

DEADLINE = time(16)

_TABLES = """
create or replace table finding_raw (
    rule_id varchar, severity varchar, province varchar, month varchar, subject varchar, left_value varchar,
    right_value varchar, money_fen bigint, cause varchar, holder varchar, holder_key varchar, refs varchar, owner varchar,
    due_at timestamptz, details varchar, undetermined boolean, product varchar
);
create or replace table counted (base integer, province varchar, subjects bigint);
create or replace table judged (rule_id varchar, province varchar, subjects bigint);
"""
# A province whose feed never came holds no rows of it; that no break, or every break, is found there proves nothing. One whose
# feeds came, and a month of which is judged, is judged though no subject is left: the last one may just have been mended.
_JUDGED = """
insert into judged
select '{rule_id}', province, sum(subjects) from (
    select province, subjects from counted where base = {base} union all select distinct province, 0 from kept where {mended}
) based where {present} group by province
"""
# Rules that look at the same rows count them in one pass.
_COUNTED = """
insert into counted select * from (
    select unnest([{numbers}]), province, unnest([{names}]) as subjects from ({told})
) where subjects > 0
"""
_JUDGE = """
insert into finding_raw
select '{rule_id}', '{severity}', province, {month}, {subject}::varchar, left_value, right_value, money_fen, {cause},
    {holder}, {holder_key}, {refs}::varchar, '{owner}', timestamptz '{due_at}', {details}::varchar,
    coalesce({undetermined}, false), {product}
from ({found}) where province in (select province from judged where rule_id = '{rule_id}')
"""
# Whose a product, an account or a CRM customer is, of those that breaks name.
_FINDING = """
create or replace table holder as
with named as (select distinct holder as kind, province, holder_key as key from finding_raw where holder_key is not null)
select named.*, golden.customer_id
from named join golden on golden.system = 'crm' and golden.province = named.province and golden.customer_key = named.key
where named.kind = 'customer_key'
union all
select named.*, golden.customer_id
from named join core.product product on product.province = named.province and product.product_id_crm = named.key
join golden on golden.system = 'crm' and golden.province = product.province and golden.customer_key = product.customer_key
where named.kind = 'product_id_crm'
union all
select named.*, coalesce(any_value(own.customer_id), min(payer.customer_id))
from named join core.account account on account.province = named.province and account.account_no = named.key
left join golden own on own.system = 'billing' and own.province = account.province
    and own.customer_key = account.customer_no_billing
left join payer on payer.province = account.province and payer.account_no = account.account_no
where named.kind = 'account_no'
group by named.kind, named.province, named.key;

create or replace table finding as
select raw.* exclude (holder, holder_key, product), holder.customer_id
from finding_raw raw
left join holder on holder.kind = raw.holder and holder.province = raw.province and holder.key = raw.holder_key
"""

_TWICE = """
select rule_id, province, subject from finding group by rule_id, province, subject having count(*) > 1 order by all limit 1
"""


def judge(extract: Extract, rules: Sequence[Rule], cycle: str, near: Near | None = None) -> None:
    """Makes `finding`, what each rule finds, and `judged` (`rule_id, province, subjects`), what each rule looked at.

    `near`: what was kept of the run before; rules that look at one product at a time are judged for touched products alone.

    Raises InvariantBroken where a rule finds one subject twice: its grain is not what it declares. Needs the tables of
    `reconcile.shared`. Rules may read the night as `getvariable('night')` (a date).
    """
    connection = extract.connection
    connection.execute(_TABLES)
    connection.execute(f"set variable night = date '{first_day(cycle).isoformat()}'")
    _count(extract, rules)
    _find(connection, [rule for rule in rules if not rule.by_product], cycle)
    with narrowed(connection) if near and near.begin() else nullcontext():
        odd.make(connection)
        _find(connection, [rule for rule in rules if rule.by_product], cycle)
        connection.execute(_FINDING)
    twice = connection.execute(_TWICE).fetchone()
    if twice:
        raise InvariantBroken(f"rule {twice[0]} finds one subject twice in {twice[1]}: {twice[2]}", rule_id=twice[0])


def _count(extract: Extract, rules: Iterable[Rule]) -> None:
    connection, entities = extract.connection, {f"core.{entity}": entity for entity in extract.entities}
    numbers = {base: number for number, base in enumerate(dict.fromkeys(rule.base for rule in rules))}
    for rows in dict.fromkeys(base.rows for base in numbers):
        same = [base for base in numbers if base.rows == rows]
        counts = {f"base_{numbers[base]}": f"{base.subjects} filter (where {base.where})" for base in same}
        # Distinct subjects of several parts do not add up.
        entity = entities.get(rows) if all(base.subjects == "count(*)" for base in same) else None
        told = extract.counted(entity, ["province"], counts) if entity else grouped(rows, ["province"], counts)
        listed = ", ".join(str(numbers[base]) for base in same)
        connection.execute(_COUNTED.format(numbers=listed, names=", ".join(counts), told=told))
    for rule in rules:
        connection.execute(_judged(rule, numbers[rule.base]))


def _find(connection: duckdb.DuckDBPyConnection, rules: Iterable[Rule], cycle: str) -> None:
    for rule in rules:
        connection.execute(statement(rule, cycle))


def _judged(rule: Rule, base: int) -> str:
    present = [f"province in (select province from present where entity = '{name}')" for name in rule.needs]
    mended = "true" if rule.needs else "false"
    return _JUDGED.format(rule_id=rule.rule_id, base=base, mended=mended, present=" and ".join(present) or "true")


def statement(rule: Rule, cycle: str) -> str:
    """The rule's one statement: what it finds, in the shape of `finding`."""
    return _JUDGE.format(
        rule_id=rule.rule_id,
        severity=rule.severity.value,
        month="month" if rule.by_month else "null",
        subject=_json(rule.subject),
        cause=rule.cause,
        holder=f"'{rule.customer}'" if rule.customer else "null",
        holder_key=rule.customer or "null",
        refs=_refs(rule.refs),
        details=_json(rule.details),
        undetermined=_undetermined(rule),
        product=rule.by_product or "null",
        owner=rule.owner_role,
        due_at=_deadline(cycle, rule.deadline_days).isoformat(),
        found=rule.found,
    )


def _json(columns: Iterable[str]) -> str:
    """An SQL expression for a JSON object, its keys in the order jsonb keeps them: shorter first, then by bytes."""
    fields = ", ".join(f"'{name}': {name}" for name in sorted(columns, key=lambda name: (len(name), name)))
    return f"to_json({{{fields}}})" if fields else "'{}'"


def _refs(refs: Iterable[Ref]) -> str:
    """An SQL expression for the JSON list of the rows; a key that is NULL names no row."""
    lists = []
    for ref in refs:
        keys = ref.key if ref.many else f"[{ref.key}]"
        row = f"{{'entity': '{ref.entity}', 'system': '{ref.system}', 'province': province, 'source_key': k}}"
        lists.append(f"[{row} for k in coalesce({keys}, []) if k is not null]")
    return f"to_json(flatten([{', '.join(lists)}]))" if lists else "'[]'"


def _undetermined(rule: Rule) -> str:
    young = f"touched_at >= getvariable('night') - interval {rule.grace_days} day"
    return f"({rule.undetermined}) or {young}" if rule.grace_days else rule.undetermined


def _deadline(cycle: str, days: int) -> datetime:
    return datetime.combine(first_day(cycle) + timedelta(days=days), DEADLINE, SHANGHAI)
