"""HOTA, DetA and AssA (Luiten et al., IJCV 2021) of label maps, as BURST reports them.

After JonathonLuiten/TrackEval (`metrics/hota.py`). Its program reads masks anew, as run lengths;
here overlaps are counted once for all measures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vosbench.metrics.sequence import Floats, Measured, SequenceMetric, SequenceTracks
from vosbench.metrics.tracks import intersection_over_union

#: Overlaps from which on a prediction counts as a hit.
ALPHAS = np.arange(0.05, 0.99, 0.05)
_TINY = np.finfo(np.float64).eps


class Hota(SequenceMetric):
    """Ids are matched, not taken as given: swapped ids that stay swapped cost nothing. All frames
    count, and all ids that are annotated or predicted.

    Totals are, for each threshold, true positives, false negatives, false positives, and the sum of
    the association scores of all true positives: (4, 19).
    """

    def measure(self, tracks: SequenceTracks) -> Measured:
        found = [*tracks.tracks.values(), *tracks.others.values()]
        annotated = np.stack([track.annotated for track in found], axis=1)
        predicted = np.stack([track.predicted for track in found], axis=1)
        similarity = intersection_over_union(
            tracks.crossings, annotated[:, :, None], predicted[:, None, :]
        )
        similarity[tracks.crossings == 0] = 0.0
        totals = hota_totals(annotated > 0, predicted > 0, similarity)
        scores = {name: float(value) for name, value in self.scores({"hota": totals}).items()}
        return Measured(sequence=scores, totals={"hota": totals})

    def scores(self, totals: Mapping[str, Floats]) -> dict[str, Any]:
        hits, missed, false, association = np.moveaxis(totals["hota"], -2, 0)
        detection = hits / np.maximum(1, hits + missed + false)
        association = association / np.maximum(1, hits)
        both = np.sqrt(detection * association)
        means = {"HOTA": both, "DetA": detection, "AssA": association}
        return {name: value.mean(axis=-1) for name, value in means.items()}


def hota_totals(annotated: Any, predicted: Any, similarity: Floats) -> Floats:
    """What adds up over sequences, (4, 19), see `Hota`.

    Args:
        annotated, predicted: bool (N, K), which of K ids are there in each of N frames.
        similarity: (N, K, K), overlap of annotation i and prediction j.
    """
    # How well annotation i and prediction j fit over the whole sequence: that decides which are
    # matched where several could be.
    around = similarity.sum(axis=1, keepdims=True) + similarity.sum(axis=2, keepdims=True)
    around = around - similarity
    fits = np.where(around > _TINY, similarity / np.where(around > _TINY, around, 1), 0).sum(axis=0)
    frames = annotated.sum(axis=0)[:, None] + predicted.sum(axis=0)[None, :]
    aligned = fits / np.maximum(frames - fits, _TINY)
    pairs = _matched(annotated, predicted, similarity, aligned)
    n, i, j = pairs.T
    hit = similarity[n, i, j][:, None] >= ALPHAS - _TINY  # (pairs, 19)
    matches = np.zeros((*aligned.shape, len(ALPHAS)))
    np.add.at(matches, (i, j), hit)
    hits = hit.sum(axis=0)
    together = matches**2 / np.maximum(1, frames[:, :, None] - matches)
    missed, false = annotated.sum() - hits, predicted.sum() - hits
    return np.stack([hits, missed, false, together.sum(axis=(0, 1))]).astype(np.float64)


def _matched(annotated: Any, predicted: Any, similarity: Floats, aligned: Floats) -> Any:
    """Pairs (frame, annotation, prediction), one to one in each frame, int (M, 3)."""
    from scipy.optimize import linear_sum_assignment

    worth = aligned * similarity
    found = []
    for n in np.flatnonzero(worth.any(axis=(1, 2))):
        rows, columns = np.flatnonzero(annotated[n]), np.flatnonzero(predicted[n])
        part = worth[n][np.ix_(rows, columns)]
        best = linear_sum_assignment(part, maximize=True)
        found += [(n, rows[i], columns[j]) for i, j in zip(*best, strict=True)]
    return np.array(found, dtype=np.intp).reshape(-1, 3)
