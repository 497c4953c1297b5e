"""Backbones as a list of stages, so that leading stages can be frozen and their output cached."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import FrozenBatchNorm2d

from vosbench.errors import UsageError
from vosbench_learning import efficientnet_lite
from vosbench_learning.norm import Norm, replace_norms

#: Pixels a side that one value of the coarsest map stands for.
CELL = 32


@dataclass(frozen=True)
class StageOutputs:
    """What the first `depth` stages of a backbone make of a batch.

    Attributes:
        maps: last output and the pyramid's inputs so far: stage index -> (B, C, H/s, W/s).
        depth: number of stages that have run.
        size: (height, width) of the images in pixels.
    """

    maps: dict[int, Tensor]
    depth: int
    size: tuple[int, int]

    def select(self, index: Tensor | slice) -> StageOutputs:
        """The same for some images of the batch."""
        return StageOutputs({k: v[index] for k, v in self.maps.items()}, self.depth, self.size)

    def crop(self, top: int, left: int, height: int, width: int) -> StageOutputs:
        """The same for a part of the images, in pixels. Its corner must lie on whole cells; so must
        its end, or at the end of the images."""
        maps = {}
        for k, v in self.maps.items():
            stride = padded(self.size[0]) // v.shape[-2]
            rows = slice(top // stride, padded(top + height) // stride)
            columns = slice(left // stride, padded(left + width) // stride)
            maps[k] = v[..., rows, columns].contiguous(memory_format=torch.channels_last)
        return StageOutputs(maps, self.depth, (height, width))


def padded(length: int) -> int:
    """A length in pixels, up to whole cells."""
    return length + -length % CELL


class Backbone(nn.Module):
    """Stages in sequence; those of `taps` feed the pyramid.

    Attributes:
        stages: run one after the other.
        taps: indices of the stages at stride 4, 8, 16 and 32.
        channels: their output channels.
        mean, std: of the input, in units of 0..1 RGB.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        stages: nn.ModuleList,
        taps: tuple[int, ...],
        channels: tuple[int, ...],
        mean: tuple[float, float, float] = (0.485, 0.456, 0.406),
        std: tuple[float, float, float] = (0.229, 0.224, 0.225),
    ) -> None:
        super().__init__()
        self.stages = stages
        self.taps = taps
        self.channels = channels
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def start(self, images: Tensor) -> StageOutputs:
        """Normalised input, before any stage. `images` (B, 3, H, W): uint8, or float in 0..1."""
        x = images.float() / 255 if images.dtype == torch.uint8 else images
        x = (x - self.mean) / self.std
        height, width = images.shape[-2:]
        # Whole cells at every stride, or the anchors would drift against the pixels.
        x = F.pad(x, (0, padded(width) - width, 0, padded(height) - height))
        x = x.contiguous(memory_format=torch.channels_last)
        return StageOutputs({-1: x}, 0, (height, width))

    def forward(self, outputs: StageOutputs, stop: int | None = None) -> StageOutputs:
        """Run the stages from `outputs.depth` up to `stop` (all by default)."""
        stop = len(self.stages) if stop is None else stop
        maps = dict(outputs.maps)
        x = maps.pop(outputs.depth - 1) if outputs.depth - 1 in maps else None
        assert x is not None
        if outputs.depth - 1 in self.taps:
            maps[outputs.depth - 1] = x
        for i in range(outputs.depth, stop):
            x = self.stages[i](x)
            if i in self.taps or i == stop - 1:
                maps[i] = x
        if stop == outputs.depth:
            maps[stop - 1] = x
        return StageOutputs(maps, stop, outputs.size)


def build_backbone(name: str, norm: Norm, *, pretrained: bool) -> Backbone:
    """A backbone; `pretrained` fills it with ImageNet weights.

    Args:
        name: "efficientnet_lite0", any torchvision classifier with a residual layout
            ("resnet50", ...), or "timm/<name>" for any timm model with `features_only`.
        norm: "group" replaces every batch norm by GroupNorm(32), which takes over its scale and
            shift; "frozen_batch" keeps the original statistics, fixed.

    Raises:
        UsageError: no such backbone, or timm is asked for and not installed.
    """
    if name == "efficientnet_lite0":
        stages = efficientnet_lite.build_stages(norm)
        if pretrained:
            efficientnet_lite.load_imagenet(stages)
        taps = (2, 3, 5, 7)
        channels = tuple(efficientnet_lite.CHANNELS[i] for i in taps)
        return Backbone(stages, taps, channels, (127 / 255,) * 3, (128 / 255,) * 3)
    if name.startswith("timm/"):
        return _timm_backbone(name, norm, pretrained)
    return _resnet_backbone(name, norm, pretrained)


def _resnet_backbone(name: str, norm: Norm, pretrained: bool) -> Backbone:
    from torchvision import models

    if name not in models.list_models():
        raise UsageError(
            f"no backbone {name!r}",
            'Name one of torchvision.models.list_models(), or "timm/<name>".',
        )
    weights = models.get_model_weights(name).DEFAULT if pretrained else None
    try:
        net = models.get_model(name, weights=weights, norm_layer=FrozenBatchNorm2d)
        layers = [net.layer1, net.layer2, net.layer3, net.layer4]
    except (TypeError, AttributeError):
        raise UsageError(
            f"backbone {name!r} has no residual layout",
            "Use a resnet, resnext or wide_resnet of torchvision, or timm/<name> for any other.",
        ) from None
    stem = nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool)
    backbone = Backbone(nn.ModuleList([stem, *layers]), (1, 2, 3, 4), (0, 0, 0, 0))
    with torch.no_grad():
        maps = backbone(backbone.start(torch.zeros(1, 3, 64, 64))).maps
    backbone.channels = tuple(maps[i].shape[1] for i in backbone.taps)
    if norm == "group":
        replace_norms(backbone)
    return backbone


class _TimmStage(nn.Module):
    """All of a timm feature extractor; its maps come out together."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> list[Tensor]:
        maps: list[Tensor] = self.net(x)
        return maps


class _TimmBackbone(Backbone):
    """One indivisible stage with four outputs."""

    def forward(self, outputs: StageOutputs, stop: int | None = None) -> StageOutputs:
        if stop == 0 or outputs.depth == 1:
            return outputs
        maps = self.stages[0](outputs.maps[-1])
        return StageOutputs(dict(enumerate(maps)), 1, outputs.size)


def _timm_backbone(name: str, norm: Norm, pretrained: bool) -> Backbone:
    try:
        import timm
    except ImportError:
        raise UsageError(f"backbone {name!r} needs timm", "pip install 'vosbench[timm]'") from None
    model = name.removeprefix("timm/")
    try:
        net = timm.create_model(model, features_only=True, pretrained=pretrained)
    except (RuntimeError, AttributeError) as error:
        raise UsageError(f"timm cannot give features of {model!r}: {error}") from None
    wanted = [i for i, s in enumerate(net.feature_info.reduction()) if s in (4, 8, 16, 32)]
    if len(wanted) != 4:
        raise UsageError(f"timm model {model!r} has no maps at strides 4, 8, 16 and 32")
    net = timm.create_model(model, features_only=True, pretrained=pretrained, out_indices=wanted)
    backbone = _TimmBackbone(
        nn.ModuleList([_TimmStage(net)]), (0, 1, 2, 3), tuple(net.feature_info.channels())
    )
    replace_norms(backbone, frozen=norm == "frozen_batch")
    return backbone
