"""Landed bytes against their hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from schemas.batch import LandedObject
from store.finding import Finding
from store.landing import Landing
from store.ledger import Batch


def check_landing(landing: Landing, batches: Sequence[Batch], expired: frozenset[str]) -> tuple[set[int], list[Finding]]:
    """The batches whose rows cannot be staged again, and the findings: an object whose bytes differ from its hash, or are
    gone without a tombstone. Each object is read once, however many batches name it."""
    broken: dict[str, str | None] = {}
    findings: list[Finding] = []
    unreadable: set[int] = set()
    for batch in batches:
        for item in (*batch.delivery.objects, *batch.delivery.companions):
            if item.sha256 not in broken:
                broken[item.sha256] = _fault(landing, item, expired)
            fault = broken[item.sha256]
            if fault is not None and fault != "expired":
                where = f"batch {batch.batch_id} ({batch.feed_id} {batch.province} {batch.period})"
                findings.append(Finding(5, f"landed object {item.name} {item.sha256[:12]}… of {where}", fault))
            if fault is not None and item in batch.delivery.objects:
                unreadable.add(batch.batch_id)
    return unreadable, findings


def _fault(landing: Landing, item: LandedObject, expired: frozenset[str]) -> str | None:
    if not landing.holds(item.sha256):
        return "expired" if item.sha256 in expired else "its bytes are gone, and no tombstone says why"
    digest, size = hashlib.sha256(), 0
    for chunk in landing.get(item).chunks():
        digest.update(chunk)
        size += len(chunk)
    if digest.hexdigest() == item.sha256 and size == item.bytes:
        return None
    return f"its bytes were changed: {size} bytes, sha256 {digest.hexdigest()[:12]}…"
