"""The size and precision at which a network sees frames."""

from __future__ import annotations

import math
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from vosbench.types import Image, Mask

#: A frame as a network takes it: RGB (H, W, 3), uint8, or float32 in 0..1.
NetworkImage = Image | NDArray[np.float32]


def bfloat16_pays(device: torch.device) -> bool:
    """Whether the device multiplies faster in bfloat16 than in float32."""
    if device.type == "cuda":  # Ampere and later
        return torch.cuda.get_device_capability(device) >= (8, 0)
    described = Path("/proc/cpuinfo")
    return described.is_file() and processor_gains(described.read_text(errors="replace"))


def processor_gains(described: str) -> bool:
    """Whether a processor gains by bfloat16, from what Linux says of it in /proc/cpuinfo.

    AMX does, and AVX-512 BF16 of AMD; that of Intel alone is slower than float32
    (`benchmarks/finetune.md`).
    """
    words = set(described.split())
    return "amx_bf16" in words or {"avx512_bf16", "AuthenticAMD"} <= words


def working_size(
    size: tuple[int, int], short_side: int, *, long_side: int = 0, enlarge: bool = False
) -> tuple[int, int]:
    """Height and width at which the model sees frames of `size`.

    Larger frames are shrunk to `short_side` pixels, smaller ones enlarged where that is asked for,
    but never beyond `long_side`; 0 stands for no limit. A size limited by `long_side` is rounded
    down, as torchvision does.
    """
    scale = short_side / min(size) if short_side else 1.0
    if scale > 1 and not enlarge:
        scale = 1.0
    if long_side:
        scale = min(scale, long_side / max(size))
    if scale == 1:
        return size
    to_whole = math.floor if long_side else round
    height, width = (max(1, to_whole(side * scale)) for side in size)
    return height, width


def to_size(image: Image, size: tuple[int, int], *, interpolate: bool = False) -> NetworkImage:
    """The frame (H, W, 3) at another (height, width).

    Args:
        interpolate: bilinearly between real numbers, in float32; else means over areas where it
            shrinks, in whole grey levels.
    """
    if image.shape[:2] == size:
        return image
    resized: NetworkImage
    if interpolate:
        values = image.astype(np.float32) / np.float32(255)
        resized = np.asarray(
            cv2.resize(values, size[::-1], interpolation=cv2.INTER_LINEAR), np.float32
        )
        return resized
    how = cv2.INTER_AREA if size[0] < image.shape[0] else cv2.INTER_LINEAR
    return cast(Image, cv2.resize(image, size[::-1], interpolation=how))


def to_working_size(image: Image, short_side: int, *, enlarge: bool = False) -> Image:
    """The frame (H, W, 3) at `working_size`, in whole grey levels."""
    size = working_size((image.shape[0], image.shape[1]), short_side, enlarge=enlarge)
    return cast(Image, to_size(image, size))


def mask_to_size(mask: Mask, size: tuple[int, int], *, nearest: bool = False) -> Mask:
    """A mask (H, W) at another size; an object that is there at all keeps at least one pixel,
    unless only the `nearest` pixel decides."""
    if mask.shape == size:
        return mask
    if nearest:
        return cv2.resize(mask.astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST) > 0
    share = cv2.resize(mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
    threshold = min(0.5, float(share.max()))
    inside: Mask = (share >= threshold) & (share > 0)
    return inside
