"""`matching`: labels propagated to the nearest neighbours in features; nothing is trained.

The protocol by which self-supervised features are judged on video (Jabri et al., NeurIPS 2020;
Caron et al., ICCV 2021): each cell of a frame takes the labels of the cells most similar to it, in
a restricted neighbourhood, in the first frame and in the last few. Features are those of an
ImageNet classifier, the backbone that the fine-tuning trackers start from.
"""

# ruff: noqa: ARG002  (trackers are called with all that the harness has)

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vosbench.types import Context, Frame, Image, Prediction, Targets
from vosbench_learning.backbone import Backbone, build_backbone

STRIDE = 8
_TILE = 8  # queries are compared in squares of this side
_FAINT = 1e-3  # probabilities below are zero, so that most of the background costs nothing


class Features(nn.Module):
    """Images to unit vectors on a grid of stride 8.

    The two stages of stride 16 run at stride 8 with dilated filters, which keeps their receptive
    fields: deep features on a fine grid.
    """

    def __init__(self, stages: tuple[int, ...]) -> None:
        super().__init__()
        self.stages = stages
        self.backbone: Backbone = build_backbone(
            "efficientnet_lite0", "frozen_batch", pretrained=True
        )
        for index in (4, 5):
            for conv in self.backbone.stages[index].modules():
                if isinstance(conv, nn.Conv2d) and conv.groups > 1:
                    if conv.stride == (2, 2):
                        conv.stride = (1, 1)
                    else:
                        conv.dilation = (2, 2)
                        conv.padding = (conv.kernel_size[0] - 1, conv.kernel_size[1] - 1)
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, image: Tensor) -> Tensor:
        """(1, 3, H, W) uint8 -> (C, ceil(H / 32) * 4, ceil(W / 32) * 4), each cell of norm one."""
        x = self.backbone.start(image).maps[-1]
        maps = []
        for index in range(max(self.stages) + 1):
            x = self.backbone.stages[index](x)
            if index in self.stages:
                maps.append(F.normalize(x[0], dim=0))
        return F.normalize(torch.cat(maps), dim=0)


@dataclass(frozen=True)
class Reference:
    """A frame whose labels are known, with a margin for neighbourhoods that reach over the edge.

    Attributes:
        features: (C, H + margin, W + margin).
        labels: (K, H + margin, W + margin) probabilities of the objects.
        inside: (H + margin, W + margin) whether the cell is in the image.
    """

    features: Tensor
    labels: Tensor
    inside: Tensor

    @classmethod
    def make(cls, features: Tensor, labels: Tensor, radius: int) -> Reference:
        """From (C, H, W) features and (K, H, W) labels."""
        height, width = features.shape[1:]
        margin = (radius, radius + -width % _TILE, radius, radius + -height % _TILE)
        inside = F.pad(features.new_ones(height, width), margin) > 0
        return cls(F.pad(features, margin), F.pad(labels, margin), inside)

    def with_objects(self, count: int) -> Reference:
        """The same where `count` objects are known: those that came later were not there."""
        new = count - len(self.labels)
        return replace(self, labels=F.pad(self.labels, (0, 0, 0, 0, 0, new)))


def propagate(
    features: Tensor, references: list[Reference], *, radius: int, top_k: int, temperature: float
) -> Tensor:
    """The labels of a frame from those of its references.

    Each cell takes the mean of the labels of the `top_k` most similar cells, among all references,
    that lie within `radius` cells of its own place, weighted by the softmax of their similarities
    over `temperature`.

    Args:
        features: (C, H, W), unit vectors.
        references: with K objects each, made with the same `radius`.

    Returns:
        (K, H, W) probabilities; the background's is what is missing to one.
    """
    height, width = features.shape[1:]
    side = _TILE + 2 * radius
    below, right = -height % _TILE, -width % _TILE
    objects = references[0].labels.shape[0]
    queries = F.pad(features, (0, right, 0, below))
    out = features.new_zeros(objects, height + below, width + right)

    def windows(x: Tensor) -> Tensor:
        return x.unfold(-2, side, _TILE).unfold(-2, side, _TILE)

    # A tile is of interest only if an object is in sight of it.
    seen = torch.stack([windows(r.labels.amax(0)).amax((2, 3)) for r in references]).amax(0)
    apart = _disc(radius).to(features.device)
    views = [(windows(r.features), windows(r.labels), windows(r.inside)) for r in references]
    for i, j in seen.nonzero().tolist():
        place = (slice(i * _TILE, (i + 1) * _TILE), slice(j * _TILE, (j + 1) * _TILE))
        query = queries[:, *place].flatten(1)
        keys = torch.cat([v[0][:, i, j].flatten(1) for v in views], 1)
        outside = torch.cat([(apart | ~v[2][i, j]).flatten(1) for v in views], 1)
        values = torch.cat([v[1][:, i, j].flatten(1) for v in views], 1)
        similarity = (query.t() @ keys).masked_fill_(outside, -torch.inf)
        best, where = similarity.topk(top_k, dim=1)
        weight = (best / temperature).softmax(1)
        found = (values[:, where] * weight).sum(-1)
        out[:, *place] = found.view(objects, _TILE, _TILE)
    out[out < _FAINT] = 0
    return out[:, :height, :width]


