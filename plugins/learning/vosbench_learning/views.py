"""Random views of annotated images: what training sees of a photo or a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vosbench_learning.corpus import Image, Labels

Matrix = NDArray[np.float64]
Random = np.random.Generator


class Target(TypedDict):
    """The objects of one image; everything else in it is background.

    boxes: (n, 4) float32 x1, y1, x2, y2 in pixels, x2 > x1 and y2 > y1.
    masks: (n, H, W) bool, uint8 or float in 0..1, NaN where pixels are to be ignored. n may be 0.
    """

    boxes: Tensor
    masks: Tensor


@dataclass(frozen=True)
class View:
    """An image with its instances.

    Attributes:
        image: RGB uint8 (H, W, 3).
        masks: bool (n, H, W), one an instance, none empty, none overlapping. ids: theirs.
    """

    image: Image
    masks: NDArray[np.bool_]
    ids: tuple[int, ...]

    @property
    def labels(self) -> Labels:
        """(H, W) label map."""
        labels = np.zeros(self.image.shape[:2], np.uint8)
        for mask, k in zip(self.masks, self.ids, strict=True):
            labels[mask] = k
        return labels

    def tensor(self) -> torch.Tensor:
        """(3, H, W) uint8."""
        return torch.from_numpy(np.ascontiguousarray(self.image.transpose(2, 0, 1)))

    def target(self, ids: tuple[int, ...] | None = None) -> Target:
        """Boxes and masks of `ids` (all by default) for the model's losses."""
        chosen = [i for i, k in enumerate(self.ids) if ids is None or k in ids]
        masks = self.masks[chosen]
        boxes = [tight_box(m) for m in masks]
        return {
            "boxes": torch.tensor(boxes, dtype=torch.float32).view(-1, 4),
            "masks": torch.from_numpy(masks),
        }


