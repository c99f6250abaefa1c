"""Writes a simulated clientele as Parquet, one file an entity, in a process of its own: its memory is not the benchmark's."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

from cli.identity_world import clientele_of, fill
from identity.extract import IDENTITY_COLUMNS
from simulator.dirt import DirtRates

SEED = 20260305
# What four systems keep of a firm, on average, in this world (measured at 20,000 firms: 3.51 records a firm).
RECORDS_A_FIRM = 3.51


def write(records: int, folder: Path) -> None:
    """Entities with about `records` source customers."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'Asia/Shanghai'")
    fill(connection, clientele_of(SEED, round(records / RECORDS_A_FIRM), DirtRates(), products=False))
    folder.mkdir(parents=True, exist_ok=True)
    for entity in IDENTITY_COLUMNS:
        connection.execute(f"copy core.{entity} to '{folder}/{entity}.parquet' (format parquet)")


if __name__ == "__main__":
    write(int(sys.argv[1]), Path(sys.argv[2]))
