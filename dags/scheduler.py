"""Airflow's scheduler with the road already imported: LocalExecutor's workers and tasks are its forks, and Great
Expectations, pandas and the rest would otherwise cost each task seconds. Run as `python -m dags.scheduler`.
"""

from __future__ import annotations

import importlib
import sys

# What the steps import; imported before the fork, each is shared by every task.
ROAD = ("pipeline", "great_expectations", "duckdb", "pyarrow.parquet", "paramiko", "lxml", "jinja2")


def main() -> None:
    """`airflow scheduler`, after the imports."""
    for name in ROAD:
        importlib.import_module(name)
    from airflow.__main__ import main as airflow

    sys.argv = ["airflow", "scheduler", "--skip-serve-logs"]
    airflow()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
