"""The feature pyramid, each level computed when it is first asked for, and where it is read.

Level 2 (stride 4) costs more than the others together; in the light model, only the masks of small
objects read it, and only around the object.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import FeaturePyramidNetwork

from vosbench_learning.norm import GroupNorm, Moments

#: The coarsest level with a map of the backbone.
_TOP = 5

#: The level that is computed in parts.
_FINEST = 2

#: Sides of parts are multiples of so many cells: a new shape costs the first convolution that has
#: it.
_STEP = 16

#: Share of the level from which on all of it is computed.
_WHOLE = 0.5


@dataclass(frozen=True)
class Part:
    """Some of a level of the pyramid, or all of it.

    Attributes:
        values: (B, C, h, w).
        top, left: row and column of the level that come first in `values`.
        size: height and width of the whole level.
    """

    values: Tensor
    top: int
    left: int
    size: tuple[int, int]


class Pyramid:
    """What `FeaturePyramidNetwork` with a `LastLevelMaxPool` returns for a batch, level by level.

    Args:
        fpn: its layers.
        taps: the backbone's maps at strides 4, 8, 16 and 32.
        moments: by which group norms divide, by the name of the block of layers, instead of what
            they see here: of a whole image, where the taps are of a part of it.

    Attributes:
        moments: those that group norms have divided by so far, where no gradient is asked for.
    """

    def __init__(
        self,
        fpn: FeaturePyramidNetwork,
        taps: Sequence[Tensor],
        moments: Mapping[str, Moments] | None = None,
    ) -> None:
        self._fpn = fpn
        self._taps = taps
        self.moments = dict(moments or {})
        self._merged: dict[int, Tensor] = {}
        self._levels: dict[int, Tensor] = {}

    def __getitem__(self, level: int) -> Tensor:
        """(B, C, H / 2**level, W / 2**level) for a level from 2 to 6."""
        if level not in self._levels:
            self._levels[level] = (
                F.max_pool2d(self[_TOP], 1, 2)
                if level > _TOP
                else self._through("layer", level, self._merge(level))
            )
        return self._levels[level]

    def around(self, level: int, boxes: Tensor) -> Part:
        """At least what `roi_align` reads of a level for `boxes` (N, 4), in pixels of the image.

        The finest level is computed around the boxes only. A group norm has the statistics of the
        whole level even then, taken from a ninth of its cells: values differ by one to two in a
        hundred from those of the whole level.
        """
        if level == _FINEST and level not in self._levels and len(boxes):
            height, width = self._taps[0].shape[-2:]
            # A RoI has at least one cell.
            ends = boxes[:, 2:].maximum(boxes[:, :2] + 2**level)
            low, high = boxes[:, :2].amin(0), ends.amax(0)
            x1, y1, x2, y2 = (v / 2**level for v in (*low.tolist(), *high.tolist()))
            top, rows = _span(y1, y2, height)
            left, columns = _span(x1, x2, width)
            if rows * columns < _WHOLE * height * width:
                return Part(self._cells(top, left, rows, columns), top, left, (height, width))
        values = self[level]
        return Part(values, 0, 0, (values.shape[2], values.shape[3]))

    def _cells(self, top: int, left: int, rows: int, columns: int) -> Tensor:
        """Some cells of the finest level: (B, C, rows, columns)."""
        convolution, *norms = self._fpn.layer_blocks[_FINEST - 2]
        merged = self._merge(_FINEST)
        # One more cell on every side where there is one: the filters are 3x3.
        above, before = min(top, 1), min(left, 1)
        seen = merged[:, :, top - above : top + rows + 1, left - before : left + columns + 1]
        cells: Tensor = convolution(seen)[:, :, above : above + rows, before : before + columns]
        for norm in norms:
            assert isinstance(norm, GroupNorm)
            name = _block("layer", _FINEST)
            moments = self.moments.get(name) or norm.moments(_every_third(merged, convolution))
            cells, self.moments[name] = norm.normalise(cells, moments)
        return cells

    def _merge(self, level: int) -> Tensor:
        """The backbone's map plus all that is coarser, before the level's own convolution."""
        if level not in self._merged:
            merged = self._through("inner", level, self._taps[level - 2])
            if level < _TOP:
                coarse = self._merge(level + 1)
                merged = merged + F.interpolate(coarse, size=merged.shape[-2:], mode="nearest")
            self._merged[level] = merged
        return self._merged[level]

    def _through(self, kind: str, level: int, x: Tensor) -> Tensor:
        """What a block of layers makes of `x` (B, C, H, W)."""
        block, name = getattr(self._fpn, f"{kind}_blocks")[level - 2], _block(kind, level)
        if torch.is_grad_enabled():
            return cast(Tensor, block(x))
        convolution, *norms = block
        y: Tensor = convolution(x)
        for norm in norms:
            assert isinstance(norm, GroupNorm)
            y, self.moments[name] = norm.normalise(y, self.moments.get(name))
        return y


def _block(kind: str, level: int) -> str:
    return f"{kind} {level}"


def _every_third(x: Tensor, convolution: nn.Conv2d) -> Tensor:
    """What a 3x3 convolution makes of every third row and column of `x` (B, C, H, W): one matrix
    product, (B, K, H // 3 * W // 3)."""
    batch, channels, height, width = x.shape
    rows, columns = height // 3, width // 3
    # Channels come last in memory: in this order nothing is transposed, forwards or backwards.
    cells = x.permute(0, 2, 3, 1)[:, : 3 * rows, : 3 * columns]
    cells = cells.reshape(batch, rows, 3, columns, 3, channels).transpose(2, 3)
    cells = cells.reshape(batch, rows * columns, 9 * channels)
    filters = convolution.weight.permute(0, 2, 3, 1).reshape(len(convolution.weight), -1)
    return F.linear(cells, filters, convolution.bias).transpose(1, 2)


def _span(low: float, high: float, limit: int) -> tuple[int, int]:
    """First cell and number of cells that bilinear samples from `low` to `high` touch, and some
    more, of `limit` cells."""
    first = min(max(math.floor(low), 0), limit - 1)
    last = min(math.floor(high) + 2, limit)  # exclusive
    length = min(-(-(last - first) // _STEP) * _STEP, limit)
    return min(first, limit - length), length
