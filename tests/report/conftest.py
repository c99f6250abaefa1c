"""The seeded store, its report, and the browser that opens it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import Engine, create_engine, make_url

from hub.settings import Settings
from report.build import build
from tests.report.scene import seed


@pytest.fixture(scope="session")
def seeded_template(new_database: Callable[..., str], store_template: str) -> str:
    url = new_database(store_template)
    engine = create_engine(url)
    seed(engine)
    engine.dispose()
    return url


@pytest.fixture
def seeded(seeded_template: str, new_database: Callable[..., str]) -> Iterator[Engine]:
    """An engine on a copy of the seeded store, of this test alone."""
    engine = create_engine(new_database(str(make_url(seeded_template).database)))
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def gx_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A validation page that Great Expectations itself rendered."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read when the library is imported
    import great_expectations as gx  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("gx")
    context = gx.get_context(mode="file", project_root_dir=folder)
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("pandas").add_dataframe_asset("rows")
    suite = context.suites.add(gx.ExpectationSuite(name="billing.account"))
    suite.add_expectation(gx.expectations.ExpectColumnValuesToNotBeNull(column="account_no"))
    definition = gx.ValidationDefinition(name="gate", data=asset.add_batch_definition_whole_dataframe("whole"), suite=suite)
    context.validation_definitions.add(definition).run(batch_parameters={"dataframe": pd.DataFrame({"account_no": ["A1", None]})})
    context.build_data_docs()
    return next(folder.glob("**/validations/**/*.html"))


@dataclass(frozen=True)
class Built:
    page: Path
    settings: Settings


@pytest.fixture(scope="session")
def built(seeded_template: str, gx_page: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The report of the seeded store, to be read only; batches 1 and 3 have Data Docs."""
    home = tmp_path_factory.mktemp("report")
    settings = Settings(home, None, (home / "landing").as_uri())
    for batch_id in (1, 3):
        (settings.docs_dir / str(batch_id)).mkdir(parents=True)
        shutil.copy(gx_page, settings.docs_dir / str(batch_id) / "page.html")
    engine = create_engine(seeded_template)
    page = build(engine, settings, settings.report_dir, findings=[])
    engine.dispose()  # a database with a connection open cannot be copied
    return Built(page, settings)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; a page that no browser has opened is not tested, so its absence fails."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.fail("the page tests need a browser: apt-get install -y chromium")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, headless=True, args=flags)
        yield running
        running.close()
