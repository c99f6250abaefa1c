"""How a system sees a firm: its name written another way, ids blank, junk, rounded. Each instance is noted."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from simulator import codes, names
from simulator.book import Book
from simulator.firms import Firm

BLANK_ID_SYSTEMS = ("billing", "group")
STALE_NAME_SHARE = 0.4
JUNK_CODE_SHARE = 0.6


@dataclass(slots=True)
class Seen:
    """A firm in one system's words."""

    name: str
    uscc: str
    org_code: str
    notes: list[tuple[str, str]]


def look(rng: random.Random, book: Book, firm: Firm, system: str) -> Seen:
    """What a system has written down for a firm."""
    notes: list[tuple[str, str]] = []
    name = _name(rng, book, firm, notes)
    uscc, org_code = _ids(rng, book, firm, system, notes)
    return Seen(name, uscc, org_code, notes)


def _name(rng: random.Random, book: Book, firm: Firm, notes: list[tuple[str, str]]) -> str:
    parts = firm.parts
    if firm.former and rng.random() < STALE_NAME_SHARE:
        parts = firm.former
        notes.append(("stale_name", parts.full()))
    if any(c in names.AWKWARD for c in parts.full()):
        notes.append(("awkward_character", parts.full()))
    # Two systems' names are the same only if both write the registered one.
    if rng.random() < 1 - math.sqrt(1 - book.dirt.names_differ):
        kind, written = names.variant(rng, parts)
        notes.append((f"name_{kind}", written))
        return written
    return parts.full()


def _ids(rng: random.Random, book: Book, firm: Firm, system: str, notes: list[tuple[str, str]]) -> tuple[str, str]:
    dirt = book.dirt
    draw = [rng.random() for _ in range(4)]
    if firm.junk_code and (system == "crm" or draw[0] < JUNK_CODE_SHARE):
        notes.append(("junk_code", firm.junk_code))
        return firm.junk_code, ""
    if system in BLANK_ID_SYSTEMS and draw[1] < dirt.ids_blank:
        notes.append(("ids_blank", "uscc, org_code"))
        return "", ""
    if firm.uscc.isdigit() and draw[2] < dirt.codes_rounded * 2:
        notes.append(("code_rounded", codes.rounded_by_excel(firm.uscc)))
        return codes.rounded_by_excel(firm.uscc), firm.org_code
    if draw[3] < dirt.literal_na:
        notes.append(("literal_na", "uscc"))
        return "N/A", firm.org_code
    if firm.pilot:
        notes.append(("pilot_code", firm.uscc))
    return firm.uscc, firm.org_code


def cross_reference(rng: random.Random, book: Book, feed: str, key: str, target: str) -> str:
    """Another system's key for the customer as this system recorded it; often it never did."""
    drawn = rng.random()
    if target and drawn < book.dirt.cross_references_blank:
        book.note("cross_reference_blank", feed, key, target)
        return ""
    return target


def note_all(book: Book, feed: str, key: str, notes: list[tuple[str, str]], since: int = 0) -> None:
    """Records what was seen wrongly under the key of the row."""
    for kind, detail in notes:
        book.note(kind, feed, key, detail, since=since)
