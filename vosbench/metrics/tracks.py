"""Objects through the frames of a sequence: what a sequence metric sees.

Masks are packed and cropped, and computed once: those of J and F are the very same objects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vosbench.metrics.contour import Shape

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(kw_only=True)
class Track:
    """One object through the N annotated frames of a sequence, as annotated and as predicted.

    Attributes:
        object: its id.
        given: position (0..N-1) of the frame in which the tracker gets its mask.
        annotations, predictions: one `Shape` a frame, N each.
        values: what the protocol measured: "J", "F", ... -> float (N,), nan in frames that the
            protocol does not score.
    """

    object: int
    given: int
    annotations: Sequence[Shape]
    predictions: Sequence[Shape]
    values: Mapping[str, Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.annotations)

    @property
    def after(self) -> slice:
        """The frames after the one in which the object is given."""
        return slice(self.given + 1, None)

    @cached_property
    def annotated(self) -> Counts:
        """Annotated pixels in each frame (N,)."""
        return np.array([shape.area for shape in self.annotations], dtype=np.int64)

    @cached_property
    def predicted(self) -> Counts:
        """Predicted pixels in each frame (N,)."""
        return np.array([shape.area for shape in self.predictions], dtype=np.int64)

    @cached_property
    def common(self) -> Counts:
        """Pixels that are annotated and predicted, in each frame (N,)."""
        pairs = zip(self.annotations, self.predictions, strict=True)
        return np.array([a.mask.overlap(p.mask) for a, p in pairs], dtype=np.int64)

    @cached_property
    def overlaps(self) -> Floats:
        """Intersection over union in each frame (N,); 1 where both masks are empty."""
        return intersection_over_union(self.common, self.annotated, self.predicted)

    @cached_property
    def scored(self) -> NDArray[np.bool_]:
        """Which frames the protocol scores (N,)."""
        values = self.values.get("J")
        return np.zeros(len(self), np.bool_) if values is None else ~np.isnan(values)


@dataclass(kw_only=True)
class SequenceTracks:
    """All objects of a sequence.

    Attributes:
        sequence: its name.
        frames: names of the N annotated frames.
        size: (H, W) in pixels.
        tracks: the objects that the protocol scores, by id.
        others: ids that are annotated or predicted somewhere but that the protocol does not score.
    """

    sequence: str
    frames: Sequence[str]
    size: tuple[int, int]
    tracks: Mapping[int, Track]
    others: Mapping[int, Track] = field(default_factory=dict)

    @cached_property
    def crossings(self) -> Counts:
        """Pixels in common of annotation i and prediction j in each frame, (N, K, K), where i and
        j number `tracks`, then `others`, in their order."""
        tracks = [*self.tracks.values(), *self.others.values()]
        out = np.zeros((len(self.frames), len(tracks), len(tracks)), dtype=np.int64)
        for i, track in enumerate(tracks):
            out[:, i, i] = track.common
            for j, other in enumerate(tracks):
                if i != j:
                    both = (track.annotated > 0) & (other.predicted > 0)
                    for n in np.flatnonzero(both).tolist():
                        annotation, prediction = track.annotations[n], other.predictions[n]
                        out[n, i, j] = annotation.mask.overlap(prediction.mask)
        return out


def intersection_over_union(
    common: NDArray[np.int64], annotated: NDArray[np.int64], predicted: NDArray[np.int64]
) -> Floats:
    """From counts of pixels of any one shape; 1 where both masks are empty."""
    union = annotated + predicted - common
    return np.where(union > 0, common / np.maximum(union, 1), 1.0)
