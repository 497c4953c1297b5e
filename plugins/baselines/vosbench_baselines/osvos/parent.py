"""Parent training: the network learns what objects look like, before it is told which one.

Foreground is every annotated object, in photos and in video frames (OSVOS, CVPR 2017, sec. 3.2).
Data, augmentation, checkpoints and logs are those of the e-OSVOS plugin's training.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vosbench_baselines.osvos.loss import deep_loss
from vosbench_baselines.osvos.network import OsvosNet, save_weights
from vosbench_learning.corpus import Corpus
from vosbench_learning.devices import Loader
from vosbench_learning.sampling import ImageSampler
from vosbench_learning.training import TrainingRun
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


class ParentTraining(TrainingRun):
    """A run in a folder: `checkpoint.pt`, `losses.csv`, `osvos-parent.safetensors`.

    Resumes from the folder's checkpoint as if it had never stopped. Raises RunError if that run had
    other settings.
    """

    def __init__(
        self,
        net: OsvosNet,
        corpus: Corpus,
        settings: ParentSettings,
        folder: Path,
        *,
        device: torch.device | None = None,
        loaders: int = 0,
    ) -> None:
        """`device`: to train on, the CPU by default; `loaders`: threads that draw images ahead."""
        device = device or torch.device("cpu")
        self.net = net.train().to(device).to(memory_format=torch.channels_last)
        self.settings = settings
        self.weights = folder / "osvos-parent.safetensors"
        self._sampler = ImageSampler(
            corpus, settings.view, photos=settings.photos, paste=settings.paste
        )
        self._loader = Loader(self._draw, 1, device, loaders)
        named = [(n, p) for n, p in net.named_parameters() if p.requires_grad]
        fresh = [p for n, p in named if not n.startswith("backbone.")]
        backbone = [p for n, p in named if n.startswith("backbone.")]
        super().__init__(
            "osvos-parent",
            net,
            [(fresh, settings.rate), (backbone, settings.backbone_rate)],
            settings,
            folder,
            identity=asdict(settings),
            columns=("loss", "iou"),
        )

    def backward(self) -> dict[str, float]:
        """Loss, and the foreground's IoU over the batch."""
        [(_, (images, targets))] = self._loader.step(self.step)
        outputs = self.net(images, sides=True)
        loss = deep_loss(outputs, targets)
        torch.autograd.backward(loss)
        found = outputs.final.detach() > 0
        iou = float((found & targets).sum() / (found | targets).sum().clamp(min=1))
        return {"loss": float(loss.detach()), "iou": iou}

    def export(self) -> None:
        """Write `osvos-parent.safetensors`."""
        facts = {"training": "parent", "steps": str(self.step), "seconds": str(round(self.seconds))}
        save_weights(self.net, self.weights, facts)

    def _draw(self, step: int, _unit: int) -> tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) uint8 and foreground (B, H, W) bool, the same for the same step."""
        random = np.random.default_rng((self.settings.seed, step))
        views = [self._sampler.view(random) for _ in range(self.settings.batch)]
        targets = [torch.from_numpy(view.masks.any(0)) for view in views]
        return torch.stack([view.tensor() for view in views]), torch.stack(targets)
