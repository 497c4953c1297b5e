"""Parent training: the network learns what objects look like, before it is told which one.

Foreground is every annotated object, in photos and in video frames (OSVOS, CVPR 2017, sec. 3.2).
Data, augmentation, checkpoints and logs are those of the e-OSVOS plugin's training.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vosbench_baselines.osvos.loss import deep_loss
from vosbench_baselines.osvos.network import OsvosNet, save_weights
from vosbench_learning.checkpoint import load_checkpoint, plain, save_checkpoint
from vosbench_learning.corpus import Corpus
from vosbench_learning.progress import Bar, Log
from vosbench_learning.sampling import ImageSampler
from vosbench_learning.schedule import warmup_cosine
from vosbench_learning.views import ViewSettings


@dataclass(frozen=True, kw_only=True)
class ParentSettings:
    """How parent training runs.

    Attributes:
        steps: optimiser steps of `batch` images.
        rate: AdamW's learning rate for what starts from scratch, `backbone_rate` for the
            backbone; warmed up over `warmup` steps, then falling to zero along a cosine.
        decay: weight decay. clip: largest norm of the gradient.
        photos: share of photos among the images. paste: probability of a pasted object.
        view: what an image is seen through.
        checkpoint_every: in steps. seed: of every random draw.
    """

    steps: int = 3600
    batch: int = 4
    rate: float = 2e-3
    backbone_rate: float = 4e-4
    warmup: int = 100
    decay: float = 0.01
    clip: float = 5.0
    photos: float = 0.6
    paste: float = 0.2
    view: ViewSettings = field(default_factory=lambda: ViewSettings(size=(384, 384)))
    checkpoint_every: int = 100
    seed: int = 0


class ParentTraining:
    """A run in a folder: `checkpoint.pt`, `losses.csv`, `osvos-parent.safetensors`.

    A folder that holds a checkpoint is gone on with; the run is then the same as one that was
    never interrupted. Raises RunError if its settings were others.
    """

    def __init__(self, net: OsvosNet, corpus: Corpus, settings: ParentSettings, folder: Path):
        self.net = net.train().to(memory_format=torch.channels_last)
        self.settings = settings
        self.folder = folder
        self.export = folder / "osvos-parent.safetensors"
        self._sampler = ImageSampler(
            corpus, settings.view, photos=settings.photos, paste=settings.paste
        )
        fresh: list[torch.nn.Parameter] = []
        backbone: list[torch.nn.Parameter] = []
        for name, p in net.named_parameters():
            if p.requires_grad:
                (backbone if name.startswith("backbone.") else fresh).append(p)
        self._parameters = [*fresh, *backbone]
        self._optimiser = torch.optim.AdamW(
            [
                {"params": fresh, "rate": settings.rate},
                {"params": backbone, "rate": settings.backbone_rate},
            ],
            lr=settings.rate,
            weight_decay=settings.decay,
        )
        self._identity = plain({k: v for k, v in asdict(settings).items() if k != _PERIOD})
        self.step = 0
        self.seconds = 0.0
        folder.mkdir(parents=True, exist_ok=True)
        stored = load_checkpoint(folder / "checkpoint.pt", self._identity)
        if stored is not None:
            net.load_state_dict(stored["state"], strict=True)
            self._optimiser.load_state_dict(stored["optimiser"])
            self.step, self.seconds = stored["step"], stored["seconds"]

    def run(self, *, quiet: bool = False) -> None:
        """Train to the last step, from wherever the folder's checkpoint left off."""
        settings = self.settings
        log = Log(self.folder, "losses", ("loss", "iou", "norm", "seconds"), start=self.step)
        with Bar("osvos-parent", settings.steps, done=self.step, quiet=quiet) as bar:
            while self.step < settings.steps:
                start = time.monotonic()
                values = self._advance()
                self.seconds += time.monotonic() - start
                log.write(self.step, {**values, "seconds": self.seconds})
                bar.update(self.step, f"loss {values['loss']:.3f} iou {values['iou']:.2f}")
                if self.step % settings.checkpoint_every == 0 or self.step == settings.steps:
                    self._save()

    def _advance(self) -> dict[str, float]:
        """One optimiser step: its loss, the foreground's IoU over the batch, the gradient norm."""
        images, targets = self._batch()
        self._optimiser.zero_grad()
        outputs = self.net(images, sides=True)
        loss = deep_loss(outputs, targets)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, self.settings.clip)
        factor = warmup_cosine(self.step, self.settings.steps, self.settings.warmup)
        for group in self._optimiser.param_groups:
            group["lr"] = group["rate"] * factor
        self._optimiser.step()
        self.step += 1
        found = outputs.final.detach() > 0
        iou = float((found & targets).sum() / (found | targets).sum().clamp(min=1))
        return {"loss": float(loss.detach()), "iou": iou, "norm": float(norm)}

    def _batch(self) -> tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) uint8 and foreground (B, H, W) bool, the same for the same step."""
        random = np.random.default_rng((self.settings.seed, self.step))
        views = [self._sampler.view(random) for _ in range(self.settings.batch)]
        targets = [torch.from_numpy(view.masks.any(0)) for view in views]
        return torch.stack([view.tensor() for view in views]), torch.stack(targets)

    def _save(self) -> None:
        save_checkpoint(
            self.folder / "checkpoint.pt",
            {
                "settings": self._identity,
                "state": self.net.state_dict(),
                "optimiser": self._optimiser.state_dict(),
                "step": self.step,
                "seconds": self.seconds,
            },
        )
        facts = {"training": "parent", "steps": str(self.step), "seconds": str(round(self.seconds))}
        save_weights(self.net, self.export, facts)


_PERIOD = "checkpoint_every"  # may change when a run is gone on with
