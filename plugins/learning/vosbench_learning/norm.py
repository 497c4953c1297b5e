"""Group norm, and how it takes the place of batch norm."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torchvision.ops import FrozenBatchNorm2d

Norm = Literal["group", "frozen_batch"]


class GroupNorm(nn.GroupNorm):
    """Computes in float32 under autocast: on a CPU bfloat16 is slower, five times backwards."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.float())

    def by(self, sample: Tensor, x: Tensor) -> Tensor:
        """`x` (B, C, h, w) normalised by the mean and variance of `sample` (B, C, ...)."""
        batch, channels = sample.shape[:2]
        groups = sample.float().reshape(batch, self.num_groups, -1)
        variance, mean = torch.var_mean(groups, 2, correction=0)
        each = channels // self.num_groups
        scale = (variance + self.eps).rsqrt().repeat_interleave(each, 1) * self.weight
        shift = self.bias - mean.repeat_interleave(each, 1) * scale
        return x.float() * scale[:, :, None, None] + shift[:, :, None, None]


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
