"""Frames and label maps small enough to lie in a page, or to be sent to one.

Frames are scaled down and stored as WebP. The label maps of one frame, the annotation's and every
run's, are scaled to the same size and packed together; the browser paints overlays from them.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Collection, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from zlib_ng import zlib_ng

from vosbench.types import Image, LabelMap

#: WebP quality, 0..100, and effort, 0..6: twice as fast as the default for 5 % more bytes.
QUALITY, EFFORT = 60, 2


def thin(indices: Sequence[int], count: int, keep: Collection[int] = ()) -> list[int]:
    """At most `count` of `indices`, evenly spread with the first and the last, and besides them
    those of `keep`; ascending."""
    kept = set(keep) & set(indices)
    if indices:
        places = np.linspace(0, len(indices) - 1, min(count, len(indices)))
        kept |= {indices[round(place)] for place in places}
    return sorted(kept)


def scaled_size(height: int, width: int, target: int) -> tuple[int, int]:
    """(height, width) of a picture at most `target` pixels wide, its proportions kept."""
    factor = min(1.0, target / width)
    return max(1, round(height * factor)), max(1, round(width * factor))


def pack_image(image: Image, size: tuple[int, int]) -> bytes:
    """`image` (H, W, 3) at `size` (height, width) as WebP."""
    small = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
    packed = io.BytesIO()
    PillowImage.fromarray(small).save(packed, "WEBP", quality=QUALITY, method=EFFORT)
    return packed.getvalue()


def pack_maps(maps: Sequence[LabelMap | None], size: tuple[int, int]) -> bytes:
    """Label maps (H, W) of one frame at `size` (height, width), None for one that is missing.

    A zlib stream of: one byte a map, 1 if it is there and 0 if not; then row by row, and in each
    row map by map, one byte a pixel, XORed with the pixel above it. Maps of one frame are alike,
    as are rows, so that this is a tenth of what PNG needs.
    """
    there = [
        cv2.resize(labels, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
        for labels in maps
        if labels is not None
    ]
    head = bytes(labels is not None for labels in maps)
    if not there:
        return zlib_ng.compress(head)
    rows: NDArray[np.uint8] = np.stack(there, axis=1).astype(np.uint8, copy=False)
    rows[1:] = rows[1:] ^ rows[:-1]
    return zlib_ng.compress(head + rows.tobytes(), 6)


def address(data: bytes, kind: str) -> str:
    """`data` as a `data:` address that browsers understand."""
    return f"data:{kind};base64,{text(data)}"


def text(data: bytes) -> str:
    """`data` in base64."""
    return base64.b64encode(data).decode("ascii")
