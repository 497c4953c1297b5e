"""How certain a global score is: 95 % intervals by a bootstrap over whole sequences.

Frames and objects of one video are far from independent, so videos are drawn, with all their
objects (Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993, section 13.3). A draw is
a row of weights, how often each sequence came up, and every global score is computed from weighted
sums, all draws at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from vosbench.metrics.protocols import Protocol, Row
from vosbench.metrics.sequence import Measured, SequenceMetric, ratio, summed

Floats = NDArray[np.float64]

#: Confidence level, number of draws, and their seed: the same masks always give the same interval.
LEVEL = 0.95
DRAWS = 4000
SEED = 0
_AT_ONCE = 4_000_000  # weights: those of 1,000 sequences in one part


def score_intervals(
    rules: Protocol,
    rows: Sequence[Row],
    sequences: Sequence[str],
    measured: Sequence[tuple[SequenceMetric, Sequence[Measured]]] = (),
) -> dict[str, tuple[float, float]]:
    """Global score -> (low, high). Empty for fewer than two sequences, which say nothing about
    others; a score that is not known in most draws has none.

    Args:
        rows: the table of objects, of which the protocol computes its scores.
        sequences: names of all sequences.
        measured: sequence metrics, and what each found in every sequence.
    """
    if len(sequences) < 2:
        return {}
    place = {name: n for n, name in enumerate(sequences)}
    parts = [_drawn(rules, rows, place, measured, w) for w in draw_weights(len(sequences))]
    return _bounds({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _drawn(
    rules: Protocol,
    rows: Sequence[Row],
    place: Mapping[str, int],
    measured: Sequence[tuple[SequenceMetric, Sequence[Measured]]],
    weights: Floats,
) -> dict[str, Floats]:
    """Every score in the draws of which these are the weights."""

    def mean(chosen: Sequence[Row], column: str) -> Floats:
        sums = np.zeros((len(place), 2))
        for row in chosen:
            if not math.isnan(row[column]):
                sums[place[row["sequence"]]] += row[column], 1
        return ratio(*(weights @ sums).T)

    draws: dict[str, Floats] = dict(rules.overall(rows, mean))
    for metric, parts in measured:
        draws |= metric.scores(summed(parts, weights))
    return draws


def draw_weights(count: int) -> Iterator[Floats]:
    """How often each of `count` sequences comes up in each of DRAWS draws, float (draws, count); in
    parts, so that memory does not grow with the number of sequences."""
    rng = np.random.default_rng(SEED)
    step = max(1, _AT_ONCE // count)
    for start in range(0, DRAWS, step):
        size = min(step, DRAWS - start)
        yield rng.multinomial(count, np.full(count, 1 / count), size).astype(np.float64)


def _bounds(draws: Mapping[str, Floats]) -> dict[str, tuple[float, float]]:
    found = {}
    tails = [50 * (1 - LEVEL), 50 * (1 + LEVEL)]
    for name, values in draws.items():
        known = values[~np.isnan(values)]
        if known.size > values.size / 2:
            low, high = np.percentile(known, tails)
            found[name] = (float(low), float(high))
    return found
