"""The page in a real browser: it loads from disk, asks the network for nothing, fits the screen, and its sums balance."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

import pytest
from playwright.sync_api import Browser, Page

from report.render import SECTIONS
from tests.report.conftest import Built
from tests.report.scene import HTML

WIDTHS = (1280, 390)


class Opened:
    """A page under watch: what it said on the console, and what it asked for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.said: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))


@pytest.fixture(params=WIDTHS)
def opened(request: pytest.FixtureRequest, browser: Browser, built: Built) -> Iterator[Opened]:
    context = browser.new_context(viewport={"width": request.param, "height": 900}, offline=True)
    opened = Opened(context.new_page())
    opened.page.goto(built.page.as_uri())
    yield opened
    context.close()


def amounts(cells: list[str]) -> list[tuple[int, Decimal]]:
    """Rows and yuan of each cell of an equation; a sum of nothing shows no amount."""
    found = []
    for cell in cells:
        rows, _, yuan = cell.partition("¥")
        found.append((int(rows.replace(",", "").strip()), Decimal(yuan.replace(",", "") or 0)))
    return found


def test_it_is_alone_on_disk_and_quiet(opened: Opened, built: Built) -> None:
    assert opened.asked == [built.page.as_uri()]
    assert opened.said == []


def test_it_never_overflows_sideways(opened: Opened) -> None:
    width, needed = opened.page.evaluate("[window.innerWidth, document.documentElement.scrollWidth]")
    assert needed <= width
    opened.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


def test_what_a_chart_writes_lies_within_its_drawing(opened: Opened, built: Built) -> None:
    opened.page.goto((built.page.parent / "reconciliation.html").as_uri())
    outside = """[...document.querySelectorAll("svg")].flatMap((drawing) => {
        const room = drawing.getBoundingClientRect();
        return [...drawing.querySelectorAll("text")].filter((one) => {
            const taken = one.getBoundingClientRect();
            return taken.left < room.left - 1 || taken.right > room.right + 1;
        }).map((one) => one.textContent);
    })"""
    assert opened.page.locator("svg text").count() > 4
    assert opened.page.evaluate(outside) == []


def test_headings_name_the_night_and_every_section_in_both_languages(opened: Opened) -> None:
    assert opened.page.locator("h1").inner_text().split() == ["Night", "of", "2026-03-14", "2026年3月14日"]
    assert "Nothing lost, invariants hold; not every feed is current" in opened.page.locator("#verdict.partial").inner_text()
    for section, _ in SECTIONS:
        heading = opened.page.locator(f"section#{section} h2").inner_text()
        assert re.search(r"[A-Za-z]", heading)
        assert re.search(r"[一-鿿]", heading)
        assert opened.page.locator(f"nav a[href='#{section}']").count() == 1


def test_every_published_sum_says_what_it_is(opened: Opened) -> None:
    rows = opened.page.locator("#totals tbody tr").all_inner_texts()
    assert any("portal_v1.breaks" in row and "as each rule sees it" in row and "counted once: ¥36.00" in row for row in rows)
    assert any("portal_v1.bill" in row and "Tax" in row and "¥18.00" in row for row in rows)
    money = [row for row in rows if "¥" in row]
    assert money
    assert all(re.search(r"[一-鿿]", row) for row in money)


def test_every_shown_equation_balances(opened: Opened) -> None:
    rows = opened.page.locator("#sums tr[data-batch]").all()
    checked = 0
    for row in rows:
        cells = row.locator("td.num:has(.count)").all_inner_texts()
        if len(cells) != 10:
            continue
        received, accepted, *rest = amounts(cells)
        for unit in (0, 1):
            assert received[unit] == accepted[unit] + sum(part[unit] for part in rest[:3])
            assert accepted[unit] == sum(part[unit] for part in rest[3:])
        checked += 1
    assert checked == len(rows) - 2
    assert opened.page.locator("#sums tr.wrong").count() == 0


def test_an_equation_that_does_not_balance_would_be_seen_by_these_tests() -> None:
    received, accepted, quarantined = amounts(["1,200\n¥12.00", "1,000\n¥10.00", "199"])
    assert received[0] != accepted[0] + quarantined[0]
    assert received[1] - accepted[1] == Decimal(2)


def test_links_lead_somewhere(opened: Opened, built: Built) -> None:
    links = opened.page.eval_on_selector_all("a[href]", "all => all.map((one) => one.getAttribute('href'))")
    assert links
    for link in links:
        if link.startswith("#"):
            assert opened.page.locator(f"[id='{link[1:]}']").count() == 1, link
        else:
            assert (built.page.parent / link).is_file(), link
    assert {link for link in links if link.startswith("gx/")} == {"gx/1.html", "gx/3.html"}


def test_data_docs_open_without_the_network_and_lead_back(opened: Opened, built: Built) -> None:
    opened.page.locator("details").filter(has=opened.page.locator("a.docs")).first.locator("summary").click()
    opened.page.locator("a.docs").first.click()
    opened.page.wait_for_url("**/gx/*.html")
    assert "billing.account" in opened.page.content()
    assert all(asked.startswith("file:") for asked in opened.asked)
    assert opened.said == []
    opened.page.locator(".back a").click()
    opened.page.wait_for_url("**/index.html#batch-*")


def test_tables_are_readable_by_a_screen_reader(opened: Opened) -> None:
    assert opened.page.locator("thead th:not([scope]):not(:empty)").count() == 0
    assert opened.page.locator("tbody tr:not(:has(th[scope]))").count() == 0
    assert opened.page.locator(".scroll:not([tabindex='0'][role='region'][aria-label])").count() == 0
    assert opened.page.locator("main").count() == opened.page.locator("h1").count() == 1


def test_markup_from_the_store_is_text(opened: Opened) -> None:
    assert opened.page.locator("#breaks-table").get_by_text(HTML).count() == 1
    assert opened.page.locator("script").count() == 1


def test_filter_and_sort(opened: Opened) -> None:
    table = opened.page.locator("#breaks-table")
    opened.page.locator("#breaks-table-filter").fill("active not billed")
    assert table.locator("tbody tr:visible").count() == 3
    opened.page.locator("#breaks-table-filter").fill("")
    table.locator("thead button").filter(has_text="Money").click()
    shown = table.locator("tbody tr td[data-value]").evaluate_all("all => all.map((one) => Number(one.dataset.value))")
    assert shown == sorted(shown)
    assert len(shown) == 9


def test_it_reads_the_same_without_scripts(browser: Browser, built: Built) -> None:
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(built.page.as_uri())
    assert page.locator("#breaks-table tbody tr").count() == 9
    assert page.locator("input").count() == 0
    context.close()


def test_text_has_contrast(opened: Opened) -> None:
    """WCAG 2.1 AA: 4.5:1 for every text against the first opaque background behind it (1.4.3)."""
    failing = opened.page.evaluate(CONTRAST)
    assert failing == []


CONTRAST = """() => {
  const light = (colour) => {
    const [r, g, b] = colour.map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = numbers(getComputedStyle(node).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const failing = new Set();
  for (const node of document.querySelectorAll("body *")) {
    const text = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!text || !node.getClientRects().length) continue;
    const [a, b] = [light(numbers(getComputedStyle(node).color).slice(0, 3)), light(behind(node))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) failing.add(`${node.tagName}.${node.className}: ${node.textContent.trim().slice(0, 30)}`);
  }
  return [...failing];
}"""
