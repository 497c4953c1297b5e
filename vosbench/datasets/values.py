"""What the values of a mask say about how it was made: object ids, one object as 0/255, grey levels
of a smoothed mask or of probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vosbench.types import VOID

_FEW = 16  # ids that no one doubts
_THIN = 0.25  # of a value's pixels, at most so many have equal neighbours right and below
_PIXELS = 10


def values_of(labels: NDArray[np.uint8]) -> set[int]:
    """The values that occur, without 0."""
    counts = np.bincount(labels.ravel(), minlength=256)
    return {int(value) for value in np.flatnonzero(counts)} - {0}


def is_one_object(values: set[int]) -> bool:
    """Whether the values are those of one object as 0/255."""
    return values == {VOID}


def grey_levels(labels: NDArray[np.uint8], values: set[int]) -> int:
    """How many values `labels` has if they are grey levels, which change from pixel to pixel, and
    no object ids, which fill areas; 0 for label maps.

    Ids that are few and small are believed at once.

    Args:
        labels: (H, W).
        values: `values_of(labels)`.
    """
    others = values - {VOID}
    gaps = len(others) > 2 and max(others) > 2 * len(others) + 1
    if not others or not (VOID in values or len(others) > _FEW or gaps):
        return 0
    inner = labels[:-1, :-1]
    flat = (inner == labels[:-1, 1:]) & (inner == labels[1:, :-1])
    total = np.bincount(inner.ravel(), minlength=256)
    filled = np.bincount(inner[flat], minlength=256)
    thin = [v for v in others if filled[v] <= _THIN * total[v]]
    if 2 * len(thin) < len(others) or total[thin].sum() < _PIXELS:
        return 0
    return len(values)
