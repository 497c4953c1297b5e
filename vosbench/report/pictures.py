"""Frames and label maps small enough to lie in a page.

Frames are thinned, scaled down and stored as WebP. Label maps are scaled to the same size and
stored as runs of equal pixels; the browser paints overlays from them.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vosbench.types import Image, LabelMap

#: WebP quality, 0..100.
QUALITY = 60


def thin(indices: Sequence[int], count: int, keep: Collection[int] = ()) -> list[int]:
    """At most `count` of `indices`, evenly spread with the first and the last, and besides them
    those of `keep`; ascending."""
    kept = set(keep) & set(indices)
    if indices:
        places = np.linspace(0, len(indices) - 1, min(count, len(indices)))
        kept |= {indices[round(place)] for place in places}
    return sorted(kept)


def scaled_size(height: int, width: int, target: int) -> tuple[int, int]:
    """(height, width) of a picture at most `target` pixels wide, its proportions kept."""
    factor = min(1.0, target / width)
    return max(1, round(height * factor)), max(1, round(width * factor))


def picture_address(image: Image, size: tuple[int, int]) -> str:
    """`image` (H, W, 3) at `size` (height, width), as a `data:` address that browsers show."""
    small = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    return "data:image/webp;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def pack_labels(labels: LabelMap, size: tuple[int, int]) -> str:
    """`labels` (H, W) at `size` (height, width) as base64 of its runs in row order: for each run
    the label (one byte) and its length (LEB128: seven bits a byte, lowest first, the eighth says
    that more follow)."""
    small = cv2.resize(labels, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT).ravel()
    starts = np.concatenate([[0], np.flatnonzero(small[1:] != small[:-1]) + 1])
    lengths: NDArray[np.int64] = np.diff(starts, append=small.size)
    rest = lengths[:, None] >> np.array([0, 7, 14, 21, 28])
    more = rest[:, 1:] > 0
    digits = (rest[:, :4] & 127) | (more << 7)
    used = np.ones((len(starts), 5), np.bool_)
    used[:, 2:] = more[:, :3]
    data = np.column_stack([small[starts], digits]).astype(np.uint8)[used]
    return base64.b64encode(data.tobytes()).decode("ascii")
