"""Label maps as PNG files in memory. Needs numpy only, for trackers' processes use it too."""

from __future__ import annotations

import functools
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encode_labels(labels: NDArray[np.uint8]) -> bytes:
    """The bytes of an unfiltered 8-bit palette PNG (PNG specification, 3rd ed.) of (H, W) uint8.

    Label maps are runs of one value, so zlib's lowest level is already small; it is ten times
    faster to write than Pillow's default and several times faster to read.
    """
    height, width = labels.shape
    rows = np.zeros((height, width + 1), np.uint8)  # filter type 0, then the row
    rows[:, 1:] = labels
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", davis_palette().tobytes()),
        (b"IDAT", zlib.compress(rows.data, 1)),
        (b"IEND", b""),
    )
    return PNG_SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


@functools.cache
def davis_palette() -> NDArray[np.uint8]:
    """Colours of object ids (256, 3) uint8 RGB, read-only, as in DAVIS and PASCAL VOC: the bits
    of an id dealt out to red, green and blue, highest first."""
    ids = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for channel in range(3):
        for step in range(3):
            bit = ids >> (3 * step + channel) & 1
            palette[:, channel] |= (bit << (7 - step)).astype(np.uint8)
    palette.flags.writeable = False
    return palette
