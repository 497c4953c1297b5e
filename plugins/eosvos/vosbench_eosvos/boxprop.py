"""Box propagation: where an object was tells the detector where to look next.

The region proposal network knows nothing of the past. Copies of the object's last box, every side
moved outward at random, join its proposals (e-OSVOS, NeurIPS 2020, sec. 3.3).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vosbench.types import Mask

Box = tuple[float, float, float, float]


def tight_box(mask: Mask) -> Box | None:
    """The smallest box around `mask` (H, W), or None if it is empty.

    Returns:
        x1, y1, x2, y2 in pixels; the right and lower edge are exclusive, so a single pixel has
        sides of length 1.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    if not rows.size:
        return None
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def scale_box(box: Box, size: tuple[int, ...], to: tuple[int, int]) -> Box:
    """A box of an image of `size` (height, width) in one of size `to`."""
    down, across = to[0] / size[0], to[1] / size[1]
    return box[0] * across, box[1] * down, box[2] * across, box[3] * down


def propagate(
    box: Box,
    copies: int,
    size: tuple[int, int],
    generator: torch.Generator,
    *,
    amount: float = 0.1,
    itself: bool = True,
) -> Tensor:
    """Grown copies of a box.

    Args:
        box: x1, y1, x2, y2 in pixels.
        copies: number of boxes returned.
        size: (height, width) of the image, to which the copies are clipped.
        generator: a CPU generator to draw from.
        amount: each side moves outward by a share of the box's extent in [0, amount).
        itself: the first one is `box`, unmoved.

    Returns:
        (copies, 4) float32 on the CPU.
    """
    x1, y1, x2, y2 = box
    extent = torch.tensor([x1 - x2, y1 - y2, x2 - x1, y2 - y1])  # outward is down for x1 and y1
    moves = torch.rand(copies, 4, generator=generator) * amount
    if itself:
        moves[:1] = 0
    boxes = torch.tensor(box) + moves * extent
    height, width = size
    return boxes.clamp(min=0).minimum(torch.tensor([width, height, width, height]))
