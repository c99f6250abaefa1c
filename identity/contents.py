"""What records say, each way once: records of equal content are compared once, and a pair of contents scored on one night need
not be scored on the next.

| table | a row is |
|---|---|
| `described` | a node: the columns the model compares, and the trade name's frequency |
| `node_content` | a node, and the digest of those columns, by which a way to be described goes |
| `content` | a way to be described: `described` of the first node that is, and its digest |

The digest is the same on every night: what is kept of a content from one to the next needs no other name. Among a million
contents two that differ share one of 63 bits with a chance of 5 in a hundred million.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from identity.comparing import COMPARED, FREQUENCY, MULTIPLE, frequency_sql
from identity.settings import DEFAULT, IdentitySettings
from store.duck import literal

# A code nobody trusts must not speak for a pair either: junk and contested ones, and failed ones that firms of many names carry.
_DISTRUSTED = """
create or replace table distrusted_code as
    select kind, code from code_trust where trust in ('junk', 'contested')
    union
    select 'uscc', uscc from record where uscc_reason not in ('valid', 'pilot', 'junk')
    group by uscc having count(distinct left(core, 2)) >= {strangers}
"""
_DESCRIBED = """
create or replace view described as
with said as (
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
    left join distrusted_code told_uscc on told_uscc.kind = 'uscc' and told_uscc.code = record.uscc
    left join distrusted_code told_org on told_org.kind = 'org_code'
        and told_org.code = coalesce(case when record.org_reason = 'valid' then record.org_code end, record.taxpayer_org)
)
select said.*, {frequency} as {tf} from said left join trade_frequency using ({trade});

create or replace table node_content as select node, (hash({columns}) >> 1)::bigint as content from described;

create or replace table content_first as select min(node) as node, content from node_content group by content;

create or replace view content as from described join content_first using (node)
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
    connection.execute(_DISTRUSTED.format(strangers=settings.limits.strangers))
    connection.execute(
        _DESCRIBED.format(
            columns=", ".join(COMPARED), frequency=frequency_sql("multiple"), tf=MULTIPLE,
            trade=FREQUENCY,
        )
    )  # fmt: skip
