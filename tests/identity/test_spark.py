"""The same model on Spark gives the same customers."""

from __future__ import annotations

import shutil

import duckdb
import pytest

from cli.identity_world import clientele_of, fill
from identity.linking import ModelLinker
from identity.scoring import Scorer, score_in_duckdb
from identity.settings import load_settings
from identity.sources import prepare
from identity.spark import ENVIRONMENT, SparkScorer
from simulator.dirt import DirtRates


def customers(scorer: Scorer) -> tuple[dict[int, int], dict[tuple[int, int], float]]:
    """Each node's customer, and the weights of pairs thought of."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'Asia/Shanghai'")
    fill(connection, clientele_of(5, 150, DirtRates().tripled()))
    prepare(connection)
    ModelLinker(load_settings(), scorer=scorer).link(connection)
    groups = dict(connection.execute("select node, component from customer_group").fetchall())
    weights = {(a, b): weight for a, b, weight in connection.execute("select a, b, weight from scored_pair").fetchall()}
    connection.close()
    return groups, weights


@pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs a Java runtime, and this machine has none")
@pytest.mark.skipif(not (ENVIRONMENT / "bin" / "python").exists(), reason="no Spark environment; `make spark` makes it")
def test_spark_links_as_duckdb_does() -> None:
    groups, weights = customers(score_in_duckdb)
    on_spark, weights_on_spark = customers(SparkScorer("local[2]"))
    assert on_spark == groups
    assert weights_on_spark.keys() == weights.keys()
    assert all(abs(weights_on_spark[pair] - weight) < 1e-6 for pair, weight in weights.items())
    assert len(weights) > 20
