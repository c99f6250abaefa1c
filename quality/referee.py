"""Great Expectations on DuckDB: the one place that knows what has to be minded (docs: PITFALLS, "GX on DuckDB").

Results are buffered before their connection goes back to the pool; NumPy scalars are made plain before they are JSON; values are
never asked for (`partial_unexpected_count` 0), so a personal value cannot reach a result; nothing calls home.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

RESULT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0}


@dataclass(frozen=True)
class Judged:
    """One relation of the DuckDB file and the expectations it is held to."""

    relation: str
    expectations: Sequence[Any]


@dataclass(frozen=True)
class Findings:
    """`results` in the order of the expectations asked; `suite` is GX's own object, for the page and the JSON."""

    results: list[dict[str, Any]]
    suite: Any


def duckdb_url(database: Path) -> str:
    """Without a pool: a connection that GX leaves idle in one would keep the file open for the life of the process."""
    return f"duckdb:///{database}?duckdb_sqlalchemy_pool=null"


def judge(database: Path, name: str, judged: Sequence[Judged], meta: dict[str, str]) -> Findings:
    """Holds each relation to its expectations. Raises RuntimeError where GX could not compute one."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    gx: Any = import_module("great_expectations")  # seconds to import, and only the gate needs it
    config: Any = import_module("great_expectations.data_context.types.base")
    # Without this a context leaves a temporary folder for a site of Data Docs that nobody builds.
    stores = config.InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    context = gx.get_context(mode="ephemeral", project_config=config.DataContextConfig(store_backend_defaults=stores))
    context.variables.progress_bars = config.ProgressBarsConfig(globally=False)
    source = context.data_sources.add_sql(name=name, connection_string=duckdb_url(database), create_temp_table=False)
    engine = source.get_execution_engine()
    _buffer_results(engine)
    outcomes = [_validate(gx, source, part) for part in judged]
    results = [result for outcome in outcomes for result in outcome.results]
    ordered = _in_order_asked(judged, results)
    return Findings([_plain(result) for result in ordered], _one_suite(gx, name, ordered, meta))


def _buffer_results(engine: Any) -> None:
    def execute(query: Any) -> Any:
        with engine.get_connection() as connection:
            return connection.execute(query).freeze()()

    engine.execute_query = execute


def _validate(gx: Any, source: Any, part: Judged) -> Any:
    asset = source.add_table_asset(name=part.relation, table_name=part.relation)
    batch = asset.add_batch_definition_whole_table(part.relation).get_batch()
    suite = gx.ExpectationSuite(name=part.relation, expectations=list(part.expectations))
    return batch.validate(suite, result_format=RESULT_FORMAT)


def _in_order_asked(judged: Sequence[Judged], results: list[Any]) -> list[Any]:
    by_rule = {result.expectation_config.meta["rule_id"]: result for result in results}
    for result in results:
        if (result.exception_info or {}).get("raised_exception") or not result.result:
            rule = result.expectation_config.meta["rule_id"]
            raise RuntimeError(f"Great Expectations could not judge {rule}: {result.exception_info}")
    return [by_rule[expectation.meta["rule_id"]] for part in judged for expectation in part.expectations]


def _plain(result: Any) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(result.to_json_dict()["result"], default=_scalar))
    return plain


def _scalar(value: Any) -> Any:
    """NumPy scalars, which `json` does not know."""
    return value.item() if hasattr(value, "item") else str(value)


def _one_suite(gx: Any, name: str, results: list[Any], meta: dict[str, str]) -> Any:
    passed = sum(bool(result.success) for result in results)
    statistics = {
        "evaluated_expectations": len(results),
        "successful_expectations": passed,
        "unsuccessful_expectations": len(results) - passed,
        "success_percent": 100.0 * passed / len(results) if results else None,
    }
    return gx.core.ExpectationSuiteValidationResult(
        success=passed == len(results),
        results=results,
        suite_name=name,
        statistics=statistics,
        meta={"great_expectations_version": gx.__version__, **meta},
    )


def write_documents(findings: Findings, json_file: Path, page_file: Path) -> None:
    """GX's own result as JSON, and its Data Docs page of that one result (building a whole site takes seconds a batch)."""
    renderer: Any = import_module("great_expectations.render.renderer")
    text = json.dumps(findings.suite.to_json_dict(), default=_scalar, ensure_ascii=False, indent=1)
    json_file.write_text(text, encoding="utf-8")
    page = _page_view().render(renderer.ValidationResultsPageRenderer().render(findings.suite))
    page_file.write_text(page, encoding="utf-8")


@cache
def _page_view() -> Any:
    """One for the process: each view compiles its templates anew, which takes a third of a small batch's gate."""
    return import_module("great_expectations.render.view").DefaultJinjaPageView()
