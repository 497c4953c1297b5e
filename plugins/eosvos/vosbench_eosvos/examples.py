"""From frames and masks to what fine-tuning learns from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vosbench.types import Frame, Image, Mask, Scores
from vosbench_eosvos.boxprop import scale_box, tight_box
from vosbench_eosvos.conventions import CONVENTIONS
from vosbench_eosvos.features import FrameFeatures
from vosbench_eosvos.finetune import (
    Batches,
    Example,
    cycle,
    device_of,
    join,
    make_example,
    to_tensor,
)
from vosbench_eosvos.imagined import imagined_view
from vosbench_eosvos.model import MaskRCNN
from vosbench_eosvos.variants import Settings
from vosbench_learning.backbone import StageOutputs
from vosbench_learning.copies import random_copy
from vosbench_learning.seeds import derive_seed
from vosbench_learning.working_size import mask_to_size, to_size, working_size

#: A frame and the object in it -> another image and the object there.
Draw = Callable[[Image, Mask, np.random.Generator], tuple[Image, Mask]]


class Examples:
    """Looks at frames with the stages that never learn, and makes examples of them.

    Args:
        model: only its leading `depth` stages are used.
    """

    def __init__(self, model: MaskRCNN, depth: int, settings: Settings) -> None:
        self._model = model
        self._depth = depth
        self._settings = settings
        self._conventions = CONVENTIONS[settings.conventions]

    def look(self, image: Image) -> FrameFeatures:
        """A frame at working size, as the stages that never learn see it."""
        settings = self._settings
        size = working_size(
            (image.shape[0], image.shape[1]),
            settings.short_side,
            long_side=settings.long_side,
            enlarge=settings.enlarge,
        )
        working = to_size(image, size, interpolate=self._conventions.interpolate)
        return FrameFeatures(self._model, self._depth, to_tensor(working, device_of(self._model)))

    def example(self, features: StageOutputs, mask: Mask | Scores) -> Example:
        """A frame and the object in it.

        Args:
            mask: (H, W) at native size, NaN where no loss may look.
        """
        nearest = self._conventions.interpolate
        target = mask_to_size(mask >= 0.5, features.size, nearest=nearest).astype(np.float32)
        if (unsure := np.isnan(mask)).any():
            target[mask_to_size(unsure, features.size, nearest=nearest)] = np.nan
        box = tight_box(mask >= 0.5)
        scaled = scale_box(box, mask.shape, features.size) if box else None
        return make_example(self._model, features, target, self._depth, scaled)

    def batches(
        self, frame: Frame, mask: Mask, itself: Example, seed: tuple[int, ...], *, alone: bool
    ) -> Batches:
        """What each step of fine-tuning on the given frame learns from, see `Settings.learn_from`.

        Args:
            mask: (H, W), not empty. itself: the frame as it is. seed: of views and copies.
            alone: no other object is known. Views, which leave out most of the frame, teach too
                little of others.
        """
        settings = self._settings
        as_given = cycle([itself])

        def drawn(step: int, draw: Draw, count: int) -> Example:
            random = np.random.default_rng(derive_seed(*seed, step))
            pairs = [draw(frame.image, mask, random) for _ in range(count)]
            return join([self.example(self.look(image).whole(), inside) for image, inside in pairs])

        def in_turn(step: int) -> Example:
            return drawn(step, imagined_view, 1) if step % 2 else as_given(step // 2)

        if settings.learn_from == "copies":
            return lambda step: drawn(step, random_copy, settings.batch)
        return in_turn if settings.learn_from == "views" and alone else as_given
