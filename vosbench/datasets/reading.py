"""Images and label maps: file to array and back.

JPEGs are read by simplejpeg, which reports damage, other images by OpenCV, label maps by
`vosbench.datasets.png`, headers by Pillow.
Every function names the file in its error.
"""

from __future__ import annotations

import io
import re
import stat
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, UnidentifiedImageError
from PIL import Image as PillowImage

from vosbench.datasets.encoding import davis_palette, encode_labels
from vosbench.datasets.png import decode_png_labels, read_png_labels
from vosbench.durable import written_whole
from vosbench.errors import DatasetError
from vosbench.types import Image, LabelMap

try:
    import simplejpeg
except ImportError:  # a worker in another environment may lack it
    simplejpeg = None

__all__ = [
    "davis_palette",
    "decode_image",
    "encode_labels",
    "image_size",
    "read_file",
    "read_image",
    "read_labels",
    "write_labels",
]

_PNG_COLOUR_TYPE = slice(25, 26)
_PNG_COLOURS = (b"\x02", b"\x04", b"\x06")  # RGB, grey with opacity, RGBA
_JPEG_START = b"\xff\xd8"
_JPEG_SCAN = b"\xff\xda"
_JPEG_END = b"\xff\xd9"
_FOUR_COLOURS = frozenset({"CMYK", "YCCK"})
#: What cameras write between the last pixel and the end; more is a sign of damage.
_PADDING = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0xd9")
_HARMLESS = 64
_EXIF_WITHIN = 1 << 17  # bytes: the segment comes first and holds 64 KiB at most
_TURNS = {
    2: "mirrored", 3: "turned by 180 degrees", 4: "upside down", 5: "mirrored and turned",
    6: "turned by 90 degrees", 7: "mirrored and turned", 8: "turned by 270 degrees",
}  # fmt: skip


def read_image(path: Path) -> Image:
    """The image at `path` as RGB uint8 (H, W, 3), read-only.

    Raises:
        DatasetError: the file is missing, damaged or no image, or is to be turned before it is
            shown (an EXIF orientation): masks may have been drawn on either.
    """
    return decode_image(read_file(path), path)


def decode_image(data: bytes, path: Path) -> Image:
    """`read_image` from the bytes of a file; `path` names it in errors."""
    _refuse_turned(data, path)
    image = _decode_jpeg(data, path) if data.startswith(_JPEG_START) else None
    if image is None:
        image = _decode_by_opencv(data, path)
    image.flags.writeable = False
    return image


def _decode_jpeg(data: bytes, path: Path) -> Image | None:
    """A JPEG of three colours or grey, every warning of libjpeg an error; None for other kinds."""
    if data.rfind(_JPEG_END) < data.rfind(_JPEG_SCAN):
        raise DatasetError(f"{path} is cut off: the end of its JPEG data is missing")
    if simplejpeg is None:
        return None
    try:
        if simplejpeg.decode_jpeg_header(data)[2] in _FOUR_COLOURS:
            return None
        return _decode(data, strict=True)
    except ValueError as error:
        padding = _PADDING.fullmatch(str(error))
        if padding and int(padding.group(1)) <= _HARMLESS:
            return _decode(data, strict=False)
        raise DatasetError(
            f"{path} is damaged: {error}", "Copy or extract this frame again."
        ) from None


def _decode(data: bytes, *, strict: bool) -> Image:
    image: Image = simplejpeg.decode_jpeg(
        data, "RGB", fastdct=False, fastupsample=False, strict=strict
    )
    return image


def _decode_by_opencv(data: bytes, path: Path) -> Image:
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except cv2.error:
        bgr = None
    if bgr is None:
        raise DatasetError(f"{path} cannot be decoded as an image ({len(data)} bytes)")
    image: Image = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)  # type: ignore[assignment]
    return image


def _refuse_turned(data: bytes, path: Path) -> None:
    if data.find(b"Exif\0\0", 0, _EXIF_WITHIN) < 0 and b"eXIf" not in data[:_EXIF_WITHIN]:
        return
    try:
        with PillowImage.open(io.BytesIO(data)) as image:
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except (OSError, SyntaxError, ValueError):
        return  # whoever decodes it says what is wrong
    if orientation in _TURNS:
        raise DatasetError(
            f"{path} carries an EXIF orientation ({orientation}: shown {_TURNS[orientation]}), "
            "and nothing says whether its masks were drawn before or after that",
            "Turn the pixels and remove the tag, e.g. by `exiftran -ai` or `mogrify -auto-orient`; "
            "if the masks fit the pixels as stored, remove the tag alone: `exiftool -Orientation=`",
        )


def read_labels(path: Path, binary: bool = False) -> LabelMap:
    """The label map at `path` (H, W) uint8, read-only: a PNG of 1 to 8 bits, palette or grey.

    Args:
        binary: everything non-zero is object 1, as in DAVIS-2016, where colours are allowed too.

    Raises:
        DatasetError: the file is missing or broken, or its pixels are no object ids.
    """
    if not binary:
        return read_png_labels(path)
    data = read_file(path)
    if data[_PNG_COLOUR_TYPE] in _PNG_COLOURS:
        labels = _brightest(data, path)
    else:
        labels = decode_png_labels(data, path)
    foreground: LabelMap = (labels != 0).view(np.uint8)
    foreground.flags.writeable = False
    return foreground


def _brightest(data: bytes, path: Path) -> LabelMap:
    """The largest of red, green and blue in each pixel; opacity does not count."""
    try:
        with PillowImage.open(io.BytesIO(data), formats=("PNG",)) as image:
            pixels: LabelMap = np.asarray(image.convert("RGB")).max(axis=2)
    except (OSError, SyntaxError, ValueError, PillowImage.DecompressionBombError) as error:
        raise DatasetError(f"{path} cannot be decoded as a PNG: {error}") from None
    return pixels


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) in pixels from the file's header. Raises DatasetError if it has none."""
    try:
        with PillowImage.open(path) as image:
            width, height = image.size
    except FileNotFoundError:
        raise DatasetError(f"{path} does not exist") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise DatasetError(f"{path} is no image: {error}") from None
    return height, width


def write_labels(path: Path, labels: NDArray[np.integer] | NDArray[np.bool_]) -> None:
    """Write a label map (H, W) with values 0..255 as 8-bit PNG with the DAVIS palette.

    The file appears whole or not at all: a reader never sees half of it. Folders are made. It is
    not synced, see `vosbench.durable.sync_files`.
    """
    if labels.ndim != 2:
        raise ValueError(f"labels must have shape (H, W), not {labels.shape}")
    if labels.dtype != np.uint8 and labels.size and (labels.min() < 0 or labels.max() > 255):
        raise ValueError(f"labels must lie in 0..255, not {labels.min()}..{labels.max()}")
    with written_whole(path, sync=False) as stream:
        stream.write(encode_labels(labels.astype(np.uint8, copy=False)))


def read_file(path: Path) -> bytes:
    """The bytes of a regular file. Raises DatasetError for anything else: a pipe would keep
    its reader waiting forever."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DatasetError(f"{path} is no regular file")
        return path.read_bytes()
    except FileNotFoundError:
        raise DatasetError(f"{path} does not exist") from None
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}") from None
