"""Small rendered sequences whose every mask is known, for the conformance suite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vosbench.backports import dataclass, zip
from vosbench.tracking.clip import Clip
from vosbench.types import Frame, Image, LabelMap, Mask

Video = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Synthetic:
    """A sequence in memory.

    Attributes:
        name: of the sequence.
        images: RGB uint8 (T, H, W, 3).
        labels: the true label maps, uint8 (T, H, W).
        objects: object id -> index of the frame in which its mask is given.
    """

    name: str
    images: Video
    labels: NDArray[np.uint8]
    objects: Mapping[int, int]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Frame:
        return Frame(self.images[index], index, f"{index:05d}")

    def clip(self) -> Clip:
        """What a tracker may see of it."""
        given: dict[int, dict[int, Mask]] = {}
        for obj, start in self.objects.items():
            given.setdefault(start, {})[obj] = self.labels[start] == obj
        return Clip(self.name, self, given)

    def altered_after(self, index: int) -> Synthetic:
        """The same sequence with other images in the frames after `index`."""
        images = self.images.copy()
        images[index + 1 :] = 255 - images[index + 1 :, ::-1, ::-1]
        return replace(self, images=images)

    def write_annotations(self, folder: Path) -> None:
        """Write the true label maps to `folder`/<name>/<frame>.png."""
        from vosbench.datasets.reading import write_labels

        for index, labels in enumerate(self.labels):
            write_labels(folder / self.name / f"{self[index].name}.png", labels)


def moving_discs(
    name: str,
    size: tuple[int, int],
    frames: int = 6,
    objects: Mapping[int, int] | None = None,
    *,
    speed: float = 0.03,
) -> Synthetic:
    """Textured discs that drift to the right over a textured background.

    Args:
        name: of the sequence; it also seeds the textures.
        size: (height, width) in pixels.
        frames: how many.
        objects: object id -> frame in which it appears; by default object 1, from the start.
        speed: image widths per frame; the discs leave the frame if it is high enough.
    """
    height, width = size
    objects = objects or {1: 0}
    labels = np.zeros((frames, height, width), np.uint8)
    rows, columns = np.mgrid[:height, :width]
    for place, (obj, start) in enumerate(objects.items()):
        y = height * (place + 0.5) / len(objects)
        radius = min(height / len(objects), width) * 0.35
        for index in range(start, frames):
            x = width * (0.3 + speed * index)
            labels[index][(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] = obj
    return textured(name, labels, objects, shift=round(width * speed))


def textured(
    name: str, labels: NDArray[np.uint8], objects: Mapping[int, int], *, shift: int = 0
) -> Synthetic:
    """Images for label maps (T, H, W): each object and the background has its own texture;
    objects' textures move `shift` pixels to the right each frame."""
    generator = np.random.default_rng(list(name.encode()))
    size = labels.shape[1:]
    background = _texture(generator, size)
    images = np.repeat(background[None], len(labels), axis=0)
    for obj in objects:
        texture = _texture(generator, size)
        for index, image in enumerate(images):
            inside = labels[index] == obj
            image[inside] = np.roll(texture, shift * index, axis=1)[inside]
    return Synthetic(name, images, labels, dict(objects))


def _texture(generator: np.random.Generator, size: tuple[int, ...]) -> Image:
    """Smooth random colours (H, W, 3) around a random mean, with fine grain."""
    height, width = size
    coarse = generator.normal(0, 40, (max(height // 8, 2), max(width // 8, 2), 3))
    rows, columns = (_stretching(*sides) for sides in zip(coarse.shape[:2], size, strict=True))
    smooth = np.einsum("hr,rck,wc->hwk", rows, coarse, columns)
    image = generator.uniform(70, 185, 3) + smooth + generator.normal(0, 6, (height, width, 3))
    texture: Image = np.clip(image, 0, 255).astype(np.uint8)
    return texture


def _stretching(few: int, many: int) -> NDArray[np.float64]:
    """Weights (many, few) by which a row of few samples becomes one of many, linearly."""
    where = ((np.arange(many) + 0.5) * few / many - 0.5).clip(0, few - 1)
    return np.maximum(0, 1 - abs(where[:, None] - np.arange(few)))


def still(labels: LabelMap, frames: int) -> NDArray[np.uint8]:
    """One label map (H, W) repeated (T, H, W)."""
    return np.repeat(labels[None], frames, axis=0)
