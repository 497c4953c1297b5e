"""Contour accuracy F: how well two outlines match within a radius (Perazzi et al., CVPR 2016)."""

from __future__ import annotations

import math
from typing import Any

from numpy.typing import NDArray

from vosbench.metrics.packed import PackedMask, disk, pack
from vosbench.types import Mask

#: Radius of the match as a fraction of the frame's diagonal.
TOLERANCE = 0.008


def boundary_radius(height: int, width: int) -> int:
    """Within how many pixels outlines match: 0.008 of the frame's diagonal, rounded up."""
    return math.ceil(TOLERANCE * math.sqrt(height * height + width * width))


def contour_accuracy(annotation: Mask, prediction: Mask, radius: float | None = None) -> float:
    """F-measure of the outlines of two masks, bool (H, W), in 0..1.

    Precision is the share of the prediction's outline within `radius` pixels of the annotation's,
    recall the reverse; F = 2 P R / (P + R). It is 1 where neither mask has an outline (both are
    empty or full) and 0 where one of them has none.

    Args:
        radius: in pixels; `boundary_radius` of the frame if not given.

    Raises:
        ValueError: the shapes differ.
    """
    if annotation.shape != prediction.shape:
        raise ValueError(f"masks differ in shape: {annotation.shape} and {prediction.shape}")
    if radius is None:
        radius = boundary_radius(*annotation.shape)
    return Shape(annotation).contour_accuracy(Shape(prediction), radius)


class Shape:
    """One object's mask with its outline and, once asked for, the outline's surroundings.

    Keep it to compare several predictions with one annotation: nothing is computed twice.

    Args:
        mask: (H, W), bool or labels where non-zero is set.

    Attributes:
        mask, boundary: packed.
        area, length: pixels set in each.
    """

    __slots__ = ("_near", "_rims", "area", "boundary", "length", "mask")

    def __init__(self, mask: NDArray[Any]) -> None:
        self.mask = pack(mask)
        self.boundary = self.mask.boundary()
        self.area = self.mask.count()
        self.length = self.boundary.count()
        self._near: dict[float, PackedMask] = {}
        self._rims: dict[int, PackedMask] = {}

    def near(self, radius: float) -> PackedMask:
        """Pixels within `radius` of the outline."""
        if radius not in self._near:
            self._near[radius] = self.boundary.dilated(disk(radius))
        return self._near[radius]

    def rim(self, depth: int) -> PackedMask:
        """Pixels of the mask within `depth` steps, diagonal ones too, of what is outside of it;
        the frame's border counts as such."""
        if depth not in self._rims:
            self._rims[depth] = self.mask.without(self.mask.eroded(depth))
        return self._rims[depth]

    def overlap(self, other: Shape) -> tuple[int, int]:
        """(intersection, union) of the two masks in pixels."""
        common = self.mask.overlap(other.mask)
        return common, self.area + other.area - common

    def contour_accuracy(self, prediction: Shape, radius: float) -> float:
        """F of `prediction` where `self` is the annotation; see the function of this name."""
        if self.length == 0 or prediction.length == 0:
            return 1.0 if self.length == prediction.length else 0.0
        precision = prediction.boundary.overlap(self.near(radius)) / prediction.length
        recall = self.boundary.overlap(prediction.near(radius)) / self.length
        if precision + recall == 0:
            return 0.0
        return 2 * precision * recall / (precision + recall)
