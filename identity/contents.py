"""What records say, each way once: records of equal content are compared once, and a pair of contents scored on one night need
not be scored on the next.

| table | a row is |
|---|---|
| `content` | one way to be described: the columns the model compares, the trade name's frequency, `hash` of them all |
| `node_content` | the content of each node |
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from identity.comparing import COMPARED, FREQUENCY, MULTIPLE, frequency_sql
from identity.settings import DEFAULT, IdentitySettings
from store.duck import literal

# A code nobody trusts must not speak for a pair either: junk and contested ones, and failed ones that firms of many names carry.
_DESCRIBED = """
create or replace table described as
with distrusted as (
    select kind, code from code_trust where trust in ('junk', 'contested')
    union
    select 'uscc', uscc from record where uscc_reason not in ('valid', 'pilot', 'junk')
    group by uscc having count(distinct left(core, 2)) >= {strangers}
)
select record.node, record.core, left(record.core, length(record.core) - length(coalesce(record.branch, ''))) as head_core,
    coalesce(record.trade, '') as trade, coalesce(record.industry, '') as industry, coalesce(record.place, '') as place,
    coalesce(record.form, '') as form, coalesce(record.branch, '') as branch, coalesce(record.figures, '') as figures,
    record.sketch, coalesce(record.is_group, false) as is_group, record.short_core,
    case when told_uscc.code is null and record.uscc_reason not in ('junk', 'length')
        or told_uscc.code is null and record.uscc_reason = 'length' and length(record.uscc) between 15 and 20 then record.uscc
        end as uscc,
    coalesce(record.uscc_reason in ('valid', 'pilot') and told_uscc.code is null, false) as uscc_ok,
    case when record.uscc_reason in ('valid', 'pilot') and told_uscc.code is null then substr(record.uscc, 9, 9)
        when told_org.code is null then coalesce(case when record.org_reason = 'valid' then record.org_code end,
            record.taxpayer_org) end as org,
    record.licence, record.phone, record.city, record.street, record.detail, record.contact
from record
left join distrusted told_uscc on told_uscc.kind = 'uscc' and told_uscc.code = record.uscc
left join distrusted told_org on told_org.kind = 'org_code'
    and told_org.code = coalesce(case when record.org_reason = 'valid' then record.org_code end, record.taxpayer_org)
"""
# Told apart by their hashes alone, as the kept weights are: one node speaks for all that say the same.
_CONTENTS = """
create or replace table node_hash as select node, hash({columns}) as hash from described;

create or replace table content as
with once as (select hash, min(node) as node from node_hash group by hash),
numbered as (select row_number() over (order by hash)::integer as content, hash, node from once)
select content, {columns}, {frequency} as {tf}, hash
from numbered join described using (node) left join trade_frequency using ({trade});

create or replace table node_content as
select node_hash.node, content.content from node_hash join content using (hash);

drop table described; drop table node_hash;
"""
_FREQUENCIES = """
create or replace table trade_frequency as
select trade, multiple from read_csv({file}, header = true, columns = {{'trade': 'varchar', 'multiple': 'double'}})
"""


def frequencies_file(settings: IdentitySettings) -> Path:
    """How much commoner than a typical one the common trade names are: `trade,multiple`. Part of the model's version."""
    return DEFAULT.parent / f"frequencies-{settings.model}.csv"


def make(connection: duckdb.DuckDBPyConnection, settings: IdentitySettings) -> None:
    """Makes the tables above from `record` and `code_trust`."""
    connection.execute(_FREQUENCIES.format(file=literal(frequencies_file(settings))))
    connection.execute(_DESCRIBED.format(strangers=settings.limits.strangers))
    connection.execute(
        _CONTENTS.format(columns=", ".join(COMPARED), frequency=frequency_sql("multiple"), tf=MULTIPLE, trade=FREQUENCY)
    )
