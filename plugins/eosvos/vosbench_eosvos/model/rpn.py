"""The region proposal network: torchvision's, exact under autocast and with its own box loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead

from vosbench_eosvos.model.config import ModelConfig


class _FloatRPNHead(RPNHead):  # type: ignore[misc]
    """Box arithmetic stays in float32 under autocast."""

    def forward(self, x: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        objectness, deltas = super().forward(x)
        return [o.float() for o in objectness], [d.float() for d in deltas]


class RPN(RegionProposalNetwork):  # type: ignore[misc]
    """torchvision's, with `beta` of the boxes' smooth L1 loss free (its own is 1/9, once 0)."""

    def __init__(self, *args: Any, beta: float, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.beta = beta

    def compute_loss(
        self,
        objectness: Tensor,
        pred_bbox_deltas: Tensor,
        labels: list[Tensor],
        regression_targets: list[Tensor],
    ) -> tuple[Tensor, Tensor]:
        positive, negative = (
            torch.where(torch.cat(found))[0] for found in self.fg_bg_sampler(labels)
        )
        sampled = torch.cat([positive, negative])
        goal = torch.cat(regression_targets)[positive]
        box = F.smooth_l1_loss(pred_bbox_deltas[positive], goal, beta=self.beta, reduction="sum")
        score = F.binary_cross_entropy_with_logits(
            objectness.flatten()[sampled], torch.cat(labels)[sampled]
        )
        return score, box / sampled.numel()


class _FloatAnchors(AnchorGenerator):  # type: ignore[misc]
    """Anchors in float32 whatever the maps are in: bfloat16 would move them by up to 4 pixels."""

    def forward(self, image_list: ImageList, feature_maps: list[Tensor]) -> list[Tensor]:
        like = [m.new_empty(1, dtype=torch.float32).expand(m.shape) for m in feature_maps]
        anchors: list[Tensor] = super().forward(image_list, like)
        return anchors


def build_rpn(config: ModelConfig) -> RPN:
    """The network that proposes boxes from the pyramid's levels `config.rpn_levels`."""
    anchors = _FloatAnchors(config.anchor_sizes, ((0.5, 1.0, 2.0),) * len(config.rpn_levels))
    (per_cell,) = set(anchors.num_anchors_per_location())
    return RPN(
        anchors,
        _FloatRPNHead(config.fpn_channels, per_cell),
        fg_iou_thresh=0.7,
        bg_iou_thresh=0.3,
        batch_size_per_image=config.rpn_samples,
        positive_fraction=0.5,
        pre_nms_top_n=dict(zip(("training", "testing"), config.pre_nms, strict=True)),
        post_nms_top_n=dict(zip(("training", "testing"), config.post_nms, strict=True)),
        nms_thresh=0.7,
        beta=config.rpn_beta,
    )
