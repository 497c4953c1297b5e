"""Pictures of what a tracker did: overlays, error maps, contact sheets, films.

Images are RGB uint8 (H, W, 3), label maps uint8 (H, W) with 255 as void.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from vosbench.durable import whole_file
from vosbench.errors import VosbenchError
from vosbench.types import VOID, Image, LabelMap

#: Colours of the error map, told apart by readers of all colour visions (Okabe and Ito).
MISSED = (0, 114, 178)
FALSE = (230, 159, 0)
CONFUSED = (204, 121, 167)
HIT = (255, 255, 255)
ONLY_A = (86, 180, 233)
ONLY_B = FALSE
LEGEND = (("missed", MISSED), ("false", FALSE), ("wrong object", CONFUSED), ("right", HIT))
DIFFERENCE_LEGEND = (("only A right", ONLY_A), ("only B right", ONLY_B), ("both wrong", CONFUSED))

#: Colours of objects 1, 2, ...: bright on light and dark ground, told apart by readers of all
#: colour visions; from the ninth on they repeat.
OBJECT_COLOURS = (
    (86, 200, 255), (255, 176, 0), (0, 214, 143), (255, 112, 67), (240, 228, 66), (255, 138, 216),
    (92, 124, 255), (255, 255, 255),
)  # fmt: skip

_BACKGROUND = (24, 24, 24)
_INK = (236, 236, 236)
_CODECS = {".mp4": "mp4v", ".webm": "VP80"}
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def blend(image: Image, labels: LabelMap, alpha: float = 0.5) -> Image:
    """`image` with every object tinted in its colour and a bright line of that colour along the
    inside of its contour, with a dark rim outside; void is left alone. With `alpha` 0 contours
    alone are drawn."""
    picture = image.copy()
    objects = (labels > 0) & (labels != VOID)
    colours = _colours()[labels]
    mixed = (1 - alpha) * image[objects] + alpha * colours[objects]
    picture[objects] = np.rint(mixed).astype(np.uint8)
    thickness = _thickness(image)
    picture[~objects & (labels != VOID) & edges(objects.view(np.uint8), thickness)] //= 4
    lines = objects & edges(labels, thickness + 1)
    picture[lines] = colours[lines].astype(np.uint8)
    return picture


def difference_map(
    image: Image, annotation: LabelMap | None, first: LabelMap, second: LabelMap
) -> Image:
    """The frame in dim grey, coloured where only the first of two predictions is right, only the
    second, or where both are wrong. Void pixels are not judged. Without an annotation: where only
    one of them marks an object, or each another one."""
    picture = _dimmed(image)
    if annotation is None:
        only_first = (first > 0) & (second == 0)
        only_second = (second > 0) & (first == 0)
        neither = (first != second) & ~only_first & ~only_second
    else:
        judged = annotation != VOID
        right, other = first == annotation, second == annotation
        only_first, only_second = judged & right & ~other, judged & other & ~right
        neither = judged & ~right & ~other
    for where, colour in ((only_first, ONLY_A), (only_second, ONLY_B), (neither, CONFUSED)):
        picture[where] = np.rint(0.2 * picture[where] + 0.8 * np.array(colour)).astype(np.uint8)
    return picture


def grid(pictures: Sequence[Image], columns: int = 0) -> Image:
    """Pictures of one size beside each other and below.

    Args:
        columns: 0 for as many as make the grid about as wide as it is tall, in pictures.
    """
    columns = columns or int(np.ceil(np.sqrt(len(pictures))))
    blank = np.full_like(pictures[0], _BACKGROUND[0])
    filled = [*pictures, *[blank] * (-len(pictures) % columns)]
    rows = [np.hstack(filled[i : i + columns]) for i in range(0, len(filled), columns)]
    return np.vstack(rows)


def draw_contours(picture: Image, labels: LabelMap) -> Image:
    """`picture` with the contours of `labels` as a white line with a dark rim: the annotation
    over a prediction."""
    drawn = picture.copy()
    thickness = _thickness(picture)
    for obj in np.unique(labels[(labels > 0) & (labels != VOID)]):
        mask = (labels == obj).astype(np.uint8)
        shapes, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, shapes, -1, (0, 0, 0), thickness + 2, cv2.LINE_AA)
        cv2.drawContours(drawn, shapes, -1, (255, 255, 255), thickness, cv2.LINE_AA)
    return drawn


def edges(labels: LabelMap, thickness: int = 1) -> NDArray[np.bool_]:
    """Pixels (H, W) within `thickness` of one with another label."""
    kernel = np.ones((2 * thickness + 1, 2 * thickness + 1), np.uint8)
    changed: NDArray[np.bool_] = cv2.dilate(labels, kernel) != cv2.erode(labels, kernel)
    return changed


def error_map(image: Image, annotation: LabelMap, prediction: LabelMap) -> Image:
    """The frame in dim grey with every wrong pixel coloured: object missed, object where there is
    none, one object taken for another; right object pixels are lightened. Void pixels of the
    annotation are not judged."""
    picture = _dimmed(image)
    judged = annotation != VOID
    truth, answer = (annotation > 0) & judged, (prediction > 0) & judged
    kinds = (
        (truth & (annotation == prediction), HIT, 0.3),
        (truth & ~answer, MISSED, 0.8),
        (answer & ~truth, FALSE, 0.8),
        (truth & answer & (annotation != prediction), CONFUSED, 0.8),
    )
    for where, colour, alpha in kinds:
        mixed = (1 - alpha) * picture[where] + alpha * np.array(colour)
        picture[where] = np.rint(mixed).astype(np.uint8)
    return picture


def caption(picture: Image, text: str, height: int | None = None) -> Image:
    """`picture` with a line of text on a dark bar above it; the text shrinks to fit."""
    height = height or max(18, picture.shape[0] // 18)
    bar = np.full((height, picture.shape[1], 3), _BACKGROUND, np.uint8)
    scale, weight = _fitting(text, 0.6 * height / 18, picture.shape[1] - 8)
    cv2.putText(bar, text, (4, round(height * 0.74)), _FONT, scale, _INK, weight, cv2.LINE_AA)
    return np.vstack([bar, picture])


def _fitting(text: str, scale: float, width: int) -> tuple[float, int]:
    """Scale, at most `scale`, and weight of a font in which `text` is `width` pixels wide at most;
    what OpenCV draws is not in proportion to its scale."""
    while True:
        weight = max(1, round(scale * 1.6))
        if scale < 0.1 or cv2.getTextSize(text, _FONT, scale, weight)[0][0] <= width:
            return scale, weight
        scale *= 0.95


def contact_sheet(
    pictures: Sequence[Image],
    captions: Sequence[str],
    title: str = "",
    *,
    columns: int = 0,
    width: int = 400,
    legend: Sequence[tuple[str, tuple[int, int, int]]] = (),
) -> Image:
    """All pictures in a grid, each scaled to `width` pixels with its caption above.

    Args:
        columns: 0 for three or four, whichever leaves fewer places empty.
        legend: (text, RGB colour) pairs, drawn beside the title.
    """
    tiles = []
    for picture, text in zip(pictures, captions, strict=True):
        size = (width, max(1, round(picture.shape[0] * width / picture.shape[1])))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        tiles.append(caption(small.astype(np.uint8, copy=False), text, 20))
    tall, gap = max(tile.shape[0] for tile in tiles), 6
    columns = min(columns or (3 if -len(tiles) % 3 < -len(tiles) % 4 else 4), len(tiles))
    rows, top = -(-len(tiles) // columns), 34
    shape = (top + rows * (tall + gap), columns * (width + gap) + gap, 3)
    sheet = np.full(shape, _BACKGROUND, np.uint8)
    for position, tile in enumerate(tiles):
        y = top + position // columns * (tall + gap)
        x = gap + position % columns * (width + gap)
        sheet[y : y + tile.shape[0], x : x + width] = tile
    scale, _ = _fitting(title, 0.55, sheet.shape[1] - 2 * gap)
    cv2.putText(sheet, title, (gap + 2, 22), _FONT, scale, _INK, 1, cv2.LINE_AA)
    x = sheet.shape[1] - gap
    for text, colour in reversed(legend):
        x -= cv2.getTextSize(text, _FONT, 0.45, 1)[0][0] + 30
        if x > gap + 10 * len(title) + 10:
            cv2.rectangle(sheet, (x, 11), (x + 12, 23), colour, -1)
            cv2.putText(sheet, text, (x + 17, 22), _FONT, 0.45, _INK, 1, cv2.LINE_AA)
    return sheet


def write_image(path: Path, picture: Image) -> None:
    """Write a PNG; it appears whole or not at all."""
    with whole_file(path, sync=False) as part:
        PillowImage.fromarray(picture).save(part, format="PNG", compress_level=3)


def write_gif(path: Path, pictures: Iterable[Image], fps: float) -> None:
    """Write an endless animation; it appears whole or not at all."""
    first, *others = (PillowImage.fromarray(picture).quantize(128) for picture in pictures)
    ms = round(1000 / fps)
    with whole_file(path, sync=False) as part:
        first.save(part, format="GIF", save_all=True, append_images=others, duration=ms, loop=0)


def write_video(path: Path, pictures: Iterable[Image], fps: float) -> int:
    """Write a film and read it back; returns the number of frames. The suffix says what it is:
    ".mp4" (MPEG-4 part 2) or ".webm" (VP8, which browsers play).

    Odd sizes lose their last row or column, as the codec needs even ones.

    Raises:
        VosbenchError: OpenCV has no such encoder here, or the file does not play back whole.
    """
    part = _part(path)
    writer: cv2.VideoWriter | None = None
    count = 0
    for picture in pictures:
        height, width = (side - side % 2 for side in picture.shape[:2])
        if writer is None:
            code = cv2.VideoWriter.fourcc(*_CODECS[path.suffix])
            with _silent():
                writer = cv2.VideoWriter(str(part), code, fps, (width, height))
        writer.write(cv2.cvtColor(picture[:height, :width], cv2.COLOR_RGB2BGR))
        count += 1
    if writer is not None:
        writer.release()
    played = count_frames(part)
    if played != count:
        part.unlink(missing_ok=True)
        raise VosbenchError(
            f"{path}: of {count} frames written, {played} play back",
            f"This OpenCV cannot write {path.suffix[1:].upper()}; use --format gif or png.",
        )
    part.replace(path)
    return count


@contextmanager
def _silent() -> Iterator[None]:
    """Without what FFmpeg's wrapper prints about tags of codecs that it then finds all the same."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def count_frames(path: Path) -> int:
    """How many frames of a video can be decoded; 0 if it cannot be opened."""
    reader = cv2.VideoCapture(str(path))
    count = 0
    while reader.grab():
        count += 1
    reader.release()
    return count


def _dimmed(image: Image) -> Image:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.repeat((0.45 * grey).astype(np.uint8)[:, :, None], 3, axis=2)


def _colours() -> NDArray[np.float64]:
    """RGB of every label (256, 3)."""
    return np.array([OBJECT_COLOURS[(i - 1) % len(OBJECT_COLOURS)] for i in range(256)], float)


def _part(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".{os.getpid()}.part{path.suffix}")


def _thickness(image: Image) -> int:
    return max(1, round(float(min(image.shape[:2])) / 480))
