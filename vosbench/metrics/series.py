"""Mean, recall and decay of a measure over the frames of one object (Perazzi et al., CVPR 2016)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BINS = 4


class Statistics(NamedTuple):
    """Of one measure over frames: `mean`, `recall` (share of frames above one half) and `decay`
    (how much lower it is in the last quarter than in the first)."""

    mean: float
    recall: float
    decay: float


def statistics(values: Sequence[float] | NDArray[np.float64]) -> Statistics:
    """Mean, recall and decay of per-frame values, in frame order; each nan without any value.

    As in the official programs a value that is nan is left out of mean and decay, but counts as
    a frame without success in the recall.
    """
    array = np.ascontiguousarray(values, dtype=np.float64)
    if array.size == 0:
        return Statistics(math.nan, math.nan, math.nan)
    recall = np.count_nonzero(array > 0.5) / array.size
    return Statistics(_mean(array), recall, decay(array))


def decay(values: NDArray[np.float64]) -> float:
    """Mean of the first quarter of the values minus mean of the last; nan without any value.

    The official program computes bin edges in 8 bits and is wrong from 256 values on; here they
    are integers.
    """
    if values.size == 0:
        return math.nan
    edges = bin_edges(values.size)
    return _mean(values[edges[0] : edges[1] + 1]) - _mean(values[edges[3] : edges[4] + 1])


def bin_edges(count: int) -> list[int]:
    """Indices of the five edges of four bins over `count` values; bins include both edges."""
    edges = np.round(np.linspace(1, count, BINS + 1) + 1e-10) - 1
    return [int(edge) for edge in edges]


def _mean(values: NDArray[np.float64]) -> float:
    # numpy adds pairwise: only its own sum has the last bits of the official programs.
    return float(np.nanmean(values)) if not np.isnan(values).all() else math.nan
