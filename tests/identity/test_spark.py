"""The same model on Spark gives the same customers."""

from __future__ import annotations

import importlib
import shutil
from contextlib import nullcontext
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import create_engine

from cli.identity_world import clientele_of, fill
from hub.errors import FixConnection
from hub.settings import environment_connection, settings
from identity.linking import ModelLinker
from identity.scoring import Scorer, score_in_duckdb
from identity.settings import load_settings
from identity.sources import prepare
from identity.spark import ENVIRONMENT, SparkScorer, scorer_of
from pipeline.hub import Hub
from simulator.dirt import DirtRates
from store.landing import Landing
from store.publication import Candidate


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


@pytest.mark.parametrize("master", ["local[2]", "local[*]", "spark://host:7077", "yarn", "k8s://https://host:6443"])
def test_the_setting_has_spark_weigh_pairs(monkeypatch: pytest.MonkeyPatch, master: str) -> None:
    monkeypatch.setenv("BSSHUB_SPARK", master)
    assert scorer_of(settings().spark) == SparkScorer(master)


def test_without_the_setting_duckdb_weighs_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BSSHUB_SPARK", " ")
    assert scorer_of(settings().spark) is score_in_duckdb


def test_what_is_no_spark_master_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BSSHUB_SPARK", "yes")
    with pytest.raises(FixConnection, match=r"BSSHUB_SPARK.*spark://HOST:PORT"):
        settings()


class _Asked(Exception):
    """Ends the night where it would resolve; holds what by."""


@pytest.mark.parametrize("master", ["local[2]", ""])
def test_a_night_resolves_by_what_the_setting_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, master: str) -> None:
    def asked(*_: object, scorer: Scorer = score_in_duckdb, **__: object) -> None:
        raise _Asked(scorer)

    unify = importlib.import_module("pipeline.unify")  # the package's own `unify` is the function
    monkeypatch.setenv("BSSHUB_HOME", str(tmp_path))
    monkeypatch.setenv("BSSHUB_SPARK", master)
    monkeypatch.setattr(unify, "open_extract", lambda *_, **__: nullcontext())
    monkeypatch.setattr(unify, "resolve", asked)
    engine = create_engine("postgresql+psycopg://nobody@nowhere/none")
    hub = Hub(settings(), engine, Landing(tmp_path.as_uri()), environment_connection)
    with pytest.raises(_Asked) as ended:
        unify._publish(hub, Candidate("20260305", 1, (), (), ""))
    assert ended.value.args == (SparkScorer("local[2]") if master else score_in_duckdb,)
