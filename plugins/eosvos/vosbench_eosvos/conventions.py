"""Where the reference implementation of e-OSVOS does the same in another way.

One tracker serves both: what differs is a value here, a number in `variants.Settings` or in the
model's configuration. Each is measured against the reference in `tests/eosvos/reference`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from torch import Tensor
from torchvision.models.detection.roi_heads import paste_masks_in_image

from vosbench.types import Scores
from vosbench_eosvos.detect import paste_all
from vosbench_eosvos.model.config import PAPER_LOSSES, ModelConfig
from vosbench_eosvos.variants import Settings

#: Least score of a detection that is where the object is expected, with `windows`; others need
#: `min_score`.
WEAK_SCORE = 0.2


@dataclass(frozen=True, kw_only=True)
class Conventions:
    """How a tracker does what can be done in several ways.

    Attributes:
        losses: changes of the model's configuration while fine-tuning.
        paste: mask logits (K, S, S) in boxes (K, 4) -> probabilities (H, W) of an image.
        interpolate: frames come to working size by bilinear interpolation in real numbers, masks by
            nearest neighbours (torchvision); else by means over areas, frames in whole grey levels.
        last_box_too: the object's last box is proposed as it was, not only moved copies of it.
        propose_in_padding: moved copies may reach into the padding of the image.
        forget_lost: a lost object is looked for where it was when the present range of frames
            began (the first frame, or the last online adaptation), and anywhere if it was lost
            there too; else where it was seen last.
    """

    losses: Mapping[str, Any] = field(default_factory=dict)
    paste: Callable[[Tensor, Tensor, tuple[int, int]], Scores] = paste_all
    interpolate: bool = False
    last_box_too: bool = True
    propose_in_padding: bool = False
    forget_lost: bool = False


def paste_in_whole_pixels(logits: Tensor, boxes: Tensor, size: tuple[int, int]) -> Scores:
    """Probabilities (H, W) of an image from mask logits (1, S, S) in a box (1, 4), as torchvision
    pastes them: probabilities are resized to a box of whole pixels, padded by one cell.

    One half counts as the object; it comes out just above, for `Prediction.label_map` leaves it
    out.
    """
    pasted = paste_masks_in_image(logits[:1, None].sigmoid().cpu(), boxes[:1].cpu(), size)
    probabilities: Scores = pasted[0, 0].numpy()
    probabilities[probabilities == 0.5] = np.nextafter(np.float32(0.5), np.float32(1))
    return probabilities


CONVENTIONS: dict[str, Conventions] = {
    "own": Conventions(),
    "paper": Conventions(
        losses=PAPER_LOSSES,
        paste=paste_in_whole_pixels,
        interpolate=True,
        last_box_too=False,
        propose_in_padding=True,
        forget_lost=True,
    ),
}


def tracking_config(trained: ModelConfig, settings: Settings) -> ModelConfig:
    """The configuration of a model as it was trained, changed as `settings` ask."""
    asked = {n: getattr(settings, n) for n in ("mask_window", "mask_scale", "mask_rois")}
    changes = {
        **CONVENTIONS[settings.conventions].losses,
        **{name: value for name, value in asked.items() if value},
    }
    kept = max(settings.proposals, settings.proposals_alone)
    config = replace(trained, **changes)
    return replace(
        config,
        pre_nms=(config.pre_nms[0], max(kept, config.pre_nms[1])),
        post_nms=(config.post_nms[0], kept),
        min_score=min(WEAK_SCORE, settings.min_score) if settings.windows else settings.min_score,
    )
