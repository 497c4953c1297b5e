"""Where to look for an object, with `crop`: around where it is expected. Cost follows the object.

The stages that never learn see the whole frame once, for all objects; each object's own stages,
pyramid and heads see a region of their outputs. Group norm then sees less background than in the
whole frame, so fine-tuning learns from both in turn. What is not found in its surroundings is
looked for in the whole frame (figures: `benchmarks/finetune.md`).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vosbench_eosvos.boxprop import Box
from vosbench_learning.backbone import CELL, StageOutputs, padded

#: Margin on every side of the box, in box sides (root of its area), and the least side in pixels.
MARGIN, LEAST = 0.5, 256

#: Sides are multiples of this many pixels: every new shape costs the first frame that has it.
STEP = 2 * CELL

#: Share of the image from which on the whole image is looked at.
WHOLE = 0.7


@dataclass(frozen=True)
class Region:
    """A part of the working image, or all of it, in pixels; its corner lies on whole cells."""

    top: int
    left: int
    height: int
    width: int

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width

    @property
    def rows(self) -> slice:
        """Of the image; `columns` likewise."""
        return slice(self.top, self.top + self.height)

    @property
    def columns(self) -> slice:
        """See `rows`."""
        return slice(self.left, self.left + self.width)

    def inside(self, box: Box) -> Box:
        """A box of the image, in the region's own pixels."""
        return box[0] - self.left, box[1] - self.top, box[2] - self.left, box[3] - self.top

    def offset(self, boxes: Tensor) -> Tensor:
        """What to add to `boxes` (n, 4) of the region to have them in the image: (4,)."""
        return boxes.new_tensor([self.left, self.top, self.left, self.top])

    def cut(self, features: StageOutputs) -> StageOutputs:
        """What a backbone sees of the region, from what it sees of the image."""
        if self.size == features.size:
            return features
        return features.crop(self.top, self.left, self.height, self.width)


def whole_image(size: tuple[int, int]) -> Region:
    """All of an image of `size` (height, width)."""
    return Region(0, 0, *size)


def surroundings(box: Box, size: tuple[int, int]) -> Region:
    """The region around a box; the whole image where that is hardly more.

    Args:
        size: (height, width) of the image that the box is in.
    """
    x1, y1, x2, y2 = box
    margin = MARGIN * (max(x2 - x1, 0.0) * max(y2 - y1, 0.0)) ** 0.5
    top, height = _span(y1 - margin, y2 + margin, size[0])
    left, width = _span(x1 - margin, x2 + margin, size[1])
    if height * width >= WHOLE * size[0] * size[1]:
        return whole_image(size)
    return Region(top, left, height, width)


def _span(low: float, high: float, limit: int) -> tuple[int, int]:
    """Start and length of at least `low` to `high` in an image of `limit` pixels."""
    cells = padded(limit)
    length = max(high - low, LEAST)
    length = min(int(-(-length // STEP)) * STEP, cells)
    start = round(((low + high) / 2 - length / 2) / CELL) * CELL
    start = min(max(start, 0), cells - length)
    return start, min(length, limit - start)
