"""Let a mask's outline follow the image: a colour guided filter over the probabilities.

A mask comes out of the network as 80x80 values, so its outline is rounder than the object's. The
filter explains the probabilities in every small window by a linear function of colour, which moves
the outline to the edge nearby (He et al., "Guided image filtering", ECCV 2010; at reduced size, as
in their "Fast guided filter", 2015). The paper of e-OSVOS has no such step; OSVOS snaps outlines to
contours too (CVPR 2017, sec. 3.3). What it gains: `benchmarks/finetune.md`.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vosbench.types import Image, Scores

#: Radius of the windows, as a share of the image's short side: 12 pixels at 480p.
RADIUS = 1 / 40

#: Colour variance (colours in 0..1) below which a window counts as flat and is merely smoothed.
FLAT = 1e-5

#: Windows are fitted in an image of about this short side.
FITTED_SIDE = 240

#: Probabilities below this are left out: the filter works around the object only.
NOTHING = 0.02

_Array = NDArray[np.float32]


def follow_edges(image: Image, probabilities: Scores) -> Scores:
    """Probabilities whose outline follows the edges of the image.

    Args:
        image: RGB uint8 (H, W, 3).
        probabilities: (H, W) of one object, in 0..1.

    Returns:
        (H, W) in 0..1; 0 further than a window's width from anything above `NOTHING`.
    """
    rows = np.flatnonzero((probabilities > NOTHING).any(1))
    columns = np.flatnonzero((probabilities > NOTHING).any(0))
    out: Scores = np.zeros_like(probabilities)
    if rows.size == 0:
        return out
    short = min(probabilities.shape)
    radius = max(1, round(RADIUS * short))
    margin = 2 * radius + 2
    near = (
        slice(max(rows[0] - margin, 0), rows[-1] + margin + 1),
        slice(max(columns[0] - margin, 0), columns[-1] + margin + 1),
    )
    colours = image[near].astype(np.float32) / np.float32(255)
    inside = np.ascontiguousarray(probabilities[near])
    slopes, offsets = _fit(colours, inside, radius, max(1, round(short / FITTED_SIDE)))
    out[near] = np.clip((slopes * colours).sum(-1) + offsets, 0, 1)
    return out


def _fit(colours: _Array, values: _Array, radius: int, shrink: int) -> tuple[_Array, _Array]:
    """Slopes (h, w, 3) and offsets (h, w) of the linear functions of colour around each pixel."""
    height, width = values.shape
    small, goal = (_resize(a, (width // shrink, height // shrink)) for a in (colours, values))
    window = (2 * max(1, radius // shrink) + 1,) * 2

    def mean(x: _Array) -> _Array:
        """Of every channel, over the window around each pixel."""
        channels = x.reshape(*goal.shape, -1).transpose(2, 0, 1).copy()
        return np.stack([cv2.blur(c, window) for c in channels], -1).reshape(x.shape)

    mean_colour, mean_goal = mean(small), mean(goal)
    covariance = mean(small * goal[..., None]) - mean_colour * mean_goal[..., None]
    i, j = np.triu_indices(3)
    products = mean(small[..., i] * small[..., j]) - mean_colour[..., i] * mean_colour[..., j]
    variance = np.empty((*goal.shape, 3, 3), np.float32)
    variance[..., i, j] = variance[..., j, i] = products
    variance += FLAT * np.eye(3, dtype=np.float32)
    slopes = np.linalg.solve(variance, covariance[..., None])[..., 0].astype(np.float32)
    offsets = mean_goal - (slopes * mean_colour).sum(-1)
    return _resize(mean(slopes), (width, height)), _resize(mean(offsets), (width, height))


def _resize(array: _Array, size: tuple[int, int]) -> _Array:
    """To (width, height) of at least one pixel: means when shrinking, else interpolated."""
    wanted = (max(1, size[0]), max(1, size[1]))
    shrinks = wanted[0] < array.shape[1] or wanted[1] < array.shape[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(array, wanted, interpolation=how), np.float32)
