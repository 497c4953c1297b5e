"""Where to look for an object, with `crop`: around where it is expected. Cost follows the object.

Group norm would see less background in a region than in the whole frame, so it divides by the
moments of the last frame that was seen whole. Filters see less, too, and tell an object from its
likes less well: what is not found for sure, elsewhere than expected, or cut off, is looked for in
the whole frame, and so is what has another object near (figures: `benchmarks/finetune.md`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from vosbench_eosvos.boxprop import Box
from vosbench_learning.backbone import CELL, StageOutputs, padded
from vosbench_learning.norm import Moments

#: Margin on every side of the box, in box sides (root of its area), half a cell at least; the least
#: side of a region, in pixels.
MARGIN, LEAST = 0.25, 256

#: Sides are multiples of this many pixels: every new shape costs the first frame that has it.
STEP = 2 * CELL

#: Least score of a detection, in the frame before and in the region, for which a part is enough.
SURE = 0.8

#: Least overlap (IoU) of a detection in the region with the expected box: boxes there are proposed
#: around that one alone, which may be wrong.
PLACED = 0.7

#: Pixels from a side of the region within which a box is cut off by it.
NEAR = 8

#: Share of the image from which on the whole image is looked at.
WHOLE = 0.7

#: Frames from one that is looked at as a whole to the next.
EVERY = 10


@dataclass(frozen=True)
class Overview:
    """The last frame that was looked at as a whole.

    Attributes:
        index: of the frame.
        moments: what the pyramid's group norms divided by.
    """

    index: int
    moments: Mapping[str, Moments]

    def serves(self, index: int) -> bool:
        """Whether in frame `index` a part is enough."""
        return index - self.index < EVERY


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

    def grown(self, size: tuple[int, int]) -> Region:
        """With a cell more on every side where an image of `size` has one."""
        top, left = max(self.top - CELL, 0), max(self.left - CELL, 0)
        bottom = min(self.top + self.height + CELL, size[0])
        right = min(self.left + self.width + CELL, size[1])
        return Region(top, left, bottom - top, right - left)

    def inside(self, box: Box) -> Box:
        """A box of the image, in the region's own pixels."""
        return box[0] - self.left, box[1] - self.top, box[2] - self.left, box[3] - self.top

    def holds(self, box: Sequence[float], size: tuple[int, int]) -> bool:
        """Whether a box of an image of `size` ends inside, or where the image does. What a side of
        the region cuts off can be anything."""
        starts, lengths = (self.left, self.top), (self.width, self.height)
        return all(
            (start == 0 or low >= start + NEAR)
            and (start + length == limit or high <= start + length - NEAR)
            for low, high, start, length, limit in zip(
                box[:2], box[2:], starts, lengths, size[::-1], strict=True
            )
        )

    def meets(self, box: Box) -> bool:
        """Whether some of a box of the image lies in the region."""
        x1, y1, x2, y2 = self.inside(box)
        return x1 < self.width and x2 > 0 and y1 < self.height and y2 > 0

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
    margin = max(MARGIN * (max(x2 - x1, 0.0) * max(y2 - y1, 0.0)) ** 0.5, CELL / 2)
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
