"""The model's weights by Splink on Spark, for populations beyond one machine. Spark lives in an environment of its own
(`requirements-spark.in` says why), so the work crosses as Parquet to `identity/spark_worker.py`, which runs there."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import duckdb

from hub.errors import FixConnection
from identity.comparing import COMPARED, FREQUENCY, MULTIPLE, model
from identity.scoring import Scorer, score_in_duckdb
from identity.settings import IdentitySettings
from store.duck import literal

ENVIRONMENT = Path(__file__).parent.parent / ".venv-spark"
WORKER = Path(__file__).parent / "spark_worker.py"
# Names the worker knows too.
CONTENT, FREQUENCIES, PAIRS = "content.parquet", "frequencies.parquet", "pairs.parquet"
WEIGHED, MODEL = "weighed.parquet", "model.json"


def scorer_of(master: str | None) -> Scorer:
    """Splink on the Spark that the hub's settings name; on DuckDB where they name none."""
    return SparkScorer(master) if master else score_in_duckdb


@dataclass(frozen=True)
class SparkScorer:
    """A `identity.scoring.Scorer`. `master`: Spark's, for example `local[2]` or `spark://host:7077`, whose workers must see the
    temporary folder (`TMPDIR`). `python`: the interpreter of the environment that holds Spark."""

    master: str = "local[2]"
    python: Path = ENVIRONMENT / "bin" / "python"

    def __call__(self, connection: duckdb.DuckDBPyConnection, settings: IdentitySettings) -> None:
        if not self.python.exists():
            raise FixConnection(f"no Spark environment at {self.python.parent.parent}; `make spark` makes it (Java 17 is needed)")
        with tempfile.TemporaryDirectory(prefix="bsshub-spark-") as name:
            folder = Path(name)
            compared = ", ".join(COMPARED)
            connection.execute(f"copy (select content, {compared} from content) to {literal(folder / CONTENT)} (format parquet)")
            connection.execute(
                f"copy (select distinct {FREQUENCY}, {MULTIPLE} from content) to {literal(folder / FREQUENCIES)} (format parquet)"
            )
            connection.execute(
                "copy (select '0' as match_key, content_l as join_key_l, content_r as join_key_r from asked) "
                f"to {literal(folder / PAIRS)} (format parquet)"
            )
            (folder / MODEL).write_text(json.dumps(model(settings)), encoding="utf-8")
            self._run(folder)
            connection.execute(
                "create or replace table weighed as select least(content_l, content_r) as content_l, "
                "greatest(content_l, content_r) as content_r, match_weight as weight "
                f"from read_parquet({literal(folder / WEIGHED / '*.parquet')})"
            )

    def _run(self, folder: Path) -> None:
        done = subprocess.run(
            [str(self.python), str(WORKER), str(folder), self.master], capture_output=True, text=True, check=False
        )
        if done.returncode:
            # Spark's own log may quote records; its last line is the error's.
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise FixConnection(f"Splink on Spark ({self.master}) ended with {done.returncode}: {last[:300]}")
