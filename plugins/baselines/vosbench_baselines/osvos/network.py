"""The network of OSVOS: foreground or background in each pixel, from several scales.

As in OSVOS (CVPR 2017, sec. 3.1-3.2), every scale gives a side output of its own and all scales
together the final one. The backbone, its frozen parts and its pyramid are those of the light
e-OSVOS model, so that the two differ in method and not in means.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import FeaturePyramidNetwork

from vosbench_learning.backbone import StageOutputs, build_backbone
from vosbench_learning.norm import GroupNorm
from vosbench_learning.stored import load_network, save_network

_FORMAT = "vosbench-osvos-1"
_FINE = 1  # the backbone stage (stride 2) that sharpens the final output
_PYRAMID, _SIDE, _FINE_WIDTH = 96, 16, 24


@dataclass(frozen=True)
class Outputs:
    """Logits; 0 is probability one half.

    Attributes:
        final: (B, H, W) at the size of the images.
        sides: four of (B, H / s, W / s), s = 4, 8, 16, 32 (sizes rounded up to whole cells);
            empty unless asked for.
    """

    final: Tensor
    sides: tuple[Tensor, ...] = ()


class OsvosNet(nn.Module):
    """Use it like e-OSVOS's Mask R-CNN: the frozen prefix can be run once for all.

    prefix = net(images, stop=net.frozen_depth)     # StageOutputs
    logits = torch.func.functional_call(net, params, (prefix,)).final
    """

    def __init__(self, *, pretrained: bool = False) -> None:
        super().__init__()
        self.backbone = build_backbone("efficientnet_lite0", "frozen_batch", pretrained=pretrained)
        self.frozen_depth = 3
        self.bf16 = False
        self.pyramid = FeaturePyramidNetwork(
            list(self.backbone.channels), _PYRAMID, norm_layer=_norm
        )
        self.side_features = nn.ModuleList(
            nn.Sequential(nn.Conv2d(_PYRAMID, _SIDE, 3, padding=1, bias=False), _norm(_SIDE))
            for _ in self.backbone.taps
        )
        self.side_logits = nn.ModuleList(nn.Conv2d(_SIDE, 1, 1) for _ in self.backbone.taps)
        fused = _SIDE * len(self.backbone.taps)
        self.merge = nn.Sequential(nn.Conv2d(fused, _FINE_WIDTH, 1, bias=False), _norm(_FINE_WIDTH))
        self.sharpen = nn.Sequential(
            nn.Conv2d(_FINE_WIDTH + 16, _FINE_WIDTH, 3, padding=1, bias=False),
            _norm(_FINE_WIDTH),
            nn.ReLU(inplace=True),
            nn.Conv2d(_FINE_WIDTH, 1, 1),
        )
        for stage in list(self.backbone.stages)[: self.frozen_depth]:
            stage.requires_grad_(False)
        for m in self.backbone.modules():  # a tenth of the cost of a step, as in e-OSVOS lite
            if isinstance(m, nn.Conv2d) and m.groups == m.in_channels > 1:
                m.weight.requires_grad_(False)

    def prefix(self, images: Tensor) -> StageOutputs:
        """What the frozen stages make of images (B, 3, H, W), uint8 or float in 0..1."""
        with torch.no_grad(), self._precision(images.device):
            start = self.backbone.start(images)
            fine = self.backbone(start, _FINE + 1)
            outputs = self.backbone(fine, self.frozen_depth)
            return StageOutputs(
                {**outputs.maps, _FINE: fine.maps[_FINE]}, outputs.depth, outputs.size
            )

    def forward(self, images: Tensor | StageOutputs, *, sides: bool = False) -> Outputs:
        """Logits of images, or of what `prefix` made of them."""
        prefix = images if isinstance(images, StageOutputs) else self.prefix(images)
        height, width = prefix.size
        device = prefix.maps[_FINE].device
        with self._precision(device):
            maps = {k: v for k, v in prefix.maps.items() if k != _FINE}
            maps = self.backbone(StageOutputs(maps, prefix.depth, prefix.size)).maps
            taps = OrderedDict((str(t), maps[t]) for t in self.backbone.taps)
            levels = list(self.pyramid(taps).values())
            features = [
                F.relu(layer(m)) for layer, m in zip(self.side_features, levels, strict=True)
            ]
            size = features[0].shape[-2:]
            merged = self.merge(torch.cat([_resize(f, size) for f in features], 1))
            fine = prefix.maps[_FINE]
            joined = torch.cat([_resize(F.relu(merged), fine.shape[-2:]), fine], 1)
            final = self.sharpen(joined).float()
        final = F.interpolate(final, scale_factor=2, mode="bilinear", align_corners=False)
        out = Outputs(final[:, 0, :height, :width])
        if not sides:
            return out
        logits = zip(self.side_logits, features, strict=True)
        return Outputs(out.final, tuple(layer(f.float())[:, 0].float() for layer, f in logits))

    def _precision(self, device: torch.device) -> torch.autocast:
        return torch.autocast(device.type, torch.bfloat16, enabled=self.bf16)


def _norm(channels: int) -> nn.Module:
    return GroupNorm(channels // 8, channels)


def _resize(x: Tensor, size: torch.Size | tuple[int, int]) -> Tensor:
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)


def save_weights(net: OsvosNet, path: Path, provenance: dict[str, str]) -> None:
    """All tensors in half precision; `provenance` goes into the readable header."""
    save_network(net, path, _FORMAT, provenance)


def load_weights(path: Path) -> OsvosNet:
    """The network with the weights that `save_weights` wrote, strictly loaded, in eval mode.

    Raises:
        UsageError: the file is none of ours, is broken or does not fit.
    """
    return load_network(
        path,
        _FORMAT,
        lambda _: OsvosNet(),
        what="weights of OSVOS",
        way_out="Train them with `vosbench baselines osvos-parent`.",
    )
