"""Training the model: how often true pairs and strangers agree, counted by Splink where codes tell which is which.

A pair under one believed USCC is a true one (m); pairs of firms of different believed USCCs, one record each, are strangers (u).
Levels that are `held` keep the weight a person gave them: what a training population is too small, or too tidy, to show. The same
population and seed give the same model.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
from splink import DuckDBAPI
from splink import Linker as SplinkLinker

from identity import contents
from identity.clusters import decide_by_stewards
from identity.comparing import COMPARED, FREQUENCY, MULTIPLE, model
from identity.scoring import quiet
from identity.settings import IdentitySettings, Level
from identity.tiers import link_by_facts
from identity.trust import judge_codes

STRANGER_PAIRS = 10_000_000
# A level seen in fewer pairs of either kind than this share tells nothing of its weight.
SEEN = 1e-6
HEAVIEST = 30.0
COMMON_FROM = 4
COMMONEST = 64

_KNOWN = """
create or replace table known_record as
select node as content, {columns}, {frequency} from described where uscc_ok
"""
_STRANGERS = """
create or replace table stranger as
select content, {columns}, {frequency} from content join (
    select min(content) as content from content where uscc_ok group by uscc
) using (content)
"""
_FREQUENCIES = """
select trade, least(count(*), {commonest}) as multiple from stranger where trade <> ''
group by trade having count(*) >= {common} order by trade
"""


def train(connection: duckdb.DuckDBPyConnection, settings: IdentitySettings, *, seed: int, version: str) -> IdentitySettings:
    """The settings with trained weights under model `version`, from the tables of `identity.sources`."""
    judge_codes(connection, settings)
    link_by_facts(connection, settings.rules)
    decide_by_stewards(connection)
    contents.make(connection, settings)
    columns = ", ".join(COMPARED)
    connection.execute(_KNOWN.format(columns=columns, frequency=MULTIPLE))
    connection.execute(_STRANGERS.format(columns=columns, frequency=MULTIPLE))
    with quiet():
        true_pairs = _linker(connection, "known_record", settings)
        true_pairs.training.estimate_m_from_label_column("uscc")
        strangers = _linker(connection, "stranger", settings)
        strangers.training.estimate_u_using_random_sampling(max_pairs=STRANGER_PAIRS, seed=seed)
        m, u = _shares(true_pairs, "m_probability"), _shares(strangers, "u_probability")
    weights = {
        comparison: {
            name: _trained(level, m.get((comparison, name)), u.get((comparison, name))) for name, level in levels.items()
        }
        for comparison, levels in settings.weights.items()
    }
    return settings.model_copy(update={"model": version, "weights": weights})


def write(connection: duckdb.DuckDBPyConnection, settings: IdentitySettings, folder: Path) -> list[Path]:
    """The trained model: `settings.json`, its term frequencies, and the same as Splink reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    said, frequencies = folder / "settings.json", folder / f"frequencies-{settings.model}.csv"
    said.write_text(_as_text(settings), encoding="utf-8")
    rows = connection.execute(_FREQUENCIES.format(common=COMMON_FROM, commonest=COMMONEST)).fetchall()
    lines = [f"{FREQUENCY},multiple", *(f"{trade},{multiple}" for trade, multiple in rows)]
    frequencies.write_text("\n".join(lines) + "\n", encoding="utf-8")
    splink = folder / f"splink-{settings.model}.json"
    splink.write_text(json.dumps(model(settings), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return [said, frequencies, splink]


def _linker(connection: duckdb.DuckDBPyConnection, table: str, settings: IdentitySettings) -> SplinkLinker:
    linker = SplinkLinker(DuckDBAPI(connection).register(table), model(settings, training=True))
    logging.getLogger("splink").setLevel(logging.WARNING)  # a Splink linker sets its own as it is made
    return linker


def _shares(linker: SplinkLinker, which: str) -> Mapping[tuple[str, str], float]:
    saved: dict[str, Any] = linker.misc.save_model_to_json()
    return {
        (comparison["output_column_name"], level["label_for_charts"]): float(level[which])
        for comparison in saved["comparisons"]
        for level in comparison["comparison_levels"]
        if isinstance(level.get(which), float)
    }


def _trained(level: Level, m: float | None, u: float | None) -> Level:
    if level.held or m is None or u is None or m < SEEN or u < SEEN:
        return level
    weight = max(-HEAVIEST, min(HEAVIEST, math.log2(m / u)))
    return Level(weight=round(weight, 2), m=round(m, 6), held=False)


def _as_text(settings: IdentitySettings) -> str:
    """One level a line, so that a change of one is a change of one line."""
    said = settings.model_dump(exclude_defaults=False)
    head = [f' "{name}": {json.dumps(said[name])},' for name in ("model", "prior", "thresholds", "limits", "rules")]
    comparisons = []
    for comparison, levels in said["weights"].items():
        lines = ",\n".join(f'   "{name}": {json.dumps(level)}' for name, level in levels.items())
        comparisons.append(f'  "{comparison}": {{\n{lines}\n  }}')
    return "\n".join(["{", *head, ' "weights": {', ",\n".join(comparisons), " }", "}"]) + "\n"
