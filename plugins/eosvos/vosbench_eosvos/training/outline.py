"""Training of the network that draws outlines, on what trackers made of videos they never saw.

Masks of videos that the weights were trained on are too good to learn from. Cross-validation has
weights for each of thirty videos that never saw it: what they say of it (`training.records`) is
what the network learns to correct.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from vosbench.errors import UsageError
from vosbench.types import Image
from vosbench_eosvos.boxprop import Box, tight_box
from vosbench_eosvos.outline.network import OutlineNet, save_outline
from vosbench_eosvos.outline.sight import (
    LARGEST,
    MARGIN,
    SIDE,
    colour_table,
    planes,
)
from vosbench_learning.corpus import Corpus
from vosbench_learning.training import TrainingRun
from vosbench_learning.views import affine


@dataclass(frozen=True)
class _Recorded:
    """A video: indices in the corpus of the frames to learn from; what was recorded of all frames
    but the first; the object's colours."""

    indices: Sequence[int]
    seen: NDArray[np.uint8]
    table: NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class OutlineSettings:
    """How the network is trained.

    Attributes:
        steps: of the optimiser.
        patches: squares a step. side: theirs in pixels, a multiple of `CELL`.
        zoom: magnification, as a logarithm, either way. rotation: degrees either way.
        shift: of the point of an outline that a patch is about, from the patch's centre, in pixels.
        contrast, brightness: factors of either change by up to this. tint: of each channel, of 255.
        forget: probability that the carried mask is not shown.
        rate: learning rate. warmup, decay, clip, checkpoint_every: see `RunSettings`.
    """

    steps: int = 1000
    patches: int = 8
    side: int = 224
    zoom: float = 0.35
    rotation: float = 15.0
    shift: float = 50.0
    contrast: float = 0.2
    brightness: float = 0.2
    tint: float = 10.0
    forget: float = 0.25
    rate: float = 2e-3
    warmup: int = 50
    decay: float = 0.01
    clip: float = 1.0
    checkpoint_every: int = 100
    seed: int = 0


