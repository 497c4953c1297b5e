"""Label maps out of PNG files, fast: the plain ones are inflated directly, all others by Pillow.

Evaluation is mostly decoding. A PNG of 8 bits a pixel with neither filter nor interlace, which is
what DAVIS, Pillow and vosbench itself write, is a header and one zlib stream of its rows.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from vosbench.errors import DatasetError
from vosbench.types import LabelMap

try:  # some ten times faster than zlib on label maps
    from zlib_ng.zlib_ng import decompressobj
except ImportError:  # a worker in another environment may lack it
    from zlib import decompressobj  # type: ignore[assignment]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">I4sIIBBBBB")
_CHUNK = struct.Struct(">I4s")
_COLOUR_TYPE = 25  # place of the byte that says it
_GREY, _PALETTE = 0, 3
_EXIF = b"eXIf"
_ORIENTATION = 0x0112
_WHITE = 0xFFFF  # in 16 bits
_MAX_PIXELS = 1 << 27
_STARTS = {
    b"\xff\xd8": "a JPEG",
    b"GIF8": "a GIF",
    b"BM": "a BMP",
    b"II*\0": "a TIFF",
    b"MM\0*": "a TIFF",
    b"RIFF": "a WebP or AVI",
    b"PK": "a zip or npz archive",
    b"\x93NUMPY": "a NumPy array",
    b"version https://git-lfs": "a pointer of Git LFS",
    b"<": "a page of HTML or XML",
}


def read_png_labels(path: Path) -> LabelMap:
    """The values of a PNG with a palette or in grey, of 1 to 8 bits a pixel, as (H, W) uint8,
    read-only: palette indices as they are, grey as Pillow reads it (1 bit is 0 and 1), also where
    it is stored as three equal colours or with an opacity that says nothing else.

    Raises:
        DatasetError: the file is missing or broken, its pixels are colours, its palette shows
            another index than 0 as background, or it is to be turned before it is shown.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DatasetError(f"{path} does not exist") from None
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}") from None
    return decode_png_labels(data, path)


def decode_png_labels(data: bytes, path: Path) -> LabelMap:
    """`read_png_labels` from the bytes of a file; `path` names it in errors."""
    if _EXIF in data:
        _refuse_turned(data, path)
    labels = _inflate(data)
    if labels is None:
        labels = _by_pillow(data, path)
    if data[_COLOUR_TYPE] == _PALETTE:
        _refuse_other_background(labels, data, path)
    return labels


def _inflate(data: bytes) -> LabelMap | None:
    """The labels (H, W) of a plain PNG; None if it is not plain, or broken."""
    if len(data) < 33 or not data.startswith(_SIGNATURE):
        return None
    length, kind, width, height, depth, colour, method, filters, interlace = _HEADER.unpack_from(
        data, 8
    )
    plain = (kind, length, depth, method, filters, interlace) == (b"IHDR", 13, 8, 0, 0, 0)
    if not plain or colour not in (_GREY, _PALETTE) or not 0 < width * height <= _MAX_PIXELS:
        return None
    if zlib.crc32(data[12:29]) != int.from_bytes(data[29:33], "big"):
        return None
    stream = _zlib_stream(data)
    size = height * (width + 1)
    inflater = decompressobj()
    try:
        rows = inflater.decompress(stream, size + 1)
    except Exception:  # each zlib has an error class of its own; Pillow will say what is wrong
        return None
    if len(rows) != size or not inflater.eof:
        return None
    lines = np.frombuffer(rows, np.uint8).reshape(height, width + 1)
    if lines[:, 0].any():
        return None
    labels: LabelMap = lines[:, 1:]
    return labels


def _zlib_stream(data: bytes) -> bytes:
    parts = []
    at = 8
    while at + 12 <= len(data):
        length, kind = _CHUNK.unpack_from(data, at)
        if kind == b"IDAT":
            parts.append(data[at + 8 : at + 8 + length])
        elif kind == b"IEND":
            break
        at += 12 + length
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _by_pillow(data: bytes, path: Path) -> LabelMap:
    if not data.startswith(_SIGNATURE):
        raise DatasetError(f"{path} {_what_it_is(data)}")
    try:
        with PillowImage.open(io.BytesIO(data), formats=("PNG",)) as image:
            mode = image.mode
            pixels = np.asarray(image)
    except (OSError, SyntaxError, ValueError, PillowImage.DecompressionBombError) as error:
        why = "its header is broken" if "BytesIO" in str(error) else error
        raise DatasetError(f"{path} cannot be decoded as a PNG: {why}") from None
    if pixels.ndim == 3:
        pixels = _grey(pixels, mode, path)
    if pixels.dtype not in (np.uint8, np.bool_) and not ((pixels > 0) & (pixels < _WHITE)).any():
        pixels = (pixels > 0).astype(np.uint8) * 255  # black and white in 16 bits
    if pixels.dtype not in (np.uint8, np.bool_) and pixels.size and pixels.max() > 255:
        raise DatasetError(f"{path} has values up to {pixels.max()}; object ids end at 254")
    labels = pixels.astype(np.uint8)
    labels.flags.writeable = False
    return labels


def _refuse_other_background(labels: LabelMap, data: bytes, path: Path) -> None:
    """Programs that choose a palette by themselves number colours in an order of their own, and the
    background is black then, but not 0."""
    start = data.find(b"PLTE", _HEADER.size) + 4
    if start < 4 or data[start : start + 3] == b"\0\0\0":
        return
    count = int.from_bytes(data[start - 8 : start - 4], "big") // 3
    for index in set(np.unique(labels).tolist()):
        if 0 < index < count and data[start + 3 * index : start + 3 * index + 3] == b"\0\0\0":
            raise DatasetError(
                f"{path} has a palette in which {index} is black and 0 is not: its indices are no "
                "object ids",
                "Save label maps so that a pixel's value is its object, and 0 the background.",
            )


def _refuse_turned(data: bytes, path: Path) -> None:
    try:
        with PillowImage.open(io.BytesIO(data), formats=("PNG",)) as image:
            turned = image.getexif().get(_ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, PillowImage.DecompressionBombError):
        return  # whoever decodes it says what is wrong
    if turned in range(2, 9):
        raise DatasetError(
            f"{path} carries an EXIF orientation ({turned}), and nothing says whether it fits its "
            "frame before or after being turned",
            "Turn the pixels where that is needed, and remove the tag: `exiftool -Orientation=`.",
        )


def _grey(pixels: NDArray[np.uint8], mode: str, path: Path) -> NDArray[np.uint8]:
    """The one value that all colours of each pixel (H, W, channels) have."""
    colours, value = (pixels[..., :-1] if mode.endswith("A") else pixels), pixels[..., 0]
    if (colours != value[..., None]).any():
        raise DatasetError(
            f"{path} holds colours (mode {mode}), not object ids",
            "Save label maps as PNGs with a palette or in grey, one value for each object.",
        )
    opacity = pixels[..., -1] if mode.endswith("A") else value
    if opacity.size and opacity.min() != opacity.max() and ((opacity > 0) != (value > 0)).any():
        raise DatasetError(
            f"{path} has pixels of different opacity (mode {mode}), and they are not its objects",
            "Save label maps as PNGs with a palette or in grey, without opacity.",
        )
    return value


def _what_it_is(data: bytes) -> str:
    """What a file without the signature of PNG holds, for messages."""
    if not data:
        return "is empty"
    for start, name in _STARTS.items():
        if data.startswith(start):
            return f"is {name}, not a PNG"
    return f"is no PNG: it starts with {data[:8]!r}"
