"""Sprites cut out of photographs, put into frames with exact masks.

All sampling and blending is integer arithmetic in numpy, so that every machine renders the same
pixels whatever its processor and libraries.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageDraw

from vosbench.types import Image, LabelMap

#: Sprite: premultiplied RGBA uint8 (h, w, 4) with an empty border.
Sprite = NDArray[np.uint8]

_UNIT_BITS, _UNIT = 4, 1 << 4  # positions between pixels: sixteenths
_FINE_BITS, _FINE = 12, 1 << 12  # of sine and cosine; times a position they still fit 32 bits
_SUPERSAMPLING = 4  # of outlines, in each direction


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a sprite lies in a frame: its centre (pixels), scale, rotation (degrees, clockwise)."""

    x: float
    y: float
    scale: float = 1.0
    angle: float = 0.0


@dataclass(frozen=True, slots=True)
class Layer:
    """A sprite and its path through the frames; later layers lie in front.

    Attributes:
        sprite: what is seen.
        keys: (frame, x, y, scale, angle) in order of frames; between them the path is smooth,
            before the first and after the last the sprite is not there.
        id: object id in the annotation; 0 belongs to the background.
        shadow: draw a soft shadow on what lies behind.
    """

    sprite: Sprite
    keys: Sequence[tuple[float, float, float, float, float]]
    id: int = 0
    shadow: bool = False

    def pose(self, frame: int) -> Pose | None:
        """The pose in `frame` by cubic Hermite interpolation of the keys, or None."""
        table = np.array(self.keys, np.float64)
        times, values = table[:, 0], table[:, 1:]
        if not times[0] <= frame <= times[-1]:
            return None
        if len(times) == 1:
            return Pose(*values[0])
        slopes = np.gradient(values, times, axis=0)
        i = min(int(np.searchsorted(times, frame, side="right")) - 1, len(times) - 2)
        span = times[i + 1] - times[i]
        t = (frame - times[i]) / span
        start, end = values[i], values[i + 1]
        pull_start, pull_end = slopes[i] * span, slopes[i + 1] * span
        curve = (
            (1 + 2 * t) * (1 - t) ** 2 * start
            + t * (1 - t) ** 2 * pull_start
            + t * t * (3 - 2 * t) * end
            + t * t * (t - 1) * pull_end
        )
        return Pose(*(float(value) for value in curve))


