"""Mask losses per RoI. L_seg = L_RPN + L_box + L_mask is summed in `model.mask_rcnn`."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def lovasz_hinge(logits: Tensor, targets: Tensor, *, soft: bool = False) -> Tensor:
    """Binary Lovász hinge of each row (Berman, Triki and Blaschko, CVPR 2018).

    The Lovász extension of the Jaccard loss, applied to hinge errors 1 - logit * (2 target - 1):
    errors in decreasing order, weighted by the increments of the Jaccard loss as pixels are
    counted wrong one after the other.

    Args:
        logits: (N, P), one row a RoI.
        targets: (N, P) in 0..1; NaN is ignored.
        soft: take targets between 0 and 1 as they are, as the reference implementation does; else
            they are rounded, one half is foreground.

    Returns:
        (N,) losses, >= 0.
    """
    ignored = targets.isnan()
    labels = (targets.masked_fill(ignored, 0) if soft else targets >= 0.5).to(logits.dtype)
    errors = 1 - logits * (2 * labels - 1)
    # Ignored pixels come last: they then change no other pixel's weight.
    errors = errors.masked_fill(ignored, -torch.inf)
    errors, order = torch.sort(errors, dim=1, descending=True)
    weights = jaccard_increments(labels.gather(1, order))
    return (errors.relu() * weights).sum(1)


@torch.no_grad()
def jaccard_increments(labels: Tensor) -> Tensor:
    """Increments of the Jaccard loss when the pixels of each row are got wrong from left to right.

    Args:
        labels: (N, P) in 0..1, in order of decreasing error.

    Returns:
        (N, P); each row sums to 1.
    """
    seen = labels.cumsum(1)
    total = seen[:, -1:]
    jaccard = 1 - (total - seen) / (total + (1 - labels).cumsum(1))
    return torch.cat([jaccard[:, :1], jaccard.diff(dim=1)], dim=1)


def mask_loss(logits: Tensor, targets: Tensor, kind: str, *, soft: bool = False) -> Tensor:
    """Mean over RoIs of the mask loss.

    Args:
        logits, targets: (N, S, S); targets in 0..1, NaN where a pixel is to be ignored.
        kind: "lovasz" or "cross_entropy". soft: see `lovasz_hinge`.

    Returns:
        A scalar; 0 (with a graph) if N is 0.
    """
    if logits.shape[0] == 0:
        return logits.sum() * 0
    ignored = targets.isnan()
    targets = targets.masked_fill(ignored, 0)
    logits = logits.masked_fill(ignored, -1e4)  # surely and rightly background: adds nothing
    if kind == "lovasz":
        return lovasz_hinge(logits.flatten(1), targets.flatten(1), soft=soft).mean()
    errors = F.binary_cross_entropy_with_logits(logits, targets, reduction="sum")
    return errors / (ignored.numel() - ignored.sum()).clamp(min=1)
