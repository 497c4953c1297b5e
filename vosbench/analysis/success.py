"""Success curves of runs: how many frames have an overlap above t."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vosbench.analysis.scored import ScoredRun
from vosbench.metrics.sequence.vots import success_curve


def success_curves(runs: Sequence[ScoredRun]) -> dict[str, NDArray[np.float64]]:
    """Run -> share of the scored frames with J above each of `THRESHOLDS`
    (`vosbench.metrics.sequence.vots`); mean over the objects of a sequence, then over sequences.
    Runs without scores are left out."""
    curves: dict[str, NDArray[np.float64]] = {}
    for scored in runs:
        if scored.evaluation is None:
            continue
        frames = scored.evaluation.frames
        by_sequence: dict[str, list[NDArray[np.float64]]] = {}
        for (sequence, _), values in frames.groupby(["sequence", "object"], sort=False)["J"]:
            by_sequence.setdefault(str(sequence), []).append(success_curve(values.to_numpy()))
        means = [np.mean(objects, axis=0) for objects in by_sequence.values()]
        curves[scored.name] = np.mean(means, axis=0)
    return curves
