"""Training STM on clips of three frames, videos and photos that move (ICCV 2019, sec. 3.5).

The first frame of a clip is given; the second is read from it, the third from both, the second with
the mask that was found. Data, views, checkpoints and logs are those of all training here.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vosbench_baselines.stm.network import Memory, StmNet
from vosbench_baselines.stm.weights import save_weights
from vosbench_learning.corpus import Corpus
from vosbench_learning.training import TrainingRun
from vosbench_learning.views import (
    Random,
    View,
    ViewSettings,
    jitter_colour,
    paste,
    random_scale,
    random_view,
    view_of,
)

FRAMES = 3


@dataclass(frozen=True, kw_only=True)
class ClipSettings:
    """Where clips come from.

    Attributes:
        videos: share of clips from videos; the others are views of a photo.
        paste: probability that an instance of another photo moves in the clip of a photo.
        gap: most frames between two of a clip.
        objects: most objects of a clip; the others are background.
        view: what a frame is seen through.
        drift: how much the views of a photo differ, in magnification (as a logarithm).
        colour: colour change shared by the frames of a clip.
    """

    videos: float = 0.6
    paste: float = 0.5
    gap: int = 25
    objects: int = 3
    view: ViewSettings = field(
        default_factory=lambda: ViewSettings(
            size=(256, 256), side=(40.0, 220.0), shift=0.15, rotation=10.0, colour=0.05
        )
    )
    drift: float = 0.2
    colour: float = 0.2


@dataclass(frozen=True)
class ClipSample:
    """Frames (3, 3, H, W) uint8 and their label maps (3, H, W), 0..K; every object is in the
    first frame."""

    images: Tensor
    labels: Tensor

    @property
    def count(self) -> int:
        """K, the number of objects."""
        return int(self.labels[0].max())


class ClipSampler:
    """Draws clips; equal generators give equal clips."""

    def __init__(self, corpus: Corpus, settings: ClipSettings) -> None:
        self._corpus = corpus
        self._settings = settings
        self._photos = corpus.photos()
        self._videos = [v for v in corpus.sequences().values() if len(v) >= FRAMES]

    def clip(self, random: Random) -> ClipSample:
        """A clip with at least one object in its first frame."""
        while True:
            from_video = self._videos and random.random() < self._settings.videos
            views = self._video(random) if from_video or not self._photos else self._photo(random)
            if views[0].ids:
                return self._sample(views, random)

    def _video(self, random: Random) -> list[View]:
        settings = self._settings
        video = self._videos[random.integers(len(self._videos))]
        gaps = random.integers(1, settings.gap + 1, FRAMES - 1)
        while gaps.sum() >= len(video):
            gaps = np.maximum(1, gaps // 2)
        first = int(random.integers(len(video) - gaps.sum()))
        places = np.concatenate([[0], np.cumsum(gaps)]) + first
        if random.random() < 0.5:
            places = places[::-1]
        indices = [video[int(place)] for place in places]
        labels = self._corpus[indices[0]][1]
        chosen = int(random.choice(self._corpus.items[indices[0]].objects))
        scale = random_scale(labels, chosen, settings.view, random)
        flip = bool(random.random() < settings.view.flip)
        views = []
        for index in indices:
            image, labels = self._corpus[index]
            around = chosen if (labels == chosen).any() else int(labels.max())
            views.append(
                view_of(image, labels, around, settings.view, random, scale=scale, flip=flip)
                if around
                else random_view(*self._corpus[indices[0]], settings.view, random)
            )
        return views

    def _photo(self, random: Random) -> list[View]:
        settings = self._settings
        calm = replace(settings.view, rotation=0.0, colour=0.0, shift=0.1)
        index = int(random.choice(self._photos))
        scene = random_view(*self._corpus[index], calm, random)
        if random.random() < settings.paste:
            other = self._corpus[int(random.choice(self._photos))]
            scene = paste(scene, random_view(*other, calm, random), random)
        if not scene.ids:
            return [scene]
        around = int(random.choice(scene.ids))
        moved = replace(settings.view, rotation=settings.view.rotation + 10, coverage=0.9)
        scales = np.exp(random.uniform(-settings.drift, settings.drift, FRAMES))
        return [
            view_of(
                scene.image, scene.labels, around, moved, random, scale=float(scale), flip=False
            )
            for scale in scales
        ]

    def _sample(self, views: list[View], random: Random) -> ClipSample:
        ids = random.permutation(views[0].ids)[: self._settings.objects]
        table = np.zeros(256, np.int64)
        table[ids] = np.arange(1, len(ids) + 1)
        tint = int(random.integers(2**31))
        images = [
            jitter_colour(view.image, self._settings.colour, np.random.default_rng(tint))
            for view in views
        ]
        labels = np.stack([table[view.labels] for view in views])
        stacked = np.stack(images).transpose(0, 3, 1, 2)
        return ClipSample(torch.from_numpy(np.ascontiguousarray(stacked)), torch.from_numpy(labels))


def clip_loss(net: StmNet, clip: ClipSample) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy of the later frames, and the mean IoU of the objects in them."""
    count = clip.count
    given = F.one_hot(clip.labels[0], count + 1)[..., 1:].permute(2, 0, 1).float()
    memories = [net.memorize(clip.images[:1], given)]
    losses, overlaps = [], []
    for t in range(1, len(clip.images)):
        joined = [Memory.joined(frames) for frames in zip(*memories, strict=True)]
        found = net.segment(clip.images[t : t + 1], joined)
        losses.append(F.nll_loss(found.clamp_min(1e-7).log()[None], clip.labels[t : t + 1]))
        here, there = found.argmax(0) > 0, clip.labels[t] > 0
        overlaps.append((here & there).sum() / (here | there).sum().clamp(min=1))
        if t + 1 < len(clip.images):
            memories.append(net.memorize(clip.images[t : t + 1], found[1:]))
    return torch.stack(losses).mean(), torch.stack(overlaps).mean()


