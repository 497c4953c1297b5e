"""What the network for outlines sees: a crop around the object, scaled so that all are one size."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vosbench.types import Image, Mask, Scores
from vosbench_eosvos.boxprop import tight_box
from vosbench_eosvos.colours import smoothed
from vosbench_eosvos.outline.network import CELL

#: Side (root of its box's area) at which an object is looked at, in pixels of the crop.
SIDE = 160.0

#: Largest magnification of small objects.
LARGEST = 3.0

#: Margin around the object's box, as a share of its sides, and in pixels besides.
MARGIN, BESIDE = 0.2, 6

#: Bins of each colour channel.
BINS = 32

#: Width of the object's surroundings whose colours are compared with its own, as a share of its
#: side (root of its area), and at least, in pixels.
SURROUNDINGS, LEAST = 0.5, 10

Planes = NDArray[np.uint8]
Table = NDArray[np.uint8]


@dataclass(frozen=True)
class Sight:
    """Rows and columns of the frame that are looked at, and the crop's height and width."""

    rows: slice
    columns: slice
    size: tuple[int, int]


def sight_of(probabilities: Scores) -> Sight | None:
    """Around what is more likely the object than not; None if nothing is.

    Args:
        probabilities: (H, W) in 0..1.
    """
    box = tight_box(probabilities > 0.5)
    if box is None:
        return None
    x1, y1, x2, y2 = map(int, box)
    scale = min(LARGEST, SIDE / ((x2 - x1) * (y2 - y1)) ** 0.5)
    rows = _span(y1, y2, probabilities.shape[0])
    columns = _span(x1, x2, probabilities.shape[1])
    size = _cells((rows.stop - rows.start) * scale), _cells((columns.stop - columns.start) * scale)
    return Sight(rows, columns, size)


def _span(first: int, end: int, limit: int) -> slice:
    margin = int(MARGIN * (end - first)) + BESIDE
    return slice(max(0, first - margin), min(limit, end + margin))


def _cells(length: float) -> int:
    return max(1, round(length / CELL)) * CELL


def colour_table(image: Image, mask: Mask) -> Table:
    """How much likelier each colour is in an object than around it: (BINS, BINS, BINS), 0..255.

    Args:
        image: RGB uint8 (H, W, 3). mask: (H, W) of the object in it, not empty.
    """
    reach = max(LEAST, int(SURROUNDINGS * mask.sum() ** 0.5))
    near = cv2.dilate(mask.astype(np.uint8), np.ones((2 * reach + 1,) * 2, np.uint8))
    inside, outside = (_histogram(image[at]) for at in (mask, (near > 0) & ~mask))
    return np.asarray((inside + 1e-6) / (inside + outside + 2e-6) * 255, np.uint8)


def _histogram(colours: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Smoothed shares of colours (n, 3): (BINS, BINS, BINS)."""
    red, green, blue = (colours // (256 // BINS)).astype(np.int64).T
    flat = (red * BINS + green) * BINS + blue
    counts = np.bincount(flat, minlength=BINS**3).reshape((BINS,) * 3).astype(np.float32)
    return np.asarray(smoothed(counts, "edge") / max(1, len(colours)), np.float32)


def planes(
    image: Image, probabilities: Planes, carried: Planes, table: Table
) -> tuple[Planes, Planes]:
    """The six planes of the network's input, in two images of three, which OpenCV can transform.

    Args:
        image: RGB uint8 (h, w, 3). probabilities, carried: (h, w), 0..255. table: see
            `colour_table`.
    """
    red, green, blue = (image // (256 // BINS)).transpose(2, 0, 1)
    return image, np.dstack([probabilities, carried, table[red, green, blue]])


def as_bytes(share: Scores) -> Planes:
    """0..1 -> 0..255."""
    return np.asarray(np.rint(share * 255), np.uint8)
