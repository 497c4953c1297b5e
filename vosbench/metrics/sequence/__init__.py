"""Measures of objects through a whole sequence. `docs/metrics.md` defines each.

A measure turns one sequence into values per object and into *totals*: numbers that add up over
sequences. Global scores are computed from their sums. So are those of every draw of a bootstrap,
all draws at once: that is why `scores` works on arrays with one further axis in front.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vosbench.metrics.tracks import SequenceTracks, Track

__all__ = [
    "Measured",
    "ObjectMetric",
    "SequenceMetric",
    "SequenceTracks",
    "Track",
    "ratio",
    "summed",
]

Floats = NDArray[np.float64]


@dataclass(slots=True)
class Measured:
    """What a measure found in one sequence; it travels between processes.

    Attributes:
        objects: object id -> column -> value, nan for none.
        sequence: column -> value of the whole sequence.
        totals: name -> float array of what adds up over sequences. Arrays of one name may differ
            in the length of their last axis: the shorter ones are padded with zeros.
    """

    objects: dict[int, dict[str, float]] = field(default_factory=dict)
    sequence: dict[str, float] = field(default_factory=dict)
    totals: dict[str, Floats] = field(default_factory=dict)


class SequenceMetric(ABC):
    """Base of the measures."""

    @abstractmethod
    def measure(self, tracks: SequenceTracks) -> Measured:
        """Values and totals of one sequence."""

    def scores(self, totals: Mapping[str, Floats]) -> dict[str, Any]:
        """Global scores by column, from summed totals (..., *shape) to numbers (...).

        By default each total is a pair of a sum and a count, and the score their ratio.
        """
        return {name: ratio(pair[..., 0], pair[..., 1]) for name, pair in totals.items()}


class ObjectMetric(SequenceMetric):
    """Base of the measures that look at one object at a time.

    Attributes:
        per_sequence: average over the objects of a sequence first, then over sequences; else over
            all objects of all sequences.
    """

    per_sequence = False

    @abstractmethod
    def values(self, track: Track) -> dict[str, float]:
        """Column -> value of one object, nan where it has none: then it is left out of means."""

    def measure(self, tracks: SequenceTracks) -> Measured:
        objects = {obj: self.values(track) for obj, track in tracks.tracks.items()}
        sequence, totals = {}, {}
        for column in next(iter(objects.values()), {}):
            there = [row[column] for row in objects.values() if not math.isnan(row[column])]
            mean = float(np.mean(there)) if there else math.nan
            sequence[column] = mean
            pair = (sum(there), len(there))
            if self.per_sequence:
                pair = (mean, 1) if there else (0.0, 0)
            totals[column] = np.array(pair, dtype=np.float64)
        return Measured(objects, sequence, totals)


def summed(parts: Sequence[Measured], weights: Floats | None = None) -> dict[str, Floats]:
    """The totals of some sequences, added up.

    Args:
        weights: (B, S), how often each of the S sequences counts in each of B draws; then the
            result has B in front of every shape. By default every sequence counts once.
    """
    out: dict[str, Floats] = {}
    for name in {name: None for part in parts for name in part.totals}:
        arrays = [part.totals[name] for part in parts if name in part.totals]
        length = max(array.shape[-1] for array in arrays)
        empty = np.zeros((*arrays[0].shape[:-1], length))
        stack = np.stack(
            [_lengthened(p.totals[name], length) if name in p.totals else empty for p in parts]
        )
        out[name] = stack.sum(axis=0) if weights is None else np.tensordot(weights, stack, axes=1)
    return out


def _lengthened(array: Floats, length: int) -> Floats:
    missing = [(0, 0)] * (array.ndim - 1) + [(0, length - array.shape[-1])]
    return np.pad(array, missing)


def ratio(part: Floats, whole: Floats) -> Floats:
    """Part / whole, nan where the whole is 0."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), np.nan)
