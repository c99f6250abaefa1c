"""The hash chain over the ledger: each write to a ledger row appends the row's content, as it then is, to `hub.journal`."""

from __future__ import annotations

from sqlalchemy import Connection, text

JOURNALED: dict[str, tuple[str, ...]] = {
    "attempt": ("attempt_id",),
    "batch": ("batch_id",),
    "feed_state": ("system", "feed", "province"),
    "missing_feed": ("system", "feed", "province", "period"),
    "tombstone": ("sha256",),
    "publication": ("publication_id",),
    "current_publication": ("one_row",),
    "identity_run": ("seq",),
    "steward_decision": ("decision_id",),
    "break_act": ("act_id",),
    "waiver": ("waiver_id",),
    "period_signature": ("signature_id",),
    "outbox": ("outbox_id",),
}
"""Ledger tables of schema `hub` and their keys. Their rows change only together with a `record`."""


def subject_sql(table: str, alias: str) -> str:
    """SQL for what the chain calls a row of `table`: `batch:12`, `feed_state:billing/bill/gd`."""
    columns = ", ".join(f"{alias}.{column}" for column in JOURNALED[table])
    return f"'{table}:' || concat_ws('/', {columns})"


def record(connection: Connection, event: str, table: str, *key: object) -> None:
    """Appends the row of `table` with this key, under the chain's lock, which is held until the transaction ends."""
    columns = JOURNALED[table]
    condition = " and ".join(f"t.{column} = :{column}" for column in columns)
    statement = (
        f"select hub.append_journal(:event, {subject_sql(table, 't')}, hub.row_json(t)) from hub.{table} t where {condition}"
    )
    connection.execute(text(statement), {"event": event, **dict(zip(columns, key, strict=True))}).scalar_one()
