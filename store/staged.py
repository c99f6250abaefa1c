"""A batch's accepted rows, selected from its staged Parquet as the store keeps them: loading writes, `verify` compares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hub.periods import ends_at
from schemas.batch import Kind
from schemas.contract import Contract, Type
from store.duck import literal

# Separators no text column can hold: a field end, and a missing value, which is not the empty text.
_FIELD_END, _MISSING = "chr(31)", "chr(30)"


@dataclass(frozen=True)
class StagedRows:
    """Where a batch was staged: `rows` is a glob of Parquet files, `verdict` the file that names the rows not accepted
    (docs/internals.md, "Staged batch" and "Gate"); None stands for all rows."""

    rows: str
    verdict: Path | None


def entity_columns(contract: Contract) -> tuple[str, ...]:
    """The contract's columns that its core table has: all but the flag by which the sender announces a removal."""
    return tuple(column.name for column in contract.columns if column.name != contract.deleted_flag)


def accepted(staged: StagedRows) -> str:
    """SQL of the accepted rows, as staged."""
    rows = f"select r.* from read_parquet({literal(staged.rows)}) r"
    if staged.verdict is None:
        return rows
    return f"{rows} anti join read_parquet({literal(staged.verdict)}) v on r._row_no = v._row_no"


def source_key(contract: Contract) -> str:
    return "concat_ws('|', " + ", ".join(f"{name}::varchar" for name in contract.key) + ")"


def state_rows(contract: Contract, period: str, kind: Kind, staged: StagedRows) -> str:
    """SQL of `row_no, source_key, <columns>, source_version, is_deleted, row_hash` of the accepted rows.

    `source_version` is the version column, or the period's end. A correction delete removes whatever it names.
    """
    removed = f"coalesce({contract.deleted_flag}, false)" if contract.deleted_flag else "false"
    removed = "true" if kind is Kind.CORRECTION_DELETE else removed
    period_end = f"timestamptz {literal(ends_at(period).isoformat())}"
    version = f"coalesce({contract.version}, {period_end})" if contract.version else period_end
    columns = ", ".join(entity_columns(contract))
    return (
        f"select _row_no as row_no, {source_key(contract)} as source_key, {columns}, {version} as source_version, "
        f"{removed} as is_deleted, {row_hash(contract, removed)} as row_hash from ({accepted(staged)})"
    )


def row_hash(contract: Contract, removed: str) -> str:
    """SQL of a row's content as one MD5: it tells whether a row changed, it proves nothing against an attacker."""
    types = {column.name: column.type for column in contract.columns}
    fields = [f"coalesce({_as_text(name, types[name])}, {_MISSING})" for name in entity_columns(contract)]
    return f"md5(concat_ws({_FIELD_END}, {', '.join(fields)}, ({removed})::varchar))"


def _as_text(name: str, type_: Type) -> str:
    """An instant has one text whatever the session's zone."""
    return f"epoch_us({name})::varchar" if type_ is Type.TIMESTAMP else f"{name}::varchar"


def fact_rows(contract: Contract, system: str, province: str, batch_id: int, staged: StagedRows) -> str:
    """SQL of the accepted rows in the order of the fact table's columns."""
    columns = ", ".join(entity_columns(contract))
    return (
        f"select {literal(system)}, {literal(province)}, {source_key(contract)}, {columns}, null::bigint, "
        f"{batch_id}::bigint, _row_no from ({accepted(staged)})"
    )


def held_rows(contract: Contract, staged: StagedRows) -> str:
    """SQL of `source_key, source` of the quarantined rows: a row that could not be read is not a row that is gone."""
    readable = " and ".join(f"r.{name} is not null" for name in contract.key)
    key = "concat_ws('|', " + ", ".join(f"r.{name}::varchar" for name in contract.key) + ")"
    return (
        f"select case when {readable} then {key} end as source_key, r._source as source "
        f"from read_parquet({literal(staged.rows)}) r join read_parquet({literal(staged.verdict)}) v using (_row_no) "
        "where v.outcome = 'quarantined'"
    )
