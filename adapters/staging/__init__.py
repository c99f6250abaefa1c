"""Bytes as received → the batch as typed Parquet, driven by the contract alone (docs/internals.md, "Staged batch")."""

from adapters.staging.ahead import StagingSink, sweep, take
from adapters.staging.one_record import read_record
from adapters.staging.staged import STAGED_GLOB, Staged, stage

__all__ = ["STAGED_GLOB", "Staged", "StagingSink", "read_record", "stage", "sweep", "take"]
