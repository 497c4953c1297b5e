"""Re-acquisition: is an object that was gone found again, and how soon? Defined here."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from vosbench.metrics.sequence import (
    Floats,
    Measured,
    SequenceMetric,
    SequenceTracks,
    Track,
    ratio,
)

#: An object is found where its overlap is at least this.
FOUND = 0.5


class Return(NamedTuple):
    """An object that comes back: `frames` until it was found, 0 if at once, or for how many frames
    it was there without being found."""

    frames: int
    found: bool


def returns(track: Track) -> Iterator[Return]:
    """Every return of an object after an absence, each until its next absence or the end."""
    there = track.annotated[track.given :] > 0
    found = track.overlaps[track.given :] >= FOUND
    edges = np.flatnonzero(np.diff(there.astype(np.int8)))
    starts = [int(edge) + 1 for edge in edges if there[edge + 1]]
    for start in starts:
        gone = np.flatnonzero(~there[start:])
        end = start + int(gone[0]) if gone.size else len(there)
        hits = np.flatnonzero(found[start:end])
        yield Return(int(hits[0]), True) if hits.size else Return(end - start, False)


class Reacquisition(SequenceMetric):
    """Share of returns after which the object is found, and the median number of frames until then.

    Returns of all objects count alike. The median is that of Kaplan and Meier: an object that left
    again before it was found tells only that it took longer than that. It is nan where fewer than
    half are ever found.
    """

    def measure(self, tracks: SequenceTracks) -> Measured:
        out = Measured()
        everything = np.zeros((2, 1))
        for obj, track in tracks.tracks.items():
            counts = _counts(list(returns(track)))
            out.objects[obj] = {name: float(v) for name, v in self._scores(counts).items()}
            length = max(counts.shape[1], everything.shape[1])
            everything = _lengthened(everything, length) + _lengthened(counts, length)
        out.sequence = {name: float(v) for name, v in self._scores(everything).items()}
        out.totals = {"returns": everything}
        return out

    def scores(self, totals: Mapping[str, Floats]) -> dict[str, Any]:
        return self._scores(totals["returns"])

    def _scores(self, counts: Floats) -> dict[str, Any]:
        """From how many returns (..., 2, L) were found after, or watched without success for, each
        number of frames 0..L-1."""
        found, lost = counts[..., 0, :], counts[..., 1, :]
        share = ratio(found.sum(axis=-1), counts.sum(axis=(-2, -1)))
        # Still watched just before frame d: all but those found or lost before it. One that was
        # watched for d frames has seen frames 0..d-1, so it counts no more at d.
        leaving = found + lost
        before = np.cumsum(leaving[..., ::-1], axis=-1)[..., ::-1]
        at_risk = before - lost
        hazard = np.where(at_risk > 0, found / np.where(at_risk > 0, at_risk, 1), 0.0)
        still = np.cumprod(1 - hazard, axis=-1)
        reached = still <= 0.5 + 1e-12
        median = np.where(reached.any(axis=-1), reached.argmax(axis=-1), math.nan)
        return {"Reacquired": share, "Reacquisition-Delay": median}


def _counts(found: list[Return]) -> Floats:
    counts = np.zeros((2, 1 + max((one.frames for one in found), default=0)))
    for one in found:
        counts[0 if one.found else 1, one.frames] += 1
    return counts


def _lengthened(counts: Floats, length: int) -> Floats:
    return np.pad(counts, ((0, 0), (0, length - counts.shape[1])))
