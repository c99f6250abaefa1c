"""How surely two rows belong together, given every other row that competes for either of them.

The model: a share of the rows of each side has a partner on the other; partners differ in days, in amount and in text as
partners of these two extracts do, which is learnt from the extracts themselves (expectation maximisation, from mild priors:
nearer is likelier); rows without a partner lie where such rows lie. A row has one partner or none, so that the probability of
a pair is that of its edge in a random matching of the graph of candidates, here by belief propagation on the monomer-dimer
model (exact on trees; Zdeborová and Mézard, J. Stat. Mech. 2006, P05003). Two rows that compete evenly for one come out as
equally likely, whatever the order of the input: that is what "ambiguous" means here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

ROUNDS, STEPS, LAST_STEPS = 6, 12, 60
SETTLED = 1e-6
HARDEST = 14.0
"""Largest logarithm of an edge's weight either way: e^14 is sure, and still exact in the sums."""
PRIOR_PAIRS = 4.0
PRIOR_ROWS = 10.0
LONELY = 0.05
"""Rows expected by chance where none but the partner is seen."""
AMOUNT_BINS = 9
TEXT_BINS = 12
NO_TEXT = 0
EDGES_AT_ONCE = 16384
"""As many as a core's own cache holds the messages of."""


@dataclass(frozen=True)
class Candidates:
    """Pairs of nodes that may belong together. A node stands for `count` rows that nothing tells apart.

    `left`, `right`: nodes of each pair, numbered from 0 on each side; `days`: from 0 (`-span`) to 2 * span; `amounts`: bins
    from 0 (all of the tolerance below) to 8 (above), 4 is equal; `texts`: 0 for none, 1 (nothing alike) to 11.
    """

    left: Any
    right: Any
    days: Any
    amounts: Any
    texts: Any
    span: int
    left_count: Any
    right_count: Any


def probabilities(pairs: Candidates) -> Any:
    """For each pair of nodes: the probability that one given row of the one and one given row of the other are partners."""
    copies = pairs.left_count[pairs.left] * pairs.right_count[pairs.right]
    around = _sums(pairs.left, pairs.right_count[pairs.right], len(pairs.left_count))
    # How many rows lie near a row by chance, per day: those around it but for its own partner.
    near = np.full(len(around), LONELY) / (2 * pairs.span + 1)
    to_right, to_left = np.full(len(copies), 0.5), np.full(len(copies), 0.5)
    likely = _priors(pairs.span)
    chance = (np.full(2 * pairs.span + 1, 1.0), np.full(AMOUNT_BINS, 1 / AMOUNT_BINS), _text_chance())
    matched_left = matched_right = 0.9
    sure = np.zeros(len(copies))
    for turn in range(ROUNDS + 1):
        odds = matched_left / (1 - matched_left) / ((1 - matched_right) * near)
        weight = np.log(odds)[pairs.left] + sum(
            np.log(m / u)[bins] for m, u, bins in zip(likely, chance, (pairs.days, pairs.amounts, pairs.texts), strict=True)
        )
        strength = np.exp(np.clip(weight, -HARDEST, HARDEST))
        steps = LAST_STEPS if turn == ROUNDS else STEPS
        to_right, to_left = _settle(pairs, strength, to_right, to_left, steps)
        joint = strength * to_right * to_left
        sure = joint / (1 + joint)
        partnered = _sums(pairs.left, sure * pairs.right_count[pairs.right], len(around))
        near = (np.maximum(around - partnered, 0) + LONELY) / (2 * pairs.span + 1)
        likely, chance = _learn(pairs, sure * copies, (1 - sure) * copies)
        expected = (sure * copies).sum()
        matched_left = _share(expected, pairs.left_count.sum())
        matched_right = _share(expected, pairs.right_count.sum())
    return sure


def _settle(pairs: Candidates, strength: Any, to_right: Any, to_left: Any, steps: int) -> tuple[Any, Any]:
    """Messages (the chance that a row is free for a pair, if that pair did not exist), damped until they stand.

    Both arrays of messages are written over: fresh memory for millions of edges would cost more than what is done in it.
    """
    to_sum_left = strength * pairs.right_count[pairs.right]
    to_sum_right = strength * pairs.left_count[pairs.left]
    work = np.empty_like(strength)
    for _ in range(steps):
        others = _sums(pairs.left, np.multiply(to_sum_left, to_left, out=work), len(pairs.left_count))
        moved_right = _send(others, pairs.left, strength, to_left, to_right)
        others = _sums(pairs.right, np.multiply(to_sum_right, to_right, out=work), len(pairs.right_count))
        moved_left = _send(others, pairs.right, strength, to_right, to_left)
        if max(moved_right, moved_left) < SETTLED:
            break
    return to_right, to_left


def _send(others: Any, at: Any, strength: Any, received: Any, sent: Any) -> Any:
    """Replaces the messages `sent` by those that follow from the ones `received`; how far any of them moved."""
    farthest = np.zeros(())
    for start in range(0, len(at), EDGES_AT_ONCE):
        some = slice(start, start + EDGES_AT_ONCE)
        free = 1 + np.maximum(others[at[some]] - strength[some] * received[some], 0)
        new = np.sqrt(sent[some] / free)
        farthest = np.maximum(farthest, np.max(np.abs(new - sent[some])))
        sent[some] = new
    return farthest


def _learn(pairs: Candidates, together: Any, apart: Any) -> tuple[tuple[Any, Any, Any], tuple[Any, Any, Any]]:
    """How partners differ, and how rows differ that merely lie near each other."""
    days, amounts, texts = _priors(pairs.span)
    likely = (
        _mixed(days, _sums(pairs.days, together, len(days))),
        _mixed(amounts, _sums(pairs.amounts, together, AMOUNT_BINS)),
        _of_texts(texts, _sums(pairs.texts, together, TEXT_BINS)),
    )
    chance = (
        np.full(len(days), 1.0),
        _mixed(np.full(AMOUNT_BINS, 1 / AMOUNT_BINS), _sums(pairs.amounts, apart, AMOUNT_BINS)),
        _of_texts(_text_chance(), _sums(pairs.texts, apart, TEXT_BINS)),
    )
    return likely, chance


def _priors(span: int) -> tuple[Any, Any, Any]:
    days = 0.35 ** np.minimum(np.abs(np.arange(-span, span + 1)), 4)
    amounts = 0.6 ** np.abs(np.arange(AMOUNT_BINS) - AMOUNT_BINS // 2)
    texts = np.concatenate([[1.0], np.linspace(0.2, 2.0, TEXT_BINS - 1)])
    texts[1:] /= texts[1:].sum()
    return days / days.sum(), amounts / amounts.sum(), texts


def _text_chance() -> Any:
    chance = np.concatenate([[1.0], 0.6 ** np.arange(TEXT_BINS - 1)])
    chance[1:] /= chance[1:].sum()
    return chance


def _of_texts(prior: Any, seen: Any) -> Any:
    """Text where there is none says nothing either way: its bin weighs the same among partners and others."""
    return np.concatenate([[1.0], _mixed(prior[1:], seen[1:])])


def _mixed(prior: Any, seen: Any) -> Any:
    return (prior * PRIOR_PAIRS + seen) / (PRIOR_PAIRS + seen.sum())


def _sums(at: Any, values: Any, size: int) -> Any:
    return np.bincount(at, weights=values, minlength=size)


def _share(expected: Any, rows: Any) -> Any:
    return np.clip((expected + 0.9 * PRIOR_ROWS) / (rows + PRIOR_ROWS), 0.05, 0.999)