def _disc(radius: int) -> Tensor:
    """(tile cells, side, side): what of a tile's window is too far from each of its cells."""
    cell = torch.arange(_TILE)
    window = torch.arange(_TILE + 2 * radius) - radius
    gap = (cell[:, None] - window[None]) ** 2
    distance = gap[:, None, :, None] + gap[None, :, None, :]
    return (distance > radius**2).flatten(0, 1)


class Matching:
    """Every object follows its nearest neighbours; see the module's docstring.

    Options:
        layer: features: "3" (stride 8), "4", "5" (dilated to stride 8), or several ("4+5").
        frames: how many of the last frames are references, besides each object's first.
        radius: of the neighbourhood, in cells of 8 pixels.
        top_k: neighbours that vote. temperature: of their softmax.
    """

    def __init__(self, ctx: Context) -> None:
        options = ctx.options
        stages = tuple(int(part) for part in str(options["layer"]).split("+"))
        self.features = Features(stages).to(ctx.device)
        self.device = torch.device(ctx.device)
        self.radius, self.top_k = int(options["radius"]), int(options["top_k"])
        self.temperature = float(options["temperature"])
        self.last: deque[Reference] = deque(maxlen=int(options["frames"]))

    def init(self, frame: Frame, targets: Targets, ctx: Context) -> None:
        """Remember the features and the masks of the first frame."""
        self.ids: list[int] = []
        self.given: list[Reference] = []
        self.last.clear()
        features = self._look(frame.image)
        self._add(features, features.new_zeros(0, *features.shape[1:]), targets)

    def track(self, frame: Frame, targets: Targets, ctx: Context) -> Prediction:
        """Propagate, then remember the objects that appear in this frame."""
        features = self._look(frame.image)
        labels = propagate(
            features,
            [*self.given, *self.last],
            radius=self.radius,
            top_k=self.top_k,
            temperature=self.temperature,
        )
        known = tuple(self.ids)
        if targets:
            self._add(features, labels, targets)
        else:
            self.last.append(Reference.make(features, labels, self.radius))
        enlarged = F.interpolate(
            labels[None], scale_factor=STRIDE, mode="bilinear", align_corners=False
        )[0, :, : frame.size[0], : frame.size[1]]
        # Relative to the background: above one half means more likely than it.
        background = (1 - enlarged.sum(0)).clamp(min=0)
        return Prediction.from_probabilities(
            known, (enlarged / (enlarged + background).clamp(min=1e-6)).cpu().numpy()
        )

    def _look(self, image: Image) -> Tensor:
        pixels = torch.from_numpy(image.copy()).to(self.device)
        features: Tensor = self.features(pixels.permute(2, 0, 1)[None])
        return features

    def _add(self, features: Tensor, labels: Tensor, targets: Targets) -> None:
        """Make a lasting reference of a frame in which objects are given."""
        self.ids += targets
        for mask in targets.values():
            given = torch.from_numpy(mask).to(features).unsqueeze(0)
            below, right = (
                STRIDE * n - m for n, m in zip(features.shape[1:], mask.shape, strict=True)
            )
            share = F.avg_pool2d(F.pad(given, (0, right, 0, below)), STRIDE)
            labels = torch.cat([labels * (1 - share), share])
        count = len(self.ids)
        self.given = [r.with_objects(count) for r in self.given]
        self.last = deque((r.with_objects(count) for r in self.last), self.last.maxlen)
        self.given.append(Reference.make(features, labels, self.radius))
