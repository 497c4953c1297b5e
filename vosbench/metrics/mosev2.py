"""The measures of MOSEv2 (Ding et al., 2025): smoothed J, F with a radius that suits the object.

Their program differs from the other ones in small ways that matter: they are followed to the
last bit, and described in docs/metrics.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vosbench.metrics.contour import TOLERANCE, Shape

#: Radius of the adaptive match as a fraction of the square root of the object's area.
ADAPTIVE_TOLERANCE = 0.1


class FrameScore(NamedTuple):
    """`j`: smoothed region similarity; `f`: contour accuracy; `f_new`: with the adaptive radius;
    `empty`: whether the object is absent from the annotation."""

    j: float
    f: float
    f_new: float
    empty: bool


def score_frame(annotation: Shape, prediction: Shape) -> FrameScore:
    """One object in one frame.

    J = (intersection + 1) / (union + 1). F' ("F_new") matches outlines within 0.1 of the square
    root of the annotated area, rounded up, if that is below 0.008 of the diagonal; else F' and F
    both match within 0.008 of the diagonal without rounding.
    """
    intersection, union = annotation.overlap(prediction)
    j = (intersection + 1) / (union + 1)
    height, width = annotation.mask.shape
    limit = TOLERANCE * math.sqrt(height * height + width * width)
    # The program falls back to the frame's size for an empty annotation, and so to the limit.
    adaptive = math.ceil(ADAPTIVE_TOLERANCE * math.sqrt(annotation.area)) or math.inf
    if adaptive < limit:
        f = annotation.contour_accuracy(prediction, math.ceil(limit))
        f_new = annotation.contour_accuracy(prediction, adaptive)
    else:
        f = f_new = annotation.contour_accuracy(prediction, limit)
    return FrameScore(j, f, f_new, annotation.area == 0)


class Visibility(NamedTuple):
    """Mean (J, F') over the stretches in which an object is gone, and over those after it came
    back; None if it never does."""

    disappearance: tuple[float, float] | None
    reappearance: tuple[float, float] | None


def visibility(j: Sequence[float], f_new: Sequence[float], empty: Sequence[bool]) -> Visibility:
    """Scores while the object is gone and after it came back, from its values per frame.

    A stretch begins where `empty` changes and ends before the next change; stretches count
    equally. An absence from the very first frame is no disappearance, its end is a reappearance.
    """
    values = np.array([j, f_new], dtype=np.float64)
    changes = [i for i in range(1, len(empty)) if empty[i] != empty[i - 1]]
    stretches: dict[bool, list[NDArray[np.float64]]] = {True: [], False: []}
    for start, end in zip(changes, [*changes[1:], len(empty)], strict=False):
        means = [np.ascontiguousarray(row[start:end]).mean() for row in values]
        stretches[bool(empty[start])].append(np.array(means))
    gone, back = (_average(stretches[kind]) for kind in (True, False))
    return Visibility(gone, back)


def _average(stretches: list[NDArray[np.float64]]) -> tuple[float, float] | None:
    if not stretches:
        return None
    j, f = (float(np.mean([stretch[i] for stretch in stretches])) for i in (0, 1))
    return j, f