def render(layers: Sequence[Layer], frame: int, size: tuple[int, int]) -> tuple[Image, LabelMap]:
    """Image (H, W, 3) and label map (H, W) of one frame; `size` is (height, width).

    A pixel belongs to the front-most object that covers at least half of it.
    """
    image = np.zeros((*size, 3), np.uint16)
    labels = np.zeros(size, np.uint8)
    for layer in layers:
        pose = layer.pose(frame)
        if pose is None:
            continue
        if layer.shadow:
            moved = Pose(pose.x + 5 * pose.scale, pose.y + 6 * pose.scale, pose.scale, pose.angle)
            place, patch = warp(layer.sprite, moved, size)
            image[place] = image[place] * (255 - patch[..., 3:] * 2 // 5) // 255
        place, patch = warp(layer.sprite, pose, size)
        colours, alpha = patch[..., :3], patch[..., 3]
        if alpha.size and alpha.min() < 255:
            behind = image[place] * (255 - alpha[..., None])
            colours = np.minimum(colours + (behind + 127) // 255, 255)
        image[place] = colours
        labels[place][alpha >= 128] = layer.id
    return image.astype(np.uint8), labels


def warp(
    sprite: Sprite, pose: Pose, size: tuple[int, int]
) -> tuple[tuple[slice, slice], NDArray[np.uint16]]:
    """The part of a frame that the sprite covers: its rows and columns, and the sprite there as
    premultiplied RGBA uint16 (h, w, 4) by bilinear sampling."""
    height, width = sprite.shape[:2]
    cos = math.cos(math.radians(pose.angle))
    sin = math.sin(math.radians(pose.angle))
    reach_x = pose.scale * (abs(cos) * width + abs(sin) * height) / 2 + 1
    reach_y = pose.scale * (abs(sin) * width + abs(cos) * height) / 2 + 1
    rows = slice(_clip(pose.y - reach_y, size[0]), _clip(pose.y + reach_y + 1, size[0]))
    columns = slice(_clip(pose.x - reach_x, size[1]), _clip(pose.x + reach_x + 1, size[1]))

    step_cos = round(cos / pose.scale * _FINE)
    step_sin = round(sin / pose.scale * _FINE)
    x = np.arange(columns.start, columns.stop, dtype=np.int32)[None, :] * _UNIT
    y = np.arange(rows.start, rows.stop, dtype=np.int32)[:, None] * _UNIT
    x -= round(pose.x * _UNIT)
    y -= round(pose.y * _UNIT)
    u = ((step_cos * x + step_sin * y) >> _FINE_BITS) + (width - 1) * _UNIT // 2
    v = ((step_cos * y - step_sin * x) >> _FINE_BITS) + (height - 1) * _UNIT // 2
    np.clip(u, 0, (width - 1) * _UNIT - 1, out=u)
    np.clip(v, 0, (height - 1) * _UNIT - 1, out=v)

    corner = (v >> _UNIT_BITS) * width + (u >> _UNIT_BITS)
    u_part = (u & (_UNIT - 1)).astype(np.uint16)[..., None]
    v_part = (v & (_UNIT - 1)).astype(np.uint16)[..., None]
    pixels = np.ascontiguousarray(sprite).view(np.uint32).reshape(-1)

    def corner_values(offset: int) -> NDArray[np.uint16]:
        values: NDArray[np.uint8] = pixels.take(corner + offset).view(np.uint8)
        return values.reshape(*corner.shape, 4).astype(np.uint16)

    # Weights sum to 256, so that 255 * 256 still fits 16 bits.
    patch = corner_values(0) * ((_UNIT - u_part) * (_UNIT - v_part))
    patch += corner_values(1) * (u_part * (_UNIT - v_part))
    patch += corner_values(width) * ((_UNIT - u_part) * v_part)
    patch += corner_values(width + 1) * (u_part * v_part)
    return (rows, columns), patch >> 8


def cut_out(photo: Image, outline: Sequence[tuple[float, float]], scale: float = 1.0) -> Sprite:
    """The part of `photo` (H, W, 3) inside `outline` ((x, y) in pixels), resized by `scale`."""
    points = np.array(outline, np.float64)
    left, top = np.maximum(np.floor(points.min(axis=0)).astype(int), 0)
    right, bottom = np.ceil(points.max(axis=0)).astype(int) + 1
    box = photo[top:bottom, left:right]
    fine = PillowImage.new("L", (box.shape[1] * _SUPERSAMPLING, box.shape[0] * _SUPERSAMPLING))
    corners = [
        (round((x - left) * _SUPERSAMPLING), round((y - top) * _SUPERSAMPLING)) for x, y in points
    ]
    ImageDraw.Draw(fine).polygon(corners, fill=255)
    width, height = max(round(box.shape[1] * scale), 1), max(round(box.shape[0] * scale), 1)
    alpha = np.asarray(fine.resize((width, height), PillowImage.Resampling.BOX))
    colours = PillowImage.fromarray(box).resize((width, height), PillowImage.Resampling.BICUBIC)
    return sprite(np.asarray(colours), alpha)


def sprite(colours: Image, alpha: NDArray[np.uint8] | None = None) -> Sprite:
    """A sprite from colours (h, w, 3) and opacity (h, w); opaque, without a border, if None."""
    if alpha is None:
        return np.dstack([colours, np.full(colours.shape[:2], 255, np.uint8)])
    premultiplied = (colours.astype(np.uint16) * alpha[..., None] + 127) // 255
    return np.pad(np.dstack([premultiplied.astype(np.uint8), alpha]), ((2, 2), (2, 2), (0, 0)))


def read_photo(path: Path, width: int = 0) -> Image:
    """A photograph as RGB uint8 (H, W, 3), resized to `width` pixels if that is given."""
    with PillowImage.open(path) as opened:
        photo = opened.convert("RGB")
    if width:
        height = round(photo.height * width / photo.width)
        photo = photo.resize((width, height), PillowImage.Resampling.BICUBIC)
    return np.asarray(photo)


def _clip(value: float, limit: int) -> int:
    return min(max(math.floor(value), 0), limit)
