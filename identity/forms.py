"""Batches of distinct values → their comparable forms, in columns. All of ours that a worker of `identity.folding` imports:
anything more, a database above all, every worker would have to import anew."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from identity import normalise
from identity.checking import surely_valid_licences, surely_valid_org_codes, surely_valid_usccs

Fold = Callable[[Sequence[str]], list[tuple[Any, ...]]]


def fold_names(texts: Sequence[str]) -> list[tuple[Any, ...]]:
    return list(normalise.names(texts))


def fold_usccs(texts: Sequence[str]) -> list[tuple[Any, ...]]:
    sure = surely_valid_usccs(texts)
    return [(text, "valid") if text in sure else _told(normalise.uscc(text)) for text in texts]


def fold_org_codes(texts: Sequence[str]) -> list[tuple[Any, ...]]:
    sure = surely_valid_org_codes(texts)
    return [(text, "valid") if text in sure else _told(normalise.org_code(text)) for text in texts]


def fold_licences(texts: Sequence[str]) -> list[tuple[Any, ...]]:
    sure = surely_valid_licences(texts)
    return [(text, "valid") if text in sure else _told(normalise.licence_no(text)) for text in texts]


def fold_taxpayers(texts: Sequence[str]) -> list[tuple[Any, ...]]:
    return [_told(normalise.taxpayer_id(text)) for text in texts]


def fold_addresses(texts: Sequence[str]) -> list[tuple[Any, ...]]:
    return list(normalise.addresses(texts))


def fold_phones(texts: Sequence[str]) -> list[tuple[Any, ...]]:
    return [(normalise.phone(text),) for text in texts]


def fold_contacts(texts: Sequence[str]) -> list[tuple[Any, ...]]:
    return [(normalise.contact(text),) for text in texts]


def _told(code: normalise.Code) -> tuple[str, str]:
    return code.text, code.reason.value


def folded_columns(fold: Fold, given: pa.Array) -> list[pa.Array]:
    """The texts and their comparable forms, column by column: what crosses between processes is Arrow, not Python's strings.
    A function of the module, for a worker process finds it by name."""
    with _without_collecting():
        return [given, *(pa.array(column) for column in zip(*fold(given.to_pylist()), strict=True))]


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Millions of small tuples, none in a cycle: looking for cycles among them is a quarter of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
