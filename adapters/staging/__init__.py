"""Bytes as received → the batch as typed Parquet, driven by the contract alone (docs/internals.md, "Staged batch")."""

from adapters.staging.staged import Staged, stage

__all__ = ["Staged", "stage"]
