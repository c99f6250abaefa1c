"""Offline copies of the Great Expectations Data Docs of single batches, so that a report folder needs nothing beside it.

GX's own page asks four content networks and an S3 bucket for its styles, scripts and logo (render/view/templates, 1.24.1): an
auditor's browser would tell them which batch is read, and shows a bare page where there is no network. The copy keeps what the
referee said, word for word, without scripts and in a style of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import cast

from lxml import html
from lxml.html import HtmlElement

TEMPLATES = Path(__file__).parent / "templates"
FOLDER = "gx"
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
# What only the network or a script would bring to life: the walkthrough dialogues, the way back to GX's own index, its footer.
LIFELESS = (
    "//script | //style | //link | //img | //iframe | //footer | //button | //comment() | //meta[not(@charset)]"
    " | //*[contains(@class, 'modal')] | //nav | //*[contains(@class, 'navbar')] | //*[contains(@class, 'carousel')]"
    " | //*[contains(@class, 'cooltip')]//span[contains(@class, 'top')] | //a[@data-toggle='collapse']"
    " | //*[contains(concat(' ', @class, ' '), ' sticky ')]"
)


def copy_docs(docs_dir: Path, batch_ids: Iterable[int], out: Path) -> dict[int, str]:
    """Copies the validation page of each batch from `docs_dir/<batch_id>/` to `out/gx/`; returns the links, relative to `out`.

    A batch without one (refused before its rows could be judged) has no link.
    """
    links: dict[int, str] = {}
    for batch_id in batch_ids:
        page = validation_page(docs_dir / str(batch_id))
        if page is None:
            continue
        link = f"{FOLDER}/{batch_id}.html"
        target = out / link
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(offline(page.read_text("utf-8"), batch_id), "utf-8")
        links[batch_id] = link
    return links


def validation_page(folder: Path) -> Path | None:
    """The page that the gate left with the batch (`quality.referee.write_documents`); of several, the last written by name."""
    return max(folder.glob("**/*.html"), default=None)


def offline(page: str, batch_id: int) -> str:
    """The page without anything that would reach out of it."""
    tree = html.document_fromstring(page.encode(), parser=html.HTMLParser(encoding="utf-8"))
    for element in cast("list[HtmlElement]", tree.xpath(LIFELESS)):
        parent = element.getparent()
        if parent is not None:
            element.drop_tree()
    for anchor in cast("list[HtmlElement]", tree.xpath("//a[@href]")):
        if not anchor.attrib["href"].startswith("#"):
            anchor.drop_tag()
    for element in cast("list[HtmlElement]", tree.xpath("//*[@*[starts-with(name(), 'on')]] | //*[@style]")):
        for name in [name for name in element.attrib if name.startswith("on") or name == "style"]:
            del element.attrib[name]
    _dress(tree, batch_id)
    return "<!doctype html>\n" + str(html.tostring(tree, encoding="unicode"))


def _dress(tree: HtmlElement, batch_id: int) -> None:
    head = cast("HtmlElement", tree.find("head"))
    for title in head.findall("title"):
        title.drop_tree()
    policy = html.Element("meta", {"http-equiv": "Content-Security-Policy", "content": POLICY})
    title, style = html.Element("title"), html.Element("style")
    title.text = f"Data Docs, batch #{batch_id}"
    style.text = (TEMPLATES / "docs.css").read_text("utf-8")
    head.extend([policy, title, style])
    tree.set("lang", "en")
    back = html.fragment_fromstring(
        f'<p class="back"><a href="../index.html#batch-{batch_id}">← Auditors\' report '
        f'<span lang="zh-Hans">审计报告</span></a> · Great Expectations Data Docs, batch #{batch_id}</p>'
    )
    cast("HtmlElement", tree.find("body")).insert(0, back)
