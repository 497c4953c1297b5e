"""Scores where an object is present and where it is absent, apart. Defined here.

J and F are 1 where neither mask shows the object, so a tracker that predicts nothing earns them for
every absent frame: where objects are mostly absent it beats good trackers.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vosbench.metrics.sequence import Floats, ObjectMetric, Track


class Presence(ObjectMetric):
    """J and F over the scored frames in which the object is annotated; of the others, the share in
    which it is rightly not predicted."""

    def values(self, track: Track) -> dict[str, float]:
        there = track.scored & (track.annotated > 0)
        gone = track.scored & (track.annotated == 0)
        return {
            "J-Present": _mean(track.values["J"], there),
            "F-Present": _mean(track.values["F"], there),
            "Silence": _mean(track.predicted == 0, gone),
        }


def _mean(values: Floats | NDArray[np.bool_], chosen: NDArray[np.bool_]) -> float:
    return float(values[chosen].mean()) if chosen.any() else math.nan
