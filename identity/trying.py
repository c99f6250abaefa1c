"""Linking extracts by hand, without the store: what the nightly linker would say of a new system's data.

Each row of an extract is a node. Several extracts are linked and each is deduplicated; ids may repeat, within one too.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from hub.errors import HubError
from identity import records, sources
from identity.comparing import COMPARED, MULTIPLE, level_sql, weight_sql
from identity.linking import ModelLinker
from identity.settings import LEVELS, IdentitySettings, load_settings
from store.duck import literal

# What a column may be called beside its own name.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("编号", "客户编号", "客户id", "客户标识", "序号"),
    "name": ("名称", "客户名称", "企业名称", "公司名称", "单位名称", "customer_name"),
    "short_name": ("简称", "企业简称", "客户简称"),
    "uscc": ("统一社会信用代码", "社会信用代码", "信用代码"),
    "org_code": ("组织机构代码", "机构代码"),
    "licence_no": ("营业执照号", "营业执照注册号", "注册号", "工商注册号", "license_no"),
    "taxpayer_id": ("纳税人识别号", "税号", "taxpayer_no"),
    "address": ("地址", "注册地址", "联系地址", "通讯地址"),
    "phone": ("电话", "联系电话", "手机", "手机号", "联系方式"),
    "contact": ("联系人", "联系人姓名"),
}
_OWN = tuple(COLUMNS)
_OF_RECORDS = frozenset({"cluster_id", "source"})
# A cluster of more records lists each with its first only: all pairs of it would be a file nobody opens.
LISTED_WHOLE = 200
MEMORY = "2GB"


@dataclass(frozen=True)
class Given:
    """An extract, read: `table` holds its columns as text, and `_row_no`."""

    source: str
    table: str
    columns: Sequence[str]


@dataclass(frozen=True)
class Tried:
    """What was found. `codes`: by column and reason class, how many rows; `signals`: what was seen and not acted upon, by kind;
    `warnings`: sentences about the extracts themselves."""

    rows: Mapping[str, int]
    clusters: int
    clusters_of_several: int
    largest_cluster: int
    pairs_merged: int
    pairs_to_review: int
    hierarchy_edges: int
    codes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    signals: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@contextmanager
def scratch() -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB of this run alone; what does not fit in memory spills to a folder that goes with it."""
    with tempfile.TemporaryDirectory(prefix="bsshub-try-") as folder:
        connection = duckdb.connect(
            config={
                "memory_limit": MEMORY, "temp_directory": folder, "preserve_insertion_order": False,
                "autoinstall_known_extensions": False, "autoload_known_extensions": False,
            }
        )  # fmt: skip
        try:
            yield connection
        finally:
            connection.close()


def try_extracts(
    connection: duckdb.DuckDBPyConnection, given: Sequence[Given], out: Path, settings: IdentitySettings | None = None
) -> Tried:
    """Writes `pairs.csv`, `clusters.csv`, `hierarchy.csv` and `records.csv` (every row with all its columns and its cluster) to
    `out`. Raises HubError where an extract lacks `id` or `name`, or none holds a row."""
    chosen = settings or load_settings()
    _take_in(connection, given)
    records.make(connection)
    ModelLinker(chosen).link(connection)
    _describe_pairs(connection, chosen)
    out.mkdir(parents=True, exist_ok=True)
    for name, query in _FILES.items():
        connection.execute(f"copy ({query}) to {literal(out / name)} (format csv, header)")
    _write_records(connection, given, out / "records.csv")
    return _summary(connection, given)


def _take_in(connection: duckdb.DuckDBPyConnection, given: Sequence[Given]) -> None:
    selects = [_rows_of(extract, place) for place, extract in enumerate(given)]
    connection.execute(
        "create or replace table input_row as select row_number() over (order by extract, row_no)::integer as node, * from ("
        + " union all ".join(selects) + ")"
    )  # fmt: skip
    if not _one(connection, "select count(*) from input_row"):
        raise HubError("the extracts hold no rows below their headings")
    connection.execute(_NODES)
    connection.execute(sources.SIGNALS)
    connection.execute(sources.DECISIONS)


def _rows_of(extract: Given, place: int) -> str:
    found = {own: _column_of(extract.columns, own) for own in _OWN}
    missing = [own for own in ("id", "name") if found[own] is None]
    if missing:
        raise HubError(
            f"{extract.source} has no column {' and no column '.join(missing)}; it has {', '.join(extract.columns)}. "
            f"Read are {', '.join(_OWN)}; other columns are carried along"
        )
    values = ", ".join(
        f"{_quoted(column)} as {own}" if own in ("id", "name") else f"nullif(trim({_quoted(column)}), '') as {own}"
        if column else f"null::varchar as {own}" for own, column in ((own, found[own] or "") for own in _OWN)
    )  # fmt: skip
    return f"select {place} as extract, _row_no as row_no, {literal(extract.source)} as source, {values} from {extract.table}"


