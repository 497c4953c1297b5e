"""The class-balanced cross-entropy of OSVOS."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from vosbench_baselines.osvos.network import Outputs


def balanced_cross_entropy(logits: Tensor, target: Tensor, valid: Tensor | None = None) -> Tensor:
    """Binary cross-entropy in which object and background weigh the same, however many pixels.

        L = mean over the object of -log p / 2 + mean over the background of -log(1 - p) / 2

    This is OSVOS (CVPR 2017, eq. 2; after Xie and Tu, ICCV 2015) divided by 2 beta (1 - beta) n,
    with beta the share of background among n pixels: gradients do not shrink with the object, so
    one learning rate fits objects of all sizes.

    Args:
        logits: (B, H, W). target: bool, the same; means are over the whole batch.
        valid: bool, the same: pixels that count; all by default.

    Returns:
        Scalar; a class without pixels adds nothing.
    """
    counted = torch.ones_like(target) if valid is None else valid
    losses = F.binary_cross_entropy_with_logits(logits, target.to(logits.dtype), reduction="none")
    total = logits.new_zeros(())
    for pixels in (target & counted, ~target & counted):
        share = pixels.to(logits.dtype)
        total = total + (losses * share).sum() / share.sum().clamp(min=1) / 2
    return total


def deep_loss(outputs: Outputs, target: Tensor) -> Tensor:
    """Loss of the final output plus the mean over the side outputs (parent training).

    `target` is bool (B, H, W) at the size of the final output; a cell of a side output is object
    where more than half of its pixels are.
    """
    loss = balanced_cross_entropy(outputs.final, target)
    for level, side in enumerate(outputs.sides):
        stride = 4 * 2**level
        below = side.shape[-2] * stride - target.shape[-2]
        right = side.shape[-1] * stride - target.shape[-1]
        share = F.avg_pool2d(F.pad(target.float(), (0, right, 0, below))[:, None], stride)[:, 0]
        loss = loss + balanced_cross_entropy(side, share > 0.5) / len(outputs.sides)
    return loss
