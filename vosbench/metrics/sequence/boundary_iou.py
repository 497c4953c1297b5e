"""Boundary IoU (Cheng et al., CVPR 2021): how much of two boundaries is common.

After bowenc0221/boundary-iou-api. Unlike J it does not forgive a rough outline of a large object,
and unlike F it has no tolerance, only a width.
"""

from __future__ import annotations

import math

import numpy as np

from vosbench.metrics.contour import Shape
from vosbench.metrics.sequence import ObjectMetric, Track

#: Width of the boundary as a fraction of the frame's diagonal.
DEPTH = 0.02


def boundary_depth(height: int, width: int) -> int:
    """Width of a boundary in pixels: 0.02 of the diagonal, rounded half to even, at least 1."""
    return max(1, round(DEPTH * math.sqrt(height * height + width * width)))


def boundary_iou(annotation: Shape, prediction: Shape) -> float:
    """Intersection over union of the boundaries of two masks; nan where both are empty."""
    depth = boundary_depth(*annotation.mask.shape)
    one, two = annotation.rim(depth), prediction.rim(depth)
    common = one.overlap(two)
    union = one.count() + two.count() - common
    return common / union if union else math.nan


class BoundaryIou(ObjectMetric):
    """Mean over the frames in which the object is annotated or predicted."""

    def values(self, track: Track) -> dict[str, float]:
        part = track.after
        pairs = zip(track.annotations[part], track.predictions[part], strict=True)
        found = [value for value in (boundary_iou(a, p) for a, p in pairs) if not math.isnan(value)]
        return {"Boundary-IoU": float(np.mean(found)) if found else math.nan}