@dataclass(frozen=True, kw_only=True)
class StmSettings:
    """How training runs.

    Attributes:
        steps: optimiser steps of `clips` clips.
        rate: AdamW's learning rate for what starts from scratch, `backbone_rate` for the encoders;
            warmed up over `warmup` steps, then falling to zero along a cosine.
        decay: weight decay. clip: largest norm of the gradient.
        clips_from: where clips come from.
        checkpoint_every: in steps. seed: of every random draw.
    """

    steps: int = 3600
    clips: int = 4
    rate: float = 5e-4
    backbone_rate: float = 1e-4
    warmup: int = 100
    decay: float = 0.01
    clip: float = 5.0
    clips_from: ClipSettings = field(default_factory=ClipSettings)
    checkpoint_every: int = 100
    seed: int = 0


class StmTraining(TrainingRun):
    """A run in a folder: `checkpoint.pt`, `losses.csv`, `stm.safetensors`.

    Goes on from the folder's checkpoint as if it had never stopped. Raises RunError if that run had
    other settings.
    """

    def __init__(
        self,
        net: StmNet,
        corpus: Corpus,
        settings: StmSettings,
        folder: Path,
        device: torch.device | str = "cpu",
        *,
        parent: Path | None = None,
    ) -> None:
        """`parent`: the weights that `net` starts from, if they were trained."""
        self._parent = parent
        self.device = torch.device(device)
        self.net = net.to(self.device).to(memory_format=torch.channels_last)
        self.settings = settings
        self.weights = folder / "stm.safetensors"
        self._sampler = ClipSampler(corpus, settings.clips_from)
        encoders = ("query_encoder.", "memory_encoder.")
        named = [(n, p) for n, p in net.named_parameters() if p.requires_grad]
        fresh = [p for n, p in named if not n.startswith(encoders)]
        encoding = [p for n, p in named if n.startswith(encoders)]
        super().__init__(
            "stm",
            net,
            [(fresh, settings.rate), (encoding, settings.backbone_rate)],
            settings,
            folder,
            identity={"model": net.config.to_dict(), **asdict(settings)},
            columns=("loss", "iou"),
        )

    def backward(self) -> dict[str, float]:
        """Mean loss and IoU over the step's clips."""
        random = np.random.default_rng((self.settings.seed, self.step))
        total = torch.zeros(2)
        for _ in range(self.settings.clips):
            clip = self._sampler.clip(random)
            moved = ClipSample(clip.images.to(self.device), clip.labels.to(self.device))
            loss, overlap = clip_loss(self.net, moved)
            torch.autograd.backward(loss / self.settings.clips)
            total += torch.stack([loss.detach(), overlap]).cpu() / self.settings.clips
        return {"loss": float(total[0]), "iou": float(total[1])}

    def export(self) -> None:
        """Write `stm.safetensors`."""
        facts = {"steps": str(self.step), "seconds": f"{self.seconds:.0f}"}
        if self._parent is not None:
            facts["parent"] = hashlib.sha256(self._parent.read_bytes()).hexdigest()
        save_weights(self.net, self.weights, facts)
