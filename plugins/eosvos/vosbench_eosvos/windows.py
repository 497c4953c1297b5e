"""How far an object can go: the prior on its box from one frame to the next.

A detector that has learned one object from one frame now and then takes half of the image for it,
with a score near one. Continuity alone then makes things worse: the next frame is compared with
that box. So a box is judged by its expected box *and* a window of past frames, and one that fits
neither is refused however high its score. "Not there" is then the answer, and the longer it holds,
the further away the object may come back.

The limits come from the annotations of DAVIS-2016 train: from one frame to the next the box's area
changes by a factor of 1.13 in nine of ten cases and of 1.9 in 99 of a hundred; at a third of the
frame rate, of 1.3 and 2.2, and its centre then moves by up to 2.1 box sides in one of a thousand.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torchvision.ops import box_iou

from vosbench_eosvos.boxprop import Box

#: Frames in which the object was seen that a new box is compared with.
KEPT = 9

#: Largest change of the box's area, as a factor either way, against the expected box and against
#: the window's median.
SUDDEN, GRADUAL = 2.2, 2.5

#: Largest way of the box's centre in a frame, in sides of the expected box (roots of its area).
WAY = 2.5

#: Largest area of the last box of an object on its way out, as a share of the window's median.
LEAVING = 0.7

#: How near to a side of the frame a box touches it, as a share of the frame's short side.
AT_SIDE = 0.02


@dataclass
class Window:
    """The boxes of one object in the last frames in which it was seen.

    Attributes:
        past: (frame index, box, pixels of the mask), oldest first.
    """

    past: deque[tuple[int, Box, int]] = field(default_factory=lambda: deque(maxlen=KEPT))

    def observe(self, index: int, box: Box, area: int) -> None:
        """Take note of the object's box in frame `index`, and of the area of its mask."""
        self.past.append((index, box, area))

    def largest(self) -> int:
        """Pixels of its largest mask."""
        return max((area for *_, area in self.past), default=0)

    def gap(self, index: int) -> int:
        """Frames since the object was last detected, in frame `index`."""
        return index - self.past[-1][0]

    def misfit(self, boxes: Tensor, index: int, expected: Box) -> Tensor:
        """How badly boxes (n, 4) of frame `index` fit the past: (n,), above 1 is impossible.

        The area has to fit the expected box or the window's median: an object that grows fits the
        one, an object that comes out from behind another the other. What is possible grows with
        the frames since the object was last seen.

        Args:
            expected: where the object should be by now.
        """
        gap = max(1, self.gap(index))
        before = boxes.new_tensor([expected])
        known = self._boxes().to(boxes)
        sudden = (_area(boxes) / _area(before)).log().abs() / math.log(SUDDEN)
        gradual = (_area(boxes) / _area(known).median()).log().abs() / math.log(GRADUAL)
        way = (_centre(boxes) - _centre(before)).norm(dim=1) / (WAY * _area(before).sqrt())
        return torch.maximum(torch.minimum(sudden, gradual) / gap**0.25, way / gap)

    def overlap(self, boxes: Tensor) -> Tensor:
        """Of each of boxes (n, 4), the largest overlap (IoU) with one of the past: (n,)."""
        overlaps: Tensor = box_iou(boxes, self._boxes().to(boxes))
        return overlaps.amax(1)

    def leaving(self, last: Box) -> bool:
        """Whether an object that was seen last in the box `last` showed only a part of itself."""
        usual = _area(self._boxes()).median()
        return bool(_area(torch.tensor([last])) <= LEAVING * usual)

    def _boxes(self) -> Tensor:
        return torch.tensor([box for _, box, _ in self.past])


def comes_back(boxes: Tensor, last: Box, size: tuple[int, int]) -> Tensor:
    """Which boxes (n, 4) an object can have that went out of the frame: (n,).

    One that was last seen at a side of it has left there, and comes in there again.
    """
    left = _at_sides(boxes.new_tensor([last]), size)
    return (_at_sides(boxes, size) & left).any(1) | ~left.any()


def _at_sides(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Whether boxes (n, 4) touch the frame's left, upper, right and lower side: (n, 4)."""
    height, width = size
    gaps = torch.cat([boxes[:, :2], boxes.new_tensor([width, height]) - boxes[:, 2:]], 1)
    return gaps <= AT_SIDE * min(size)


def _area(boxes: Tensor) -> Tensor:
    return ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).clamp(min=1.0)


def _centre(boxes: Tensor) -> Tensor:
    return (boxes[:, :2] + boxes[:, 2:]) / 2
