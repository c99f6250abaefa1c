"""Run by the Spark environment's interpreter: scores a folder's pairs with Splink on Spark and writes their weights beside them.
Imports nothing of ours, for nothing of ours is installed there. `python spark_worker.py FOLDER MASTER`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def score(folder: Path, master: str) -> None:
    """Reads `content.parquet`, `frequencies.parquet`, `pairs.parquet`, `model.json`; writes `weighed.parquet`
    (`content_l, content_r, match_weight`)."""
    from pyspark.sql import SparkSession  # type: ignore[import-not-found]  # noqa: PLC0415 (only there)
    from splink import Linker, SparkAPI  # noqa: PLC0415

    session: Any = (
        SparkSession.builder.master(master).appName("bsshub-identity").config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "8").getOrCreate()
    )  # fmt: skip
    session.sparkContext.setLogLevel("ERROR")
    session.sparkContext.setCheckpointDir(str(folder / "checkpoint"))
    api = SparkAPI(spark_session=session, register_udfs_automatically=False)  # type: ignore[no-untyped-call]
    content = api.register(session.read.parquet(str(folder / "content.parquet")), table_name="content")
    linker = Linker(content, json.loads((folder / "model.json").read_text(encoding="utf-8")))
    frequencies = api.register(session.read.parquet(str(folder / "frequencies.parquet")), table_name="frequencies")
    linker.table_management.register_term_frequency_lookup(frequencies, "trade")
    pairs = api.register(session.read.parquet(str(folder / "pairs.parquet")), table_name="pairs")
    linker.table_management.register_blocked_pairs_for_predict(pairs)
    scored = linker.inference.predict(warning_mode="never")
    weighed = session.table(scored.physical_name).select("content_l", "content_r", "match_weight")
    weighed.write.parquet(str(folder / "weighed.parquet"))
    session.stop()


if __name__ == "__main__":
    score(Path(sys.argv[1]), sys.argv[2])
