"""J over the last quarter of the frames, J_tr of VOST (Tokmakov et al., CVPR 2023): how an object
is tracked after it was transformed. After TRI-ML/VOST, `evaluation/evaluation_method.py`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vosbench.metrics.sequence import Floats, ObjectMetric, Track
from vosbench.metrics.series import statistics


class LastQuarter(ObjectMetric):
    """Mean, recall and decay of J over the last quarter of the frames that the protocol scores."""

    def values(self, track: Track) -> dict[str, float]:
        mean, recall, decay = statistics(last_quarter(track.overlaps[track.scored]))
        return {"J-last": mean, "J-last-Recall": recall, "J-last-Decay": decay}


def last_quarter(values: Sequence[float] | Floats) -> Sequence[float] | Floats:
    """The values from three quarters on, the position rounded down."""
    return values[math.floor(0.75 * len(values)) :]
