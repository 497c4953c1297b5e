"""Group norm, and how it takes the place of batch norm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torchvision.ops import FrozenBatchNorm2d

Norm = Literal["group", "frozen_batch"]


@dataclass(frozen=True)
class Moments:
    """What a group norm divides by: mean and 1 / standard deviation of each group, (B, G)."""

    mean: Tensor
    inverse: Tensor


class GroupNorm(nn.GroupNorm):
    """Computes in float32 under autocast: on a CPU bfloat16 is slower, five times backwards."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.float())

    def normalise(self, x: Tensor, moments: Moments | None = None) -> tuple[Tensor, Moments]:
        """`x` (B, C, h, w) by its own moments or by those of something else, and by which."""
        x = x.float()
        if moments is None:
            batch, channels, height, width = x.shape
            y, mean, inverse = torch.native_group_norm(
                x,
                self.weight,
                self.bias,
                batch,
                channels,
                height * width,
                self.num_groups,
                self.eps,
            )
            return y, Moments(mean, inverse)
        each = x.shape[1] // self.num_groups
        scale = moments.inverse.repeat_interleave(each, 1) * self.weight
        shift = self.bias - moments.mean.repeat_interleave(each, 1) * scale
        return x * scale[:, :, None, None] + shift[:, :, None, None], moments

    def moments(self, sample: Tensor) -> Moments:
        """Of a sample (B, C, ...)."""
        groups = sample.float().reshape(len(sample), self.num_groups, -1)
        variance, mean = torch.var_mean(groups, 2, correction=0)
        return Moments(mean, (variance + self.eps).rsqrt())


def replace_norms(module: nn.Module, *, frozen: bool = False) -> None:
    """Replace every batch norm by GroupNorm(32), or by frozen batch norm, in place.

    Group norm takes over scale and shift and drops the running statistics (e-OSVOS, sec. 3.2).
    """
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d | FrozenBatchNorm2d):
            channels = int(child.weight.shape[0])
            norm: nn.Module
            if frozen:
                norm = FrozenBatchNorm2d(channels, eps=child.eps)
                norm.load_state_dict(
                    {k: v for k, v in child.state_dict().items() if k != "num_batches_tracked"}
                )
            else:
                norm = GroupNorm(32 if channels % 32 == 0 else max(1, channels // 8), channels)
                with torch.no_grad():
                    norm.weight.copy_(child.weight)
                    norm.bias.copy_(child.bias)
            setattr(module, name, norm)
        else:
            replace_norms(child, frozen=frozen)
