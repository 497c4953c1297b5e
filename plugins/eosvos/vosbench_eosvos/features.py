"""A frame as the stages that never learn see it, computed where somebody looks.

At full size, they would be most of what a small object costs in a frame, for objects are mostly
looked for around their expected boxes only.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vosbench_eosvos.model import MaskRCNN
from vosbench_eosvos.surroundings import Region, whole_image
from vosbench_learning.backbone import StageOutputs


class FrameFeatures:
    """The outputs of a model's leading `depth` stages for one frame.

    Args:
        image: (1, 3, H, W) at working size, on the model's device.

    Attributes:
        size: (height, width) of the image.
    """

    def __init__(self, model: MaskRCNN, depth: int, image: Tensor) -> None:
        self._model = model
        self._depth = depth
        self._image = image
        self._whole: StageOutputs | None = None
        self._looked = 0
        self.size: tuple[int, int] = (image.shape[2], image.shape[3])

    def whole(self) -> StageOutputs:
        """What they see of all of it, computed once."""
        if self._whole is None:
            self._whole = self._look(whole_image(self.size))
        return self._whole

    def within(self, region: Region) -> StageOutputs:
        """What they see of a region, looking no further than a cell around it.

        A cell is further than the three stages see that do not learn in the model that ships, so
        the result is the same. Where regions of several objects add up to the image, it is looked
        at as a whole.
        """
        around = region.grown(self.size)
        self._looked += around.height * around.width
        if self._whole is not None or self._looked >= self.size[0] * self.size[1]:
            return region.cut(self.whole())
        inner = Region(region.top - around.top, region.left - around.left, *region.size)
        return inner.cut(self._look(around))

    @torch.no_grad()
    def _look(self, region: Region) -> StageOutputs:
        rows = slice(region.top, region.top + region.height)
        columns = slice(region.left, region.left + region.width)
        outputs: StageOutputs = self._model(self._image[..., rows, columns], stop=self._depth)
        return outputs
