"""Frames made worse on purpose, and first masks as a sloppy annotator gives them.

Everything is a function of the sequence's name and the frame, so the same command always shows a
tracker the same pixels. Annotations stay as they are: scores say what becomes of worse input.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from vosbench.datasets.base import Dataset, VideoSequence
from vosbench.errors import UsageError
from vosbench.types import Frame, Image, Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Perturbation:
    """What is done to the input; by default nothing. Steps follow in this order.

    Attributes:
        drop: only every n-th frame arrives; until the next the last one is shown again.
        scale: shrink to this share of the size, and back: detail is lost.
        blur: Gaussian blur of this standard deviation in pixels.
        noise: Gaussian noise of this standard deviation, as a share of white.
        jpeg: compress with this quality, 1 to 100.
        mask_erode: the given masks lose this many pixels all around; those that would vanish stay.
        mask_box: the given masks are filled up to their bounding boxes.
    """

    drop: int = 1
    scale: float = 1.0
    blur: float = 0.0
    noise: float = 0.0
    jpeg: int = 0
    mask_erode: int = 0
    mask_box: bool = False

    @classmethod
    def parse(cls, text: str) -> Perturbation:
        """From "blur=3,noise=.05,mask-box".

        Raises:
            UsageError: a name or value that is none, naming it.
        """
        given: dict[str, float | int | bool] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            key, equals, value = part.partition("=")
            name = key.replace("-", "_")
            if name not in _RANGES:
                known = ", ".join(known.replace("_", "-") for known in _RANGES)
                raise UsageError(f"--perturb {part}: there is no {key!r}", f"Known: {known}.")
            kind, low, high = _RANGES[name]
            try:
                number = kind(value) if equals else kind(1) if kind is bool else kind("")
                if equals and kind is bool:
                    raise ValueError
            except ValueError:
                raise UsageError(f"--perturb {part}: {value!r} is no value of {key}") from None
            if not low <= number <= high:
                raise UsageError(f"--perturb {part}: {key} is between {low:g} and {high:g}")
            given[name] = number
        if not given:
            raise UsageError("--perturb: nothing is named", "For example --perturb blur=3,drop=2.")
        return cls(**given)  # type: ignore[arg-type]

    def __str__(self) -> str:
        """Short, in one order, as it stands in the name of a run: "blur=3,mask-box"."""
        parts = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                name = field.name.replace("_", "-")
                parts.append(name if value is True else f"{name}={value:g}")
        return ",".join(parts)

    def source(self, index: int) -> int:
        """Which frame is shown as frame `index`."""
        return index - index % self.drop

    def image(self, image: Image, sequence: str, index: int) -> Image:
        """A frame (H, W, 3) uint8 as it is shown."""
        import cv2

        pixels: Any = image
        height, width = image.shape[:2]
        if self.scale < 1:
            small = (max(1, round(width * self.scale)), max(1, round(height * self.scale)))
            pixels = cv2.resize(pixels, small, interpolation=cv2.INTER_AREA)
            pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
        if self.blur:
            pixels = cv2.GaussianBlur(pixels, (0, 0), self.blur)
        if self.noise:
            digest = hashlib.sha256(f"{sequence}/{index}".encode()).digest()
            rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
            noisy = pixels + rng.normal(0, 255 * self.noise, image.shape)
            pixels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
        if self.jpeg:
            quality = [cv2.IMWRITE_JPEG_QUALITY, self.jpeg]
            _, code = cv2.imencode(".jpg", pixels[..., ::-1], quality)
            decoded: Any = cv2.imdecode(code, cv2.IMREAD_COLOR)
            pixels = decoded[..., ::-1]
        return np.ascontiguousarray(pixels)

    def mask(self, mask: Mask) -> Mask:
        """A given mask (H, W) bool as it is given."""
        import cv2

        if self.mask_erode:
            kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * self.mask_erode + 1,) * 2)
            smaller = cv2.erode(mask.astype(np.uint8), kernel, borderValue=0) != 0
            mask = smaller if smaller.any() else mask
        if self.mask_box:
            rows, columns = np.nonzero(mask)
            mask = np.zeros_like(mask)
            mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = True
        return mask


_RANGES: Mapping[str, tuple[Callable[..., float | int | bool], float, float]] = {
    "drop": (int, 1, 1000),
    "scale": (float, 0.01, 1),
    "blur": (float, 0, 100),
    "noise": (float, 0, 1),
    "jpeg": (int, 1, 100),
    "mask_erode": (int, 0, 1000),
    "mask_box": (bool, 0, 1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PerturbedSequence(VideoSequence):
    """A sequence whose frames and given masks are perturbed when they are read."""

    perturbation: Perturbation

    @property
    def altered(self) -> bool:
        """Yes."""
        return True

    def frame(self, index: int) -> Frame:
        """Frame `index` as it is shown: pixels of another one where frames are dropped."""
        shown = self.perturbation.source(index)
        image = VideoSequence.frame(self, shown).image
        return Frame(
            self.perturbation.image(image, self.name, shown), index, self.frames[index].stem
        )

    def targets(self, index: int) -> dict[int, Mask]:
        """The masks given away in frame `index`, worse; where boxes overlap the largest id wins."""
        given = VideoSequence.targets(self, index)
        return {obj: self.perturbation.mask(mask) for obj, mask in given.items()}


def perturbed(dataset: Dataset, perturbation: Perturbation) -> Dataset:
    """The dataset with every sequence perturbed. Its files, and so its fingerprint, stay."""
    sequences = tuple(
        PerturbedSequence(
            **{field.name: getattr(video, field.name) for field in fields(video)},
            perturbation=perturbation,
        )
        for video in dataset.sequences
    )
    return replace(dataset, sequences=sequences)