def _column_of(columns: Sequence[str], own: str) -> str | None:
    """By its own name first, whatever its case; then by another it goes by."""
    folded = {column.strip().casefold(): column for column in columns}
    return next((folded[name.casefold()] for name in (own, *COLUMNS[own]) if name.casefold() in folded), None)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


_NODES = """
create or replace table node as select node, source as system, '' as province, row_no::varchar as customer_key from input_row;

create or replace table said as
select node, name, short_name, uscc, org_code, licence_no, taxpayer_id, address, phone, contact, 1 as times, row_no as newest
from input_row;

create or replace table reference_row (
    node integer, entity varchar, system varchar, province varchar, account_no varchar, product_id_crm varchar,
    customer_id_crm varchar, group_id_group varchar, parent_key varchar
);
create or replace table payer (province varchar, account_no varchar, customer_key varchar);
create or replace table holder (province varchar, product_id_crm varchar, customer_key varchar);
"""
# Every pair of a cluster, told once; of a very large one, each with its first. And the pairs a person should look at.
_PAIRS = f"""
create or replace table listed_pair as
with sized as (
    select node, component, count(*) over (partition by component) as size, min(node) over (partition by component) as first
    from customer_group
), inside as (
    select one.node as a, other.node as b from sized one join sized other
        on one.component = other.component and one.node < other.node and one.size between 2 and {LISTED_WHOLE}
    union all
    select first, node from sized where size > {LISTED_WHOLE} and node <> first
), every as (
    select a, b, 'merge' as decision from inside union all select a, b, 'review' from scored_pair where band = 'review'
)
select every.a, every.b, decision, edge.rule from every
left join (select least(a, b) as a, greatest(a, b) as b, min(rule) as rule from edge group by 1, 2) edge
    on edge.a = every.a and edge.b = every.b
"""
# What a shared valid code makes certain, the model cannot say by itself; a pair that is one only by way of a third is as
# likely as that way's weakest step.
_TOLD = """
create or replace table told_pair as
with sides as (
    select listed.*, {sides} from listed_pair listed
    join described one on one.node = listed.a join described other on other.node = listed.b
), levelled as (
    select a, b, decision, rule, {multiple}_l, {multiple}_r, uscc_l = uscc_r and uscc_ok_l and uscc_ok_r as one_code,
        org_l = org_r as one_org, {levels} from sides
), weighed as (
    select *, {prior} + {total} as bits, {said} as said from levelled
), weakest as (
    select component, min(1 / (1 + pow(2.0, -weight))) as probability
    from scored_pair join customer_group on customer_group.node = scored_pair.a where band = 'merge' group by component
)
select a, b, decision,
    case when decision = 'review' then 1 / (1 + pow(2.0, -bits))
        else greatest(1 / (1 + pow(2.0, -bits)), case when coalesce(one_code, false) then 0.9999
            when coalesce(one_org, false) then 0.9995 else coalesce(weakest.probability, 0.999) end) end as probability,
    case when decision = 'merge' and rule is null and bits < {merge} and not coalesce(one_code, one_org, false)
        then 'through another record of the cluster; ' else '' end || said as why
from weighed join customer_group on customer_group.node = weighed.a left join weakest using (component)
"""
_FILES = {
    "pairs.csv": (
        "select one.id as id_a, other.id as id_b, one.source as source_a, other.source as source_b, "
        "round(probability, 6) as probability, decision, why from told_pair "
        "join input_row one on one.node = told_pair.a join input_row other on other.node = told_pair.b "
        "order by decision, probability desc, a, b"
    ),
    "clusters.csv": (
        "select numbered.cluster_id, source, id from input_row join numbered using (node) order by numbered.cluster_id, node"
    ),
    "hierarchy.csv": (
        "select child.id as child_id, parent.id as parent_id, "
        "kind || ': ' || evidence || ' (' || child.source || ' → ' || parent.source || ')' as evidence "
        "from hierarchy_edge join input_row child on child.node = hierarchy_edge.child "
        "join input_row parent on parent.node = hierarchy_edge.parent "
        "qualify row_number() over (partition by child.node order by "
        "list_position(['group_system', 'branch_code', 'branch_name', 'name'], kind), parent.node) = 1 order by child.node"
    ),
}
_NUMBERED = """
create or replace table numbered as
select node, dense_rank() over (order by component)::integer as cluster_id from customer_group
"""