def tight_box(mask: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """x1, y1, x2, y2 around a non-empty mask (H, W); the last column and row are inside."""
    rows = np.flatnonzero(mask.any(1))
    columns = np.flatnonzero(mask.any(0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


@dataclass(frozen=True, kw_only=True)
class ViewSettings:
    """Ranges of a random view.

    Attributes:
        size: (height, width) of the view in pixels.
        side: the chosen instance's side (root of its box's area) in the view, drawn
            log-uniformly from this range of pixels.
        scale: limits of the magnification that follows from it.
        coverage: least share of the view's width and height that the image fills.
        rotation: degrees either way. shift: of the instance from the view's centre, as a share
            of the view's sides. stretch: of width against height, as a
            logarithm. flip: probability.
        colour: brightness, contrast and saturation change by up to this factor, hue by a
            quarter of it.
    """

    size: tuple[int, int] = (384, 384)
    side: tuple[float, float] = (48.0, 330.0)
    scale: tuple[float, float] = (0.4, 3.0)
    coverage: float = 0.85
    rotation: float = 15.0
    shift: float = 0.3
    stretch: float = 0.12
    flip: float = 0.5
    colour: float = 0.25


def warp(image: Image, labels: Labels, matrix: Matrix, size: tuple[int, int]) -> View:
    """Image and instances under an affine map (2, 3) from source to view pixels.

    Masks are warped as smooth maps and cut at one half, so that enlarged ones have no stairs.
    Instances of which less than 10 % (or 60 pixels) remain in view are dropped.
    """
    height, width = size
    out: Image = cv2.warpAffine(image, matrix, (width, height)).astype(np.uint8, copy=False)
    area_scale = abs(float(np.linalg.det(matrix[:, :2])))
    masks, ids = [], []
    counts = np.bincount(labels.reshape(-1), minlength=256)
    for k in np.flatnonzero(counts[1:]) + 1:
        soft = cv2.warpAffine((labels == k).astype(np.uint8) * 255, matrix, (width, height))
        mask = soft >= 128
        if mask.sum() >= max(60.0, 0.1 * counts[k] * area_scale):
            masks.append(mask)
            ids.append(int(k))
    stacked = np.stack(masks) if masks else np.zeros((0, height, width), bool)
    return View(out, stacked, tuple(ids))


def affine(
    centre: tuple[float, float],
    to: tuple[float, float],
    scale: float,
    degrees: float,
    *,
    flip: bool,
    stretch: float = 1.0,
) -> Matrix:
    """The map that moves `centre` (x, y) to `to`, turned, magnified, stretched and mirrored."""
    angle = np.deg2rad(degrees)
    c, s = np.cos(angle) * scale, np.sin(angle) * scale
    linear = np.array([[c, -s], [s, c]]) @ np.diag([-stretch if flip else stretch, 1 / stretch])
    offset = np.asarray(to) - linear @ np.asarray(centre)
    return np.concatenate([linear, offset[:, None]], 1)


def jitter_colour(image: Image, amount: float, random: Random) -> Image:
    """Random brightness, contrast, saturation (factor 1 +- amount) and hue (+- 45 * amount deg)."""
    if amount == 0:
        return image
    brightness, contrast, saturation = 1 + random.uniform(-amount, amount, 3)
    hue = random.uniform(-amount, amount) * 45 / 2  # OpenCV counts hue in units of two degrees
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    ramp = np.arange(256)
    hsv = cv2.merge(
        [
            cv2.LUT(hsv[..., 0], ((ramp + hue) % 180).astype(np.uint8)),
            cv2.LUT(hsv[..., 1], np.clip(ramp * saturation, 0, 255).astype(np.uint8)),
            hsv[..., 2],
        ]
    )
    rgb = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    tone = np.clip((ramp - 128) * contrast + 128 * brightness, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(rgb, tone), np.uint8)


def random_view(image: Image, labels: Labels, settings: ViewSettings, random: Random) -> View:
    """A view around one instance chosen at random, at a random size, mostly inside the image."""
    chosen = int(random.choice([i for i in np.unique(labels) if i]))
    scale = random_scale(labels, chosen, settings, random)
    flip = bool(random.random() < settings.flip)
    return view_of(image, labels, chosen, settings, random, scale=scale, flip=flip)


def random_scale(labels: Labels, chosen: int, settings: ViewSettings, random: Random) -> float:
    """A magnification that gives instance `chosen` a side within `settings.side`, if it can."""
    x1, y1, x2, y2 = tight_box(labels == chosen)
    low, high = np.log(settings.side)
    scale = float(np.exp(random.uniform(low, high)) / np.sqrt((x2 - x1) * (y2 - y1)))
    height, width = settings.size
    fill = settings.coverage * max(height / labels.shape[0], width / labels.shape[1])
    smallest = max(settings.scale[0], fill)
    return float(min(max(scale, smallest), max(settings.scale[1], smallest)))


def view_of(
    image: Image,
    labels: Labels,
    chosen: int,
    settings: ViewSettings,
    random: Random,
    *,
    scale: float,
    flip: bool,
) -> View:
    """A view around instance `chosen` at a given magnification; the rest is drawn."""
    box = tight_box(labels == chosen)
    view = np.array(settings.size[::-1], float)
    whole = np.array(labels.shape[::-1], float)
    centre = np.array([box[0] + box[2], box[1] + box[3]]) / 2
    to = (0.5 + random.uniform(-settings.shift, settings.shift, 2)) * view
    seen = np.array([whole[0] - centre[0], centre[1]]) if flip else centre
    # Where the image's upper left corner comes to lie: far enough out, or its rest too far in.
    corner = to - seen * scale
    room = view - whole * scale
    margin = 0.08 * view
    corner = np.clip(corner, np.minimum(room, 0) - margin, np.maximum(room, 0) + margin)
    to = corner + seen * scale
    matrix = affine(
        (float(centre[0]), float(centre[1])),
        (float(to[0]), float(to[1])),
        scale,
        random.uniform(-settings.rotation, settings.rotation),
        flip=flip,
        stretch=float(np.exp(random.uniform(-settings.stretch, settings.stretch))),
    )
    warped = warp(image, labels, matrix, settings.size)
    return View(jitter_colour(warped.image, settings.colour, random), warped.masks, warped.ids)


def paste(view: View, other: View, random: Random) -> View:
    """`view` with one instance of `other` (same size) on top, its edge softened.

    The pasted instance gets the id after the largest. Instances that vanish behind it are dropped.
    """
    if not other.ids:
        return view
    mask = other.masks[random.integers(len(other.ids))]
    alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.0)[..., None]
    image = (view.image * (1 - alpha) + other.image * alpha).astype(np.uint8)
    masks = [m & ~mask for m in view.masks]
    kept = [
        (m, k)
        for m, before, k in zip(masks, view.masks, view.ids, strict=True)
        if m.sum() >= max(30, 0.2 * before.sum())
    ]
    new_id = max(view.ids, default=0) + 1
    return View(
        image,
        np.stack([*(m for m, _ in kept), mask]),
        (*(k for _, k in kept), new_id),
    )
