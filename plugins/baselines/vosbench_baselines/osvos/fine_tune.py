"""Fine-tuning of one copy of the network to one object, by SGD with momentum.

    tuned = FineTuned(net, start, rate=1e-3)
    for step in range(50):
        tuned.step(examples[step % len(examples)])
    probabilities = tuned.probabilities(prefix)

The frozen stages have seen each example once and for all; neither pass of a step enters them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from vosbench.types import Image, Mask
from vosbench_baselines.osvos.loss import balanced_cross_entropy
from vosbench_baselines.osvos.network import OsvosNet, Outputs
from vosbench_learning.backbone import StageOutputs
from vosbench_learning.copies import random_copy

_MOMENTUM = 0.9  # OSVOS, CVPR 2017, sec. 4


@dataclass(frozen=True)
class Example:
    """What to learn from one image.

    Attributes:
        prefix: what the frozen stages make of it.
        target: bool (1, H, W), the object. valid: the same, pixels that count; None for all.
        weight: of its loss.
    """

    prefix: StageOutputs
    target: Tensor
    valid: Tensor | None = None
    weight: float = 1.0


def look(net: OsvosNet, image: Image) -> StageOutputs:
    """The frozen stages' view of an RGB image (H, W, 3) uint8."""
    pixels = torch.from_numpy(image.copy()).to(net.backbone.mean.device)
    return net.prefix(pixels.permute(2, 0, 1)[None])


def first_frame_examples(
    net: OsvosNet, image: Image, mask: Mask, copies: int, rng: np.random.Generator
) -> list[Example]:
    """The given frame as it is, then `copies` spatially transformed ones."""
    device = net.backbone.mean.device
    pairs = [(image, mask), *(random_copy(image, mask, rng) for _ in range(copies))]
    return [
        Example(look(net, pixels), torch.from_numpy(inside.copy())[None].to(device))
        for pixels, inside in pairs
    ]


class FineTuned:
    """The parameters that belong to one object.

    Args:
        net: shared by all objects; its own parameters never change.
        start: name -> the parameters that learn, at step 0. rate: the learning rate.
    """

    def __init__(self, net: OsvosNet, start: Mapping[str, Tensor], rate: float) -> None:
        self._net = net
        self.params = {name: p.detach().clone().requires_grad_() for name, p in start.items()}
        self._optimiser = torch.optim.SGD(list(self.params.values()), rate, momentum=_MOMENTUM)

    def step(self, example: Example) -> float:
        """One step; returns the loss before it."""
        with torch.enable_grad():
            outputs: Outputs = functional_call(self._net, self.params, (example.prefix,))
            loss = balanced_cross_entropy(outputs.final, example.target, example.valid)
            gradients = torch.autograd.grad(
                loss * example.weight,
                list(self.params.values()),
                allow_unused=True,
                materialize_grads=True,
            )
        for p, gradient in zip(self.params.values(), gradients, strict=True):
            p.grad = gradient
        self._optimiser.step()
        return float(loss.detach())

    def use_rate(self, rate: float) -> None:
        """Go on with another learning rate, without momentum from before."""
        self._optimiser = torch.optim.SGD(list(self.params.values()), rate, momentum=_MOMENTUM)

    def snapshot(self) -> dict[str, Tensor]:
        """A copy of the parameters as they are now."""
        return {name: p.detach().clone() for name, p in self.params.items()}


@torch.no_grad()
def probabilities(net: OsvosNet, params: Mapping[str, Tensor], prefix: StageOutputs) -> Tensor:
    """Of the object, (H, W) at the size of the image."""
    outputs: Outputs = functional_call(net, dict(params), (prefix,))
    return outputs.final[0].sigmoid()


def learnable(net: OsvosNet) -> dict[str, Tensor]:
    """The parameters that fine-tuning changes: side outputs are of use in parent training only."""
    return {
        name: p.detach()
        for name, p in net.named_parameters()
        if p.requires_grad and not name.startswith("side_logits.")
    }