def _describe_pairs(connection: duckdb.DuckDBPyConnection, settings: IdentitySettings) -> None:
    connection.execute(_NUMBERED)
    connection.execute(_PAIRS)
    sides = ", ".join(f"one.{column} as {column}_l, other.{column} as {column}_r" for column in (*COMPARED, MULTIPLE))
    weights = {name: weight_sql(name, name, settings) for name in LEVELS}
    said = ", ".join(
        f"case when {name} is not null then '{name} ' || replace({name}, '_', ' ') || printf(' (%+.1f)', ({weight})::double) end"
        for name, weight in weights.items()
    )
    connection.execute(
        _TOLD.format(
            sides=sides, multiple=MULTIPLE, levels=", ".join(f"{level_sql(name)} as {name}" for name in LEVELS),
            prior=settings.prior_weight, total=" + ".join(f"coalesce({weight}, 0)" for weight in weights.values()),
            said=f"concat_ws('; ', {said})", merge=settings.thresholds.merge,
        )
    )  # fmt: skip


def _write_records(connection: duckdb.DuckDBPyConnection, given: Sequence[Given], file: Path) -> None:
    """Every input row with everything it came with; columns of equal name share one."""
    connection.execute(
        "create or replace table numbered_row as select extract, row_no, cluster_id from input_row join numbered using (node)"
    )
    selects = [
        f"select numbered_row.cluster_id, {literal(extract.source)} as source, {_carried(extract.columns)} "
        f"from {extract.table} as _given "
        f"join numbered_row on numbered_row.extract = {place} and numbered_row.row_no = _given._row_no"
        for place, extract in enumerate(given)
    ]
    connection.execute(f"copy ({' union all by name '.join(selects)}) to {literal(file)} (format csv, header)")


def _carried(columns: Sequence[str]) -> str:
    """The extract's columns by their names; one that is called as a column of `records.csv` itself is told as `… (given)`."""
    taken = {*_OF_RECORDS, *(column.casefold() for column in columns)}
    told = []
    for column in columns:
        name = column
        if column.casefold() in _OF_RECORDS:
            while name.casefold() in taken:
                name += " (given)"
        told.append(f"_given.{_quoted(column)} as {_quoted(name)}")
    return ", ".join(told)


def _summary(connection: duckdb.DuckDBPyConnection, given: Sequence[Given]) -> Tried:
    codes = {
        column: dict(connection.execute(
            f"select reason, count(*) from said join {fold} fold on fold.text = said.{column} group by 1 order by 1"
        ).fetchall())
        for column, fold in (
            ("uscc", "uscc_fold"), ("org_code", "org_fold"), ("licence_no", "licence_fold"), ("taxpayer_id", "taxpayer_fold"),
        )
    }  # fmt: skip
    sizes = "(select count(*) as size from customer_group group by component)"
    return Tried(
        rows={extract.source: _one(connection, f"select count(*) from {extract.table}") for extract in given},
        clusters=_one(connection, f"select count(*) from {sizes}"),
        clusters_of_several=_one(connection, f"select count(*) from {sizes} where size > 1"),
        largest_cluster=_one(connection, f"select max(size) from {sizes}"),
        pairs_merged=_one(connection, "select count(*) from told_pair where decision = 'merge'"),
        pairs_to_review=_one(connection, "select count(*) from told_pair where decision = 'review'"),
        hierarchy_edges=_one(connection, "select count(*) from hierarchy_edge"),
        codes={column: found for column, found in codes.items() if found},
        signals=dict(connection.execute("select kind, count(*) from signal group by 1 order by 1").fetchall()),
        warnings=tuple(_warnings(connection, codes)),
    )


def _warnings(connection: duckdb.DuckDBPyConnection, codes: Mapping[str, Mapping[str, int]]) -> list[str]:
    said = []
    rounded = sum(found.get("rounded", 0) for found in codes.values())
    if rounded:
        said.append(f"{rounded} codes were rounded by a spreadsheet (15 digits, then zeros): export the column as text")
    nameless = _one(connection, "select count(*) from record where core is null")
    if nameless:
        said.append(f"{nameless} rows have no usable name; only their codes link them")
    blank = _one(connection, "select count(*) from input_row where coalesce(trim(id), '') = ''")
    if blank:
        said.append(f"{blank} rows have no id: clusters.csv tells them by their source only")
    return said


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0] or 0) if row else 0
