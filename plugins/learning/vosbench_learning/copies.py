"""Random spatial transformations of a frame and its mask.

Flip, rotation and scale about the image centre in one affine warp (e-OSVOS, NeurIPS 2020,
sec. 3.3; ranges of the reference implementation). What comes in from outside is black.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vosbench.types import Image, Mask

Affine = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class SpatialRange:
    """How far a transformation may go.

    Attributes:
        flip: probability of a horizontal flip.
        rotation: largest angle in degrees, to either side.
        scale: smallest and largest factor, > 0.
        visible: least share of the object's area, corrected for scale, that must stay inside.
    """

    flip: float = 0.5
    rotation: float = 30.0
    scale: tuple[float, float] = (0.75, 1.25)
    visible: float = 0.25


DEFAULT_RANGE = SpatialRange()


def random_affine(
    size: tuple[int, int], rng: np.random.Generator, limits: SpatialRange = DEFAULT_RANGE
) -> Affine:
    """A random transformation (2, 3) of pixel coordinates (x, y, 1), for images of `size`."""
    angle = np.deg2rad(rng.uniform(-limits.rotation, limits.rotation))
    scale = rng.uniform(*limits.scale)
    mirror = -1.0 if rng.random() < limits.flip else 1.0
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[cos * mirror, -sin], [sin * mirror, cos]])
    centre = (np.array([size[1], size[0]]) - 1) / 2
    return np.column_stack([linear, centre - linear @ centre])


def warp(image: Image, mask: Mask, matrix: Affine) -> tuple[Image, Mask]:
    """`image` (H, W, 3) by bilinear, `mask` (H, W) by nearest-neighbour interpolation."""
    size = (mask.shape[1], mask.shape[0])
    moved = cast(Image, cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR))
    inside = cv2.warpAffine(mask.astype(np.uint8), matrix, size, flags=cv2.INTER_NEAREST)
    return moved, inside > 0


def random_copy(
    image: Image,
    mask: Mask,
    rng: np.random.Generator,
    limits: SpatialRange = DEFAULT_RANGE,
    attempts: int = 20,
) -> tuple[Image, Mask]:
    """A transformed copy in which the object is still to be seen.

    Transformations are redrawn until enough of the object (`SpatialRange.visible`) is inside; an
    object that never stays (one pixel in a corner) is returned as it was.

    Args:
        image: RGB uint8 (H, W, 3).
        mask: bool (H, W).
    """
    area = int(mask.sum())
    for _ in range(attempts):
        matrix = random_affine(mask.shape, rng, limits)
        zoom = abs(float(np.linalg.det(matrix[:, :2])))
        moved, inside = warp(image, mask, matrix)
        if inside.sum() >= max(1.0, limits.visible * zoom * area):
            return moved, inside
    return image, mask
