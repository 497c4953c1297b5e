"""Does a detection look like the object: the given object's colours against its surroundings.

A histogram of the object's colours and one of all else in the frame say of each pixel how likely
its colour is the object's. Over the many pixels of a detection the mean of that hardly depends on
pose or size, and it tells the object from a flooded background and from most other things. Where
object and surroundings share their colours it knows nothing, and then refuses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vosbench.types import Image, Mask, Scores
from vosbench_eosvos.boxprop import tight_box

#: Bins of each channel of CIE L*a*b*; a* and b* are taken from -64 to 64.
BINS = 16

#: Frames are looked at at about this short side.
SIDE = 160

#: Side of the square of cells over which a pixel's colours are averaged.
SPREAD = 3

#: Contrast between object and surroundings (difference of mean probabilities) from which colours
#: are trusted fully.
TRUSTED = 0.25

#: Weight of each new frame in the running histograms, which count half; the given frame's the rest.
SHARE = 0.1

Counts = NDArray[Any]
_Array = NDArray[np.float32]
Bins = NDArray[np.int32]


@dataclass(frozen=True)
class Look:
    """What an object's colours say of one frame.

    Attributes:
        own: (h, w) how common each cell's colour is in the object.
        probability: (h, w) that each cell has the object's colour. sums: its integral image.
        scale: (4,) cells a pixel of boxes.
        boxed, masked: usual mean probability in the object's tight box and on its mask.
    """

    own: _Array
    probability: _Array
    sums: NDArray[np.float64]
    scale: _Array
    boxed: float
    masked: float

    def of_boxes(self, boxes: Tensor) -> _Array:
        """Likeness of boxes (n, 4) to the object's: (n,), 1 as usual, 0 as the whole frame."""
        height, width = self.probability.shape
        at = np.rint(boxes.cpu().numpy() * self.scale).astype(int)
        x1, y1 = at[:, 0].clip(0, width - 1), at[:, 1].clip(0, height - 1)
        x2, y2 = at[:, 2].clip(x1 + 1, width), at[:, 3].clip(y1 + 1, height)
        total = self.sums[y2, x2] - self.sums[y1, x2] - self.sums[y2, x1] + self.sums[y1, x1]
        mean = total / ((y2 - y1) * (x2 - x1))
        return _likeness(mean, self.boxed, float(self.probability.mean()))

    def against(self, other: Look, size: tuple[int, ...]) -> Scores:
        """Probability (H, W) at `size` that what is around a pixel has this object's colours and
        not the other's, if it is one of both."""
        smooth = cv2.blur(self.own / (self.own + other.own), (SPREAD, SPREAD))
        out = cv2.resize(smooth, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
        return np.asarray(out, np.float32)

    def of_mask(self, mask: Mask) -> float:
        """Likeness of what a mask (H, W) holds to the object: 1 as usual, 0 as all around it."""
        inside = _shrink(mask, self.probability.shape)
        mean = _mean(self.probability, inside)
        return float(_likeness(np.array(mean), self.masked, _mean(self.probability, 1 - inside)))


class Colours:
    """The colours of one object and of what is around it, since its given frame."""

    def __init__(self, bins: Bins, mask: Mask) -> None:
        """`bins`: of the given frame. `mask`: (H, W) in it, not empty."""
        self._given = self._now = _histograms(bins, mask)
        self._boxed, self._masked = self._usual(bins, mask)

    def look(self, bins: Bins, size: tuple[int, int]) -> Look:
        """What the colours say of a frame; boxes will be in pixels of an image of `size`."""
        own, likely = self._tables()
        probability = likely[bins]
        height, width = probability.shape
        scale = np.array([width / size[1], height / size[0]] * 2, np.float32)
        sums = np.asarray(cv2.integral(probability), float)
        return Look(own[bins], probability, sums, scale, self._boxed, self._masked)

    def observe(self, bins: Bins, mask: Mask) -> None:
        """Take note of a frame in which the object was found as `mask` (H, W), not empty."""
        self._now = (1 - SHARE) * self._now + SHARE * _histograms(bins, mask)
        boxed, masked = self._usual(bins, mask)
        self._boxed += SHARE * (boxed - self._boxed)
        self._masked += SHARE * (masked - self._masked)

    def _usual(self, bins: Bins, mask: Mask) -> tuple[float, float]:
        """Mean probability in the tight box of `mask` and on it."""
        _, likely = self._tables()
        probability = likely[bins]
        inside = _shrink(mask, probability.shape)
        box = tight_box(inside > 0)
        assert box is not None
        x1, y1, x2, y2 = map(int, box)
        return float(probability[y1:y2, x1:x2].mean()), _mean(probability, inside)

    def _tables(self) -> tuple[_Array, _Array]:
        """Of each colour, how common it is in the object, and the probability that it is the
        object's: two (BINS**3,)."""
        inside, outside = (self._given + self._now) / 2
        return inside.ravel(), (inside / (inside + outside)).ravel()


def _likeness(mean: NDArray[np.floating], usual: float, elsewhere: float) -> _Array:
    lack = (usual - mean).clip(0) / max(usual - elsewhere, TRUSTED)
    return np.asarray(1 - lack, np.float32)


def _mean(values: _Array, weights: _Array) -> float:
    return float((values * weights).sum()) / max(float(weights.sum()), 1e-6)


def _shrink(mask: Mask, size: tuple[int, int]) -> _Array:
    """Share of each cell that `mask` covers."""
    share = cv2.resize(mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(share, np.float32)


def colour_bins(image: Image) -> Bins:
    """Index (h, w) of each cell's colour in a flat histogram: all that is looked at of a frame."""
    height, width = image.shape[:2]
    scale = min(1.0, SIDE / min(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    place = (lab + np.array([0, 64, 64])) * (BINS / np.array([100, 128, 128]))
    lightness, a, b = np.moveaxis(place.clip(0, BINS - 1).astype(np.int32), -1, 0)
    return np.asarray((lightness * BINS + a) * BINS + b, np.int32)


def _histograms(bins: Bins, mask: Mask) -> _Array:
    """Smoothed, of the object and of all else: (2, BINS, BINS, BINS), each sums to about 1."""
    inside = _shrink(mask, bins.shape)
    return np.stack([_histogram(bins, inside), _histogram(bins, 1 - inside)])


def _histogram(bins: Bins, weights: _Array) -> _Array:
    counts = np.bincount(bins.ravel(), weights.ravel(), BINS**3).reshape((BINS,) * 3)
    counts = smoothed(counts, "constant")
    return (counts / max(float(counts.sum()), 1e-6) + 1e-5).astype(np.float32)


def smoothed(counts: Counts, beyond: Literal["constant", "edge"]) -> Counts:
    """A histogram (n, n, n) of which every bin gives its neighbours a quarter, axis by axis.

    Args:
        beyond: what lies beyond the outermost bins: nothing, or as much as in them.
    """
    bins = len(counts)
    for axis in range(3):
        beside = np.pad(counts, [(1, 1) if a == axis else (0, 0) for a in range(3)], beyond)
        before, after = beside.take(range(bins), axis), beside.take(range(2, bins + 2), axis)
        counts = 0.5 * counts + 0.25 * (before + after)
    return counts