class OutlineSampler:
    """Draws patches of recorded frames about points of their outlines.

    Raises:
        UsageError: nothing was recorded of the corpus's videos, or other frames.
    """

    def __init__(
        self, corpus: Corpus, records: Mapping[str, Path], settings: OutlineSettings
    ) -> None:
        self._corpus = corpus
        self._settings = settings
        self._videos = []
        for name, indices in corpus.sequences().items():
            if name not in records:
                continue
            seen = np.load(records[name], mmap_mode="r", allow_pickle=False)
            image, labels = corpus[indices[0]]
            frames = [corpus.items[index].frame for index in indices]
            if frames[0] != 0 or frames[-1] > len(seen) or seen.shape[1:] != (2, *labels.shape):
                raise UsageError(
                    f"{records[name]}: recorded of other frames",
                    "Delete it; `vosbench eosvos crossval` records it anew.",
                )
            later = [i for i, frame in zip(indices, frames, strict=True) if frame]
            learnable = [index for index in later if self._shows(index, seen)]
            if learnable:
                self._videos.append(_Recorded(learnable, seen, colour_table(image, labels > 0)))
        if not records:
            raise UsageError("no video is recorded", "Run `vosbench eosvos crossval` first.")
        if not self._videos:
            raise UsageError(
                "the records hold no outline: the weights found nothing", "Train these longer."
            )

    def _shows(self, index: int, seen: NDArray[np.uint8]) -> bool:
        """Whether there is an outline to learn from in a frame."""
        found = seen[self._corpus.items[index].frame - 1, 0] > 127
        box = tight_box(found)
        return box is not None and len(_outline_points(self._corpus[index][1] > 0, found, box)) > 0

    def patch(self, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Planes (PLANES, side, side) and the true mask (1, side, side), both float in 0..1."""
        video = self._videos[random.integers(len(self._videos))]
        index = int(random.choice(video.indices))
        image, labels = self._corpus[index]
        truth, seen = labels > 0, video.seen[self._corpus.items[index].frame - 1]
        box = tight_box(seen[0] > 127)
        assert box is not None
        points = _outline_points(truth, seen[0] > 127, box)
        about = points[random.integers(len(points))]
        return self._around(image, truth, seen, video.table, box, about, random)

    def _around(
        self,
        image: Image,
        truth: NDArray[np.bool_],
        seen: NDArray[np.uint8],
        table: NDArray[np.uint8],
        box: Box,
        about: NDArray[np.int64],
        random: np.random.Generator,
    ) -> tuple[Tensor, Tensor]:
        settings, side = self._settings, self._settings.side
        scale = min(LARGEST, SIDE / ((box[2] - box[0]) * (box[3] - box[1])) ** 0.5)
        scale *= float(np.exp(random.uniform(-settings.zoom, settings.zoom)))
        to = side / 2 + random.uniform(-settings.shift, settings.shift, 2)
        # What the patch can show of the frame, with room for its rotation.
        reach = int(0.8 * (side + 2 * settings.shift) / scale) + 2
        x, y = int(about[0]), int(about[1])
        rows = slice(max(0, y - reach), y + reach)
        columns = slice(max(0, x - reach), x + reach)
        near = rows, columns
        matrix = affine(
            (float(x - columns.start), float(y - rows.start)),
            (float(to[0]), float(to[1])),
            scale,
            random.uniform(-settings.rotation, settings.rotation),
            flip=bool(random.random() < 0.5),
        )
        colours, shares = (
            _warped(three, matrix, side, scale)
            for three in planes(image[near], seen[0][near], seen[1][near], table)
        )
        mask = cv2.warpAffine(truth[near].astype(np.float32), matrix, (side, side))
        colours = self._recoloured(colours, random)
        if random.random() < settings.forget:
            shares[..., 1] = 0
        shown = torch.from_numpy(np.dstack([colours, shares])).permute(2, 0, 1).float() / 255
        return shown, torch.from_numpy(mask)[None]

    def _recoloured(self, image: Image, random: np.random.Generator) -> Image:
        settings = self._settings
        contrast = 1 + random.uniform(-settings.contrast, settings.contrast)
        brightness = 1 + random.uniform(-settings.brightness, settings.brightness)
        tint = random.uniform(-settings.tint, settings.tint, 3)
        changed = (image - 128.0) * contrast + 128 * brightness + tint
        return np.asarray(changed.clip(0, 255), np.uint8)


def _warped(
    image: NDArray[np.uint8], matrix: NDArray[np.float64], side: int, scale: float
) -> NDArray[np.uint8]:
    """Three planes in a square of `side`; smoothed first where they are made much smaller."""
    if scale < 0.6:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.35 / scale), np.uint8)
    return np.asarray(cv2.warpAffine(image, matrix, (side, side)), np.uint8)


def _outline_points(
    truth: NDArray[np.bool_], found: NDArray[np.bool_], box: Box
) -> NDArray[np.int64]:
    """Points x, y (n, 2) of both outlines in the box and its margin, which the network sees."""
    x1, y1, x2, y2 = map(int, box)
    across, down = int(MARGIN * (x2 - x1)), int(MARGIN * (y2 - y1))
    left, top = max(0, x1 - across), max(0, y1 - down)
    at = slice(top, y2 + down), slice(left, x2 + across)
    lines = np.zeros(truth[at].shape, bool)
    for mask in (truth[at], found[at]):
        lines[:, 1:] |= mask[:, 1:] != mask[:, :-1]
        lines[1:] |= mask[1:] != mask[:-1]
    rows, columns = np.nonzero(lines)
    return np.stack([columns + left, rows + top], 1)


class OutlineTraining(TrainingRun):
    """A run in a folder: `checkpoint.pt`, `losses.csv`, `outline.safetensors`.

    Goes on from the folder's checkpoint as if it had never stopped. Raises RunError if that run had
    other settings.
    """

    def __init__(
        self,
        corpus: Corpus,
        records: Mapping[str, Path],
        settings: OutlineSettings,
        folder: Path,
        *,
        bf16: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        """`records`: video -> what `record` wrote of it, of the videos to learn from."""
        torch.manual_seed(settings.seed)
        self.device = torch.device(device)
        self.net = OutlineNet().to(self.device).to(memory_format=torch.channels_last)
        self.settings = settings
        self.weights = folder / "outline.safetensors"
        self._bf16 = bf16
        self._videos = sorted(records)
        digests = {n: hashlib.sha256(records[n].read_bytes()).hexdigest() for n in self._videos}
        self._sampler = OutlineSampler(corpus, records, settings)
        super().__init__(
            "outline",
            self.net,
            [(list(self.net.parameters()), settings.rate)],
            settings,
            folder,
            identity={"widths": self.net.widths, "records": digests, **asdict(settings)},
            columns=("loss", "iou"),
        )

    def backward(self) -> dict[str, float]:
        """Cross-entropy and soft IoU of the step's patches."""
        random = np.random.default_rng((self.settings.seed, self.step))
        drawn = [self._sampler.patch(random) for _ in range(self.settings.patches)]
        shown, truth = (torch.stack(part).to(self.device) for part in zip(*drawn, strict=True))
        shown = shown.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._bf16):
            logits = self.net(shown)
        logits = logits.float()
        share = logits.sigmoid()
        common = (share * truth).sum((1, 2, 3))
        union = (share + truth).sum((1, 2, 3)) - common
        overlap = ((common + 1) / (union + 1)).mean()
        loss = F.binary_cross_entropy_with_logits(logits, truth) + 1 - overlap
        torch.autograd.backward(loss)
        return {"loss": float(loss.detach()), "iou": float(overlap.detach())}

    def export(self) -> None:
        """Write `outline.safetensors`."""
        facts = {
            "steps": str(self.step),
            "seconds": f"{self.seconds:.0f}",
            "videos": " ".join(self._videos),
        }
        save_outline(self.net, self.weights, facts)
