"""Bytes as received → the batch as typed Parquet, driven by the contract alone (docs/internals.md, "Staged batch")."""

from adapters.staging.one_record import read_record
from adapters.staging.staged import Staged, stage

__all__ = ["Staged", "read_record", "stage"]
