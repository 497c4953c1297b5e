"""The feature pyramid, each level computed when it is first asked for.

Level 2 (stride 4) costs more than the others together; in the light model, only the masks of small
objects read it.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import FeaturePyramidNetwork

#: The coarsest level with a map of the backbone.
_TOP = 5


class Pyramid:
    """What `FeaturePyramidNetwork` with a `LastLevelMaxPool` returns for a batch, level by level.

    Args:
        fpn: its layers.
        taps: the backbone's maps at strides 4, 8, 16 and 32.
    """

    def __init__(self, fpn: FeaturePyramidNetwork, taps: Sequence[Tensor]) -> None:
        self._fpn = fpn
        self._taps = taps
        self._merged: dict[int, Tensor] = {}
        self._levels: dict[int, Tensor] = {}

    def __getitem__(self, level: int) -> Tensor:
        """(B, C, H / 2**level, W / 2**level) for a level from 2 to 6."""
        if level not in self._levels:
            self._levels[level] = (
                F.max_pool2d(self[_TOP], 1, 2)
                if level > _TOP
                else self._fpn.layer_blocks[level - 2](self._merge(level))
            )
        return self._levels[level]

    def _merge(self, level: int) -> Tensor:
        """The backbone's map plus all that is coarser, before the level's own convolution."""
        if level not in self._merged:
            merged = self._fpn.inner_blocks[level - 2](self._taps[level - 2])
            if level < _TOP:
                coarse = self._merge(level + 1)
                merged = merged + F.interpolate(coarse, size=merged.shape[-2:], mode="nearest")
            self._merged[level] = merged
        return self._merged[level]
