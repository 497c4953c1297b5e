"""What the values of a mask say about how it was made: object ids, one object as 0/255, grey levels
of a smoothed mask or of probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vosbench.types import VOID

_FEW = 16  # ids that no one doubts
_THIN = 0.25  # of a value's pixels, at most so many have equal neighbours right and below
_PIXELS = 10
_SLOPES = 3  # thin values from which on slopes are looked for
_MOSTLY = 0.8


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

    Ids that are few and small are believed, unless thin ones lie between larger and smaller values
    as on a slope: masks of ids that were resized with smoothing.

    Args:
        labels: (H, W).
        values: `values_of(labels)`.
    """
    others = values - {VOID}
    gaps = len(others) > 2 and max(others) > 2 * len(others) + 1
    plain = not (VOID in values or len(others) > _FEW or gaps)
    if not others or (plain and len(others) < _SLOPES):
        return 0
    inner = labels[:-1, :-1]
    flat = (inner == labels[:-1, 1:]) & (inner == labels[1:, :-1])
    total = np.bincount(inner.ravel(), minlength=256)
    filled = np.bincount(inner[flat], minlength=256)
    thin = [v for v in others if filled[v] <= _THIN * total[v]]
    if 2 * len(thin) < len(others) or total[thin].sum() < _PIXELS:
        return 0
    if plain and (len(thin) < _SLOPES or _on_slopes(labels, thin) < _MOSTLY):
        return 0
    return len(values)


def _on_slopes(labels: NDArray[np.uint8], thin: list[int]) -> float:
    """Share of the pixels of `thin` values that lie between a larger and a smaller neighbour."""
    centre = labels[1:-1, 1:-1]
    across = (labels[1:-1, :-2], labels[1:-1, 2:], labels[:-2, 1:-1], labels[2:, 1:-1])
    between = np.logical_or.reduce([part > centre for part in across])
    between &= np.logical_or.reduce([part < centre for part in across])
    chosen = np.isin(centre, thin)
    return float(between[chosen].mean()) if chosen.any() else 0.0
