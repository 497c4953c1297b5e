"""Pre-training: the model learns to find and cut out any object, in photos and video frames.

This is also the parent training of the handcrafted baseline.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vosbench_eosvos.finetune import device_of
from vosbench_eosvos.learned import LearnedOptimiser
from vosbench_eosvos.model import MaskRCNN
from vosbench_learning import distributed
from vosbench_learning.checkpoint import load_checkpoint, plain, save_checkpoint
from vosbench_learning.corpus import Corpus
from vosbench_learning.devices import Loader
from vosbench_learning.progress import Bar, Log
from vosbench_learning.sampling import ImageSampler
from vosbench_learning.schedule import warmup_cosine
from vosbench_learning.views import Target, ViewSettings

LOSSES = ("rpn_score", "rpn_box", "box_score", "box_delta", "mask")


@dataclass(frozen=True, kw_only=True)
class PretrainSettings:
    """How pre-training runs.

    Attributes:
        steps: optimiser steps. units: units of work a step (see `distributed`), each of
            `unit_images` images.
        rate: AdamW's learning rate for the heads, `backbone_rate` for the backbone; both warm up
            over `warmup` steps and then fall to zero along a cosine.
        decay: weight decay. clip: largest norm of the gradient.
        photos: share of photos among the images, the rest are video frames.
        paste: probability that an instance of another image is put on top.
        view: what an image is seen through.
        checkpoint_every, validate_every: in steps.
        seed: of every random draw.
    """

    steps: int = 5000
    units: int = 2
    unit_images: int = 2
    rate: float = 1e-3
    backbone_rate: float = 3e-4
    warmup: int = 200
    decay: float = 0.02
    clip: float = 5.0
    photos: float = 0.75
    paste: float = 0.3
    view: ViewSettings = field(default_factory=ViewSettings)
    checkpoint_every: int = 200
    validate_every: int = 500
    seed: int = 0


class Pretraining:
    """A run in a folder: `checkpoint.pt`, `losses.csv`, `validation.csv`, `parent.safetensors`."""

    def __init__(
        self,
        model: MaskRCNN,
        corpus: Corpus,
        settings: PretrainSettings,
        folder: Path,
        *,
        validation: Any | None = None,
        export: Path | None = None,
        parent: dict[str, Any] | None = None,
        loaders: int = 0,
    ) -> None:
        """`parent`: provenance of the weights that `model` starts from, if they were trained;
        `loaders`: threads that draw images ahead. It trains where `model` is."""
        self.model = model
        self.device = device_of(model)
        self.settings = settings
        self.folder = folder
        self.export = export or folder / "parent.safetensors"
        self._sampler = ImageSampler(
            corpus, settings.view, photos=settings.photos, paste=settings.paste
        )
        self._loader = Loader(self._draw, settings.units, self.device, loaders)
        self._validation = validation
        self._parent = parent
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        backbone = {id(p) for p in model.backbone.parameters()}
        groups = [
            {
                "params": [p for p in self._parameters if id(p) not in backbone],
                "rate": settings.rate,
            },
            {
                "params": [p for p in self._parameters if id(p) in backbone],
                "rate": settings.backbone_rate,
            },
        ]
        self._optimiser = torch.optim.AdamW(groups, lr=settings.rate, weight_decay=settings.decay)
        self._identity = plain(
            {
                "model": model.config.to_dict(),
                **{k: v for k, v in asdict(settings).items() if not k.endswith("_every")},
            }
        )
        self.step = 0
        self.seconds = 0.0
        self._resume()

    def _resume(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        stored = load_checkpoint(self.folder / "checkpoint.pt", self._identity)
        if stored is not None:
            self.model.load_state_dict(stored["state"], strict=True)
            self._optimiser.load_state_dict(stored["optimiser"])
            self.step, self.seconds = stored["step"], stored["seconds"]

    def run(self) -> None:
        """Train to the last step, from wherever the folder's checkpoint left off."""
        lead = distributed.rank() == 0
        losses = (
            Log(self.folder, "losses", (*LOSSES, "norm", "seconds"), start=self.step)
            if lead
            else None
        )
        scores = (
            Log(self.folder, "validation", ("top", "best", "seconds"), start=self.step)
            if lead
            else None
        )
        with Bar("pretrain", self.settings.steps, done=self.step, quiet=not lead) as bar:
            while self.step < self.settings.steps:
                start = time.monotonic()
                values = self.advance()
                self.seconds += time.monotonic() - start
                values["seconds"] = self.seconds
                if losses is None or scores is None:
                    continue
                losses.write(self.step, values)
                bar.update(self.step, f"loss {sum(values[k] for k in LOSSES):.3f}")
                last = self.step == self.settings.steps
                if last or self.step % self.settings.checkpoint_every == 0:
                    self.checkpoint()
                if self._validation and (last or self.step % self.settings.validate_every == 0):
                    scores.write(
                        self.step, {**self._validation(self.model), "seconds": self.seconds}
                    )
        if lead and not self.settings.steps:  # what it started from
            self.checkpoint()
        self._loader.close()

    def advance(self) -> dict[str, float]:
        """One optimiser step; returns the mean losses over all units."""
        names = LOSSES
        self._optimiser.zero_grad()
        totals = torch.zeros(len(names), device=self.device)
        for unit, (images, targets) in self._loader.step(self.step):
            torch.manual_seed(distributed.unit_seed(self.settings.seed, self.step, unit))
            losses = self.model(images, targets)
            loss = torch.stack(list(losses.values())).sum() / self.settings.units
            torch.autograd.backward(loss)
            totals += torch.stack([losses[n].detach() for n in names]) / self.settings.units
        gradients = []
        for p in self._parameters:
            if p.grad is None:
                p.grad = torch.zeros_like(p)
            gradients.append(p.grad)
        distributed.all_reduce_sum([*gradients, totals])
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, self.settings.clip)
        factor = warmup_cosine(self.step, self.settings.steps, self.settings.warmup)
        for group in self._optimiser.param_groups:
            group["lr"] = group["rate"] * factor
        self._optimiser.step()
        self.step += 1
        return {**dict(zip(names, totals.tolist(), strict=True)), "norm": float(norm)}

    def _draw(self, step: int, unit: int) -> tuple[Tensor, Sequence[Target]]:
        random = np.random.default_rng(distributed.unit_seed(self.settings.seed, step, unit))
        views = [self._sampler.view(random) for _ in range(self.settings.unit_images)]
        return torch.stack([v.tensor() for v in views]), [v.target() for v in views]

    def checkpoint(self) -> None:
        """Write what a resumed run needs, and the weights."""
        save_checkpoint(
            self.folder / "checkpoint.pt",
            {
                "settings": self._identity,
                "state": self.model.state_dict(),
                "optimiser": self._optimiser.state_dict(),
                "step": self.step,
                "seconds": self.seconds,
            },
        )
        provenance = {
            "training": "pre-training",
            "steps": self.step,
            "seconds": round(self.seconds),
            "settings": self._identity,
            **({"parent": self._parent} if self._parent else {}),
        }
        LearnedOptimiser.create(self.model, "global", 1e-3, provenance).save(self.export, half=True)
