"""Class-agnostic Mask R-CNN from torchvision's parts, made to be fine-tuned on one frame.

Everything learnable is an ordinary parameter and every path goes through `forward`, so that

    params = learnable_parameters(model)              # dict name -> tensor, yours to change
    losses = torch.func.functional_call(model, params, (images, targets))
    loss = sum(losses.values())
    grads = torch.autograd.grad(loss, list(params.values()))

is one fine-tuning step, and

    [d] = torch.func.functional_call(model, params, (images,), {"max_detections": 1})

predicts (`d.boxes` (1, 4), `d.scores` (1,), `d.mask_logits` (1, 1, 80, 80), see `Detections`). What
never changes can be computed once:

    depth = model.frozen_depth(names_that_learn)
    prefix = model(images, stop=depth)                # StageOutputs, reusable for any params
    losses = functional_call(model, params, (prefix, targets))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast, overload

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection import _utils as detection
from torchvision.models.detection.faster_rcnn import TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import FeaturePyramidNetwork, box_iou, clip_boxes_to_image, nms
from torchvision.ops import roi_align as torchvision_roi_align
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from vosbench_eosvos.losses import mask_loss
from vosbench_eosvos.model.config import ModelConfig
from vosbench_eosvos.model.pyramid import Pyramid
from vosbench_eosvos.model.roi import FeatureTable, assign_levels, roi_align
from vosbench_eosvos.model.rpn import build_rpn
from vosbench_learning.backbone import Backbone, StageOutputs
from vosbench_learning.norm import GroupNorm, Moments
from vosbench_learning.views import Target

#: Boxes (n, 4) and scores (n,) -> worth (n,).
Rank = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Detections:
    """What the model sees in one image, best first.

    Attributes:
        boxes: (D, 4) float32, inside the image.
        scores: (D,) probability of being the object, >= config.min_score; descending, unless
            `rank` orders otherwise.
        mask_boxes: (D, K, 4) float32, inside the image: what the mask head looked at.
        mask_logits: (D, K, 2 * mask_window, 2 * mask_window) spread over `mask_boxes`, 0 is one
            half.
        pyramid: what the heads read, to ask for masks of further boxes with.
    """

    boxes: Tensor
    scores: Tensor
    mask_boxes: Tensor
    mask_logits: Tensor
    pyramid: Pyramid


def _group_norm(channels: int) -> nn.Module:
    return GroupNorm(channels // 8, channels)


class MaskHead(nn.Sequential):
    """3x3 convolutions, a 2x upsampling and the logit: (N, C, S, S) -> (N, 2S, 2S)."""

    def __init__(self, channels: int, width: int, convs: int, *, norm: bool) -> None:
        layers: list[nn.Module] = []
        for i in range(convs):
            layers.append(
                nn.Conv2d(channels if i == 0 else width, width, 3, padding=1, bias=not norm)
            )
            if norm:
                layers.append(_group_norm(width))
            layers.append(nn.ReLU(inplace=True))
        layers += [nn.ConvTranspose2d(width, width, 2, 2), nn.ReLU(inplace=True)]
        layers.append(nn.Conv2d(width, 1, 1))
        super().__init__(*layers)
        for m in self:
            if isinstance(m, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
                if m.bias is not None:
                    nn.init.zeros_(m.bias)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return logits[:, 0].float()


class MaskRCNN(nn.Module):
    """See the module's docstring; build it with `vosbench_eosvos.model.build_model`.

    Attributes:
        config: what it was built from.
        bf16: run convolutions in bfloat16 (weights, losses and boxes stay float32).
    """

    def __init__(self, config: ModelConfig, backbone: Backbone) -> None:
        super().__init__()
        self.config = config
        self.bf16 = False
        width = config.fpn_channels
        self.backbone = backbone
        self.fpn = FeaturePyramidNetwork(
            list(backbone.channels),
            width,
            extra_blocks=LastLevelMaxPool(),
            norm_layer=_group_norm if config.head_norm else None,
        )
        self.rpn = build_rpn(config)
        self.box_head = TwoMLPHead(width * config.box_window**2, config.box_features)
        self.box_score = nn.Linear(config.box_features, 2)
        self.box_delta = nn.Linear(config.box_features, 4)
        self.mask_head = MaskHead(
            width, config.mask_channels, config.mask_convs, norm=config.head_norm
        )
        self._coder = detection.BoxCoder(weights=(10.0, 10.0, 5.0, 5.0))
        self._matcher = detection.Matcher(0.5, 0.5, allow_low_quality_matches=False)
        self._sampler = detection.BalancedPositiveNegativeSampler(
            config.roi_samples, config.roi_positive
        )
        for stage in list(backbone.stages)[: config.frozen_stages]:
            stage.requires_grad_(False)
        if config.frozen_depthwise:
            for m in backbone.modules():
                if isinstance(m, nn.Conv2d) and m.groups == m.in_channels > 1:
                    m.weight.requires_grad_(False)

    def frozen_depth(self, learning: Iterable[str]) -> int:
        """How many leading backbone stages hold no parameter of `learning` (parameter names)."""
        prefix = "backbone.stages."
        stages = [
            int(n.removeprefix(prefix).split(".")[0]) for n in learning if n.startswith(prefix)
        ]
        return min(stages, default=len(self.backbone.stages))

    @overload
    def forward(
        self,
        images: Tensor | StageOutputs,
        targets: None = None,
        *,
        proposals: Sequence[Tensor] | None = None,
        kept_proposals: int | None = None,
        max_detections: int | None = None,
        rank: Rank | None = None,
        growths: Sequence[float] = (0.0,),
        moments: Mapping[str, Moments] | None = None,
    ) -> list[Detections]: ...
    @overload
    def forward(
        self, images: Tensor | StageOutputs, targets: Sequence[Target]
    ) -> dict[str, Tensor]: ...
    @overload
    def forward(self, images: Tensor | StageOutputs, *, stop: int) -> StageOutputs: ...
    @overload
    def forward(self, images: Pyramid, *, boxes: Tensor) -> Tensor: ...

    def forward(
        self,
        images: Tensor | StageOutputs | Pyramid,
        targets: Sequence[Target] | None = None,
        *,
        proposals: Sequence[Tensor] | None = None,
        kept_proposals: int | None = None,
        max_detections: int | None = None,
        rank: Rank | None = None,
        growths: Sequence[float] = (0.0,),
        moments: Mapping[str, Moments] | None = None,
        stop: int | None = None,
        boxes: Tensor | None = None,
    ) -> list[Detections] | dict[str, Tensor] | StageOutputs | Tensor:
        """Losses with `targets`, detections without, the first `stop` backbone stages with `stop`,
        masks of `boxes` from the pyramid of an earlier detection.

        Losses draw anchors and RoIs at random from torch's global generator.

        Args:
            images: (B, 3, H, W) RGB, uint8 or float in 0..1; or the result of an earlier call
                with `stop`; or, with `boxes`, the `Detections.pyramid` of one image.
            targets: one an image.
            proposals: further boxes (n, 4) an image to consider besides the RPN's (box
                propagation).
            kept_proposals: use only so many of the RPN's, the best. With further boxes and 0, it
                does not run.
            max_detections: return at most so many an image (the mask head runs on these only).
            rank: what detections are worth, from their boxes (n, 4) and scores (n,); suppression
                and order go by it instead of the score.
            growths: the mask head looks at each detection's box grown by these shares of its
                width and height on every side; K of them.
            moments: by which the pyramid's group norms divide, see `Pyramid`.
            stop: number of backbone stages to run.
            boxes: (N, 4) inside the image, to look at with the mask head.

        Returns:
            `targets`: {"rpn_score", "rpn_box", "box_score", "box_delta", "mask"} -> scalar.
            `stop`: the stages' outputs. `boxes`: mask logits (N, 2 * mask_window, 2 * mask_window).
            Else: one `Detections` an image.
        """
        if isinstance(images, Pyramid):
            assert boxes is not None
            with torch.autocast(boxes.device.type, torch.bfloat16, enabled=self.bf16):
                return self._mask_head(images, _image_index([boxes]), boxes)
        device = (
            images.device if isinstance(images, Tensor) else next(iter(images.maps.values())).device
        )
        with torch.autocast(device.type, torch.bfloat16, enabled=self.bf16):
            outputs: StageOutputs = (
                self.backbone.start(images) if isinstance(images, Tensor) else images
            )
            outputs = self.backbone(outputs, stop)
            if stop is not None:
                return outputs
            taps = [outputs.maps[t] for t in self.backbone.taps]
            pyramid = Pyramid(self.fpn, taps, moments)
            if targets is not None:
                return self._losses(pyramid, outputs.size, targets)
            return self._detect(
                pyramid, outputs.size, proposals, kept_proposals, max_detections, rank, growths
            )

    def _propose(
        self,
        pyramid: Pyramid,
        size: tuple[int, int],
        targets: Sequence[Target] | None = None,
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        maps = {str(level): pyramid[level] for level in self.config.rpn_levels}
        lowest = min(self.config.rpn_levels)
        batch, _, height, width = pyramid[lowest].shape
        # The RPN reads the batch's padded shape only.
        shape = pyramid[lowest].new_empty(1).expand(batch, 3, height << lowest, width << lowest)
        self.rpn.training = targets is not None
        boxes, losses = self.rpn(ImageList(shape, [size] * batch), maps, targets)
        return boxes, losses

    def _losses(
        self, pyramid: Pyramid, size: tuple[int, int], targets: Sequence[Target]
    ) -> dict[str, Tensor]:
        proposals, rpn = self._propose(pyramid, size, targets)
        samples = [self._sample(p, t, size) for p, t in zip(proposals, targets, strict=True)]
        images = _image_index([s.boxes for s in samples])
        boxes = torch.cat([s.boxes for s in samples])
        labels = torch.cat([s.labels for s in samples])
        score, delta = self._box_head(pyramid, images, boxes)
        positive = labels > 0
        goal = self._coder.encode_single(
            torch.cat([s.matched for s in samples])[positive], boxes[positive]
        )
        box_loss = F.smooth_l1_loss(
            delta[positive], goal, beta=self.config.box_beta, reduction="sum"
        )
        chosen = torch.cat([s.for_mask for s in samples])
        logits = self._mask_head(pyramid, images[chosen], boxes[chosen])
        with torch.no_grad():
            truth = torch.cat(
                [
                    s.mask_targets(t, 2 * self.config.mask_window, self.config.target_sampling)
                    for s, t in zip(samples, targets, strict=True)
                ]
            )
        return {
            "rpn_score": rpn["loss_objectness"],
            "rpn_box": rpn["loss_rpn_box_reg"],
            "box_score": F.cross_entropy(score, labels),
            "box_delta": box_loss / len(labels),
            "mask": mask_loss(logits, truth, self.config.mask_loss, soft=self.config.soft_targets),
        }

    @torch.no_grad()
    def _sample(self, proposals: Tensor, target: Target, size: tuple[int, int]) -> _Samples:
        """RoIs of one image for the losses: proposals, true boxes and moved copies of them."""
        truth = target["boxes"]
        moved = clip_boxes_to_image(jitter_boxes(truth, self.config.jittered_boxes), size)
        boxes = torch.cat([proposals, truth, moved])
        if len(truth):
            matches = self._matcher(box_iou(truth, boxes))
        else:
            matches = torch.full((len(boxes),), -1, device=boxes.device)
        labels = (matches >= 0).long()
        positive, negative = self._sampler([labels])
        keep = torch.where(positive[0] | negative[0])[0]
        labels, matches, boxes = labels[keep], matches[keep].clamp(min=0), boxes[keep]
        found = torch.where(labels > 0)[0]
        found = found[torch.randperm(len(found), device=found.device)[: self.config.mask_rois]]
        for_mask = torch.zeros_like(labels, dtype=torch.bool)
        for_mask[found] = True
        matched = truth[matches] if len(truth) else boxes
        return _Samples(boxes, labels, matched, matches, for_mask)

    def _box_head(self, pyramid: Pyramid, images: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        levels = assign_levels(boxes, 224, min(self.config.rpn_levels), 5)
        window, sampling = self.config.box_window, self.config.roi_sampling[0]
        x = self.box_head(_read(pyramid, images, boxes, levels, window, sampling))
        return self.box_score(x).float(), self.box_delta(x).float()

    def _mask_head(self, pyramid: Pyramid, images: Tensor, boxes: Tensor) -> Tensor:
        levels = assign_levels(boxes, self.config.mask_scale, 2, 5)
        window, sampling = self.config.mask_window, self.config.roi_sampling[1]
        x = _read(pyramid, images, boxes, levels, window, sampling)
        return cast(Tensor, self.mask_head(x))

    def _detect(
        self,
        pyramid: Pyramid,
        size: tuple[int, int],
        proposals: Sequence[Tensor] | None,
        kept_proposals: int | None,
        max_detections: int | None,
        rank: Rank | None,
        growths: Sequence[float],
    ) -> list[Detections]:
        limit = self.config.max_detections if max_detections is None else max_detections
        found = list(proposals or ())
        if not found or kept_proposals != 0:
            own, _ = self._propose(pyramid, size)
            own = [boxes[:kept_proposals] for boxes in own]  # best first
            found = [torch.cat(p) for p in zip(own, found, strict=True)] if found else own
        images = _image_index(found)
        score, delta = self._box_head(pyramid, images, torch.cat(found))
        score = score.softmax(-1)[:, 1]
        decoded = self._coder.decode_single(delta, torch.cat(found))
        decoded = clip_boxes_to_image(decoded, size)
        counts = [len(f) for f in found]
        kept: list[tuple[Tensor, Tensor]] = []
        for boxes, scores in zip(
            torch.split(decoded, counts), torch.split(score, counts), strict=True
        ):
            fair = (scores >= self.config.min_score) & (boxes[:, 2:] - boxes[:, :2] >= 1).all(1)
            boxes, scores = boxes[fair], scores[fair]
            worth = scores if rank is None else rank(boxes, scores)
            keep = nms(boxes, worth, self.config.box_nms)[:limit]
            kept.append((boxes[keep], scores[keep]))
        looked_at = [clip_boxes_to_image(grow_boxes(b, growths), size) for b, _ in kept]
        flat = [b.flatten(0, 1) for b in looked_at]
        logits = self._mask_head(pyramid, _image_index(flat), torch.cat(flat))
        masks = torch.split(
            logits.view(sum(len(b) for b, _ in kept), len(growths), *logits.shape[1:]),
            [len(b) for b, _ in kept],
        )
        return [
            Detections(b, s, a, m, pyramid)
            for (b, s), a, m in zip(kept, looked_at, masks, strict=True)
        ]


@dataclass(frozen=True)
class _Samples:
    """RoIs of one image: boxes (n, 4), labels (n,) 0/1, the true box and index of each, and
    whether the mask loss looks at it."""

    boxes: Tensor
    labels: Tensor
    matched: Tensor
    index: Tensor
    for_mask: Tensor

    def mask_targets(self, target: Target, side: int, sampling: int) -> Tensor:
        """Soft masks (m, side, side) of the RoIs that the mask loss looks at."""
        rois = torch.cat([self.index[self.for_mask, None].float(), self.boxes[self.for_mask]], 1)
        if len(rois) == 0:
            return rois.new_zeros(0, side, side)
        masks = target["masks"][:, None].float()
        return cast(Tensor, torchvision_roi_align(masks, rois, side, 1.0, sampling)[:, 0])


def _read(
    pyramid: Pyramid, images: Tensor, boxes: Tensor, levels: Tensor, window: int, sampling: int
) -> Tensor:
    """`roi_align` from the levels that some box is on (and those between), no others."""
    span = range(int(levels.min()), int(levels.max()) + 1) if len(levels) else (5,)
    table = FeatureTable.build({k: pyramid.around(k, boxes[levels == k]) for k in span})
    return roi_align(table, images, boxes, levels, window, sampling)


def _image_index(boxes: Sequence[Tensor]) -> Tensor:
    return torch.cat([torch.full((len(b),), i, device=b.device) for i, b in enumerate(boxes)])


def jitter_boxes(boxes: Tensor, copies: int, amount: float = 0.15) -> Tensor:
    """`copies` of each box (n, 4), every side moved by up to `amount` of the box's extent.

    Draws from torch's global generator. Returns (n * copies, 4), not clipped.
    """
    extent = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    moves = torch.rand(copies, *boxes.shape, device=boxes.device) * 2 - 1
    return (boxes + moves * amount * extent).reshape(-1, 4)


def grow_boxes(boxes: Tensor, growths: Sequence[float]) -> Tensor:
    """Each box (n, 4) with its sides moved outward by K shares of its extent: (n, K, 4)."""
    outward = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2) * boxes.new_tensor([-1, -1, 1, 1])
    return boxes[:, None] + boxes.new_tensor(growths)[:, None] * outward[:, None]


def learnable_parameters(model: nn.Module) -> dict[str, Tensor]:
    """Name -> a detached copy of every parameter that learns, in the model's order."""
    return {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}
