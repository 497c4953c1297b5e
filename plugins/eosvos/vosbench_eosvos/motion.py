"""Where an object's pixels went: dense optical flow carries its last mask into the next frame.

The box of the carried mask is where the detector is asked to look, and what its detections are
compared with: an object that grows or moves fast is then held to its new size and place, not to its
last. The carried mask itself decides between objects that claim the same pixels (`rivals.settle`).
The flow (DIS, Kroeger et al., ECCV 2016; OpenCV's) runs from the new frame to the last, once for
all objects, at reduced size.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vosbench.types import Image, Mask, Scores
from vosbench_eosvos.boxprop import Box

#: Frames are compared at about this short side.
SIDE = 240

#: Least side at which the flow is computed: on smaller images OpenCV's reads beyond them.
LEAST = 128

#: Share of the carried mask's area that may lie outside of its box on each side: flow frays it.
FRAYED = 0.005


class Motion:
    """Follows pixels from one frame to the next, in frames shown one after the other."""

    def __init__(self, image: Image) -> None:
        fast = cv2.DISOPTICAL_FLOW_PRESET_FAST
        self._flow = cv2.DISOpticalFlow_create(fast)  # type: ignore[attr-defined]
        self._last = _grey(image)
        self._moves: NDArray[np.float32] | None = None

    def see(self, image: Image) -> None:
        """Show the next frame; `carry` then goes from the one before into this one."""
        now = _grey(image)
        self._moves = self._flow.calc(now, self._last, None)
        self._last = now

    def carry(self, mask: Mask) -> tuple[Box, Scores] | None:
        """Where what was `mask` (H, W) in the frame before is in the present one.

        Returns:
            Its box x1, y1, x2, y2 in pixels of `mask`, and the share (H, W) of each pixel that it
            covers; None if it left the frame.
        """
        assert self._moves is not None
        height, width = self._moves.shape[:2]
        small = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        there = cv2.remap(small, x + self._moves[..., 0], y + self._moves[..., 1], cv2.INTER_LINEAR)
        if there.sum() < 1:
            return None
        x1, x2 = _span(there.sum(0))
        y1, y2 = _span(there.sum(1))
        across, down = mask.shape[1] / width, mask.shape[0] / height
        carried = cv2.resize(there, mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
        box = x1 * across, y1 * down, x2 * across, y2 * down
        return box, np.asarray(carried, np.float32)


def _span(profile: NDArray[np.float32]) -> tuple[float, float]:
    """First and last (exclusive) index between which all but the frayed ends of `profile` lie."""
    share = np.cumsum(profile) / profile.sum()
    first = int(np.searchsorted(share, FRAYED, side="right"))
    last = int(np.searchsorted(share, 1 - FRAYED))
    return float(first), float(last + 1)


def _grey(image: Image) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    scale = min(1.0, SIDE / min(height, width))
    size = (max(LEAST, round(width * scale)), max(LEAST, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(image, size, interpolation=how)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
