"""The measures of VOTS, the challenge of visual object tracking and segmentation (2023).

After the official toolkit (votchallenge/toolkit, `vot/analysis/accuracy.py` and `longterm.py`,
stack `vots2025`), where the frame in which an object is given does not count. How the toolkit
treats regions one pixel wide or high is not followed: see docs/metrics.md.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vosbench.metrics.sequence import Floats, ObjectMetric, Track

#: An object needs more absent frames than this for its absence detection quality.
ABSENT_FRAMES = 10

#: Thresholds of the success curve (`SuccessPlot` of the toolkit).
THRESHOLDS = np.linspace(0, 1, 100)


class Vots(ObjectMetric):
    """Quality, accuracy, robustness, and what goes wrong, averaged over the objects of a sequence
    and then over sequences."""

    per_sequence = True

    def values(self, track: Track) -> dict[str, float]:
        part = track.after
        scores = vots_scores(
            track.overlaps[part], track.annotated[part] > 0, track.predicted[part] > 0
        )
        names = {"Q": "VOTS-Q", "Accuracy": "VOTS-Accuracy", "Robustness": "VOTS-Robustness"}
        return {names.get(name, name): value for name, value in scores.items()}


def vots_scores(
    overlaps: Floats, annotated: NDArray[np.bool_], predicted: NDArray[np.bool_]
) -> dict[str, float]:
    """Of one object over its frames, all (N,).

    Q is the mean overlap, absent frames included. Accuracy is the mean overlap where the object is
    there and hit; 0 where it never is. Of the frames in which it is there, robustness is the share
    that is hit, NRE that without any prediction, DRE that with one elsewhere. ADQ is the share of
    absent frames without a prediction. nan where there are no such frames.
    """
    hit = annotated & (overlaps > 0)
    lost = annotated & ~hit & ~predicted
    drifted = annotated & ~hit & predicted
    absent = ~annotated
    there = int(annotated.sum())

    def share(frames: NDArray[np.bool_]) -> float:
        return int(frames.sum()) / there if there else math.nan

    silent = math.nan
    if absent.sum() > ABSENT_FRAMES:
        silent = int((absent & ~predicted).sum()) / int(absent.sum())
    return {
        "Q": float(overlaps.mean()) if overlaps.size else 0.0,
        "Accuracy": float(overlaps[hit].mean()) if hit.any() else 0.0,
        "Robustness": share(hit),
        "NRE": share(lost),
        "DRE": share(drifted),
        "ADQ": silent,
    }


class Success(ObjectMetric):
    """Area under the success curve: the share of frames with an overlap above t, for t in 0..1."""

    per_sequence = True

    def values(self, track: Track) -> dict[str, float]:
        overlaps = track.overlaps[track.after]
        if not overlaps.size:
            return {"Success-AUC": math.nan}
        return {"Success-AUC": float(np.trapezoid(success_curve(overlaps), THRESHOLDS))}


def success_curve(overlaps: Floats) -> Floats:
    """Share of frames with an overlap above each of `THRESHOLDS` (100,); at 1 an overlap of 1
    counts."""
    above = overlaps[:, None] > THRESHOLDS
    above[:, -1] = overlaps >= THRESHOLDS[-1]
    shares: Floats = above.mean(axis=0)
    return shares
