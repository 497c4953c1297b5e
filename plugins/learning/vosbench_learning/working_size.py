"""The size and precision at which a network sees frames."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
import torch

from vosbench.types import Image, Mask


def bfloat16_pays(device: torch.device) -> bool:
    """Whether the device multiplies in bfloat16 natively."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported())


def to_working_size(image: Image, short_side: int, *, enlarge: bool = False) -> Image:
    """The frame (H, W, 3) at the size at which the model sees it.

    Larger frames are shrunk to `short_side` pixels, smaller ones enlarged where that is asked for;
    0 keeps the native size.
    """
    height, width = image.shape[:2]
    scale = short_side / min(height, width)
    if short_side == 0 or scale == 1 or (scale > 1 and not enlarge):
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cast(Image, cv2.resize(image, size, interpolation=how))


def mask_to_size(mask: Mask, size: tuple[int, int]) -> Mask:
    """A mask (H, W) at another size; an object that is there at all keeps at least one pixel."""
    if mask.shape == size:
        return mask
    share = cv2.resize(mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
    threshold = min(0.5, float(share.max()))
    inside: Mask = (share >= threshold) & (share > 0)
    return inside
