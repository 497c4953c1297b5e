"""The network of STM (Oh et al., ICCV 2019, sec. 3): two encoders, a memory read, a decoder.

    net = StmNet(CONFIGS["lite"])
    memories = net.memorize(frame, masks)                   # one an object; masks (K, H, W) in 0..1
    probabilities = net.segment(next_frame, memories)       # (K + 1, H, W), background first

Past frames with their masks become keys and values at stride 16; every place of a new frame attends
to all places of all remembered frames; a decoder with skip connections turns what was read into
masks. One object is one element of the batch; objects meet in the soft aggregation only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vosbench_learning.backbone import Backbone, StageOutputs, build_backbone
from vosbench_learning.convolution import replace_convolutions
from vosbench_learning.norm import Norm

_STRIDE = 16
_SURE = 1e-7  # probabilities are kept this far from 0 and 1 before their odds are taken


@dataclass(frozen=True, kw_only=True)
class StmConfig:
    """What a network is made of.

    Attributes:
        backbone, norm: of both encoders, see `vosbench_learning.backbone.build_backbone`.
        key, value, decoder: channels of keys, of values, and in the decoder.
    """

    backbone: str = "efficientnet_lite0"
    norm: Norm = "frozen_batch"
    key: int = 64
    value: int = 128
    decoder: int = 96

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain values, for a JSON header."""
        return asdict(self)


#: `r50` is the paper's network, `lite` one for CPUs.
CONFIGS = {
    "lite": StmConfig(),
    "r50": StmConfig(backbone="resnet50", key=128, value=512, decoder=256),
}


@dataclass(frozen=True)
class Memory:
    """What is remembered of one object: keys (C, n), values (V, n) at n places of past frames."""

    keys: Tensor
    values: Tensor

    @classmethod
    def joined(cls, frames: Sequence[Memory]) -> Memory:
        """The memory of several frames."""
        return cls(torch.cat([f.keys for f in frames], 1), torch.cat([f.values for f in frames], 1))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a skip, activation first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv2(F.relu(self.conv1(F.relu(x))))
        return x + y


class Refinement(nn.Module):
    """Merges a coarser map with the encoder's features at twice its size."""

    def __init__(self, features: int, channels: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(features, channels, 3, padding=1)
        self.skip = ResidualBlock(channels)
        self.merge = ResidualBlock(channels)

    def forward(self, features: Tensor, coarse: Tensor) -> Tensor:
        skip = self.skip(self.project(features))
        up = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
        merged: Tensor = self.merge(skip + up)
        return merged


class Decoder(nn.Module):
    """From what was read at stride 16 to two logits a pixel: background, object."""

    def __init__(self, inputs: int, fine: tuple[int, int], channels: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(inputs, channels, 3, padding=1)
        self.block = ResidualBlock(channels)
        self.refine8 = Refinement(fine[1], channels)
        self.refine4 = Refinement(fine[0], channels)
        self.predict = nn.Conv2d(channels, 2, 3, padding=1)

    def forward(self, read: Tensor, at8: Tensor, at4: Tensor) -> Tensor:
        m = self.block(self.project(read))
        m = self.refine4(at4, self.refine8(at8, m))
        logits = self.predict(F.relu(m)).float()
        return F.interpolate(logits, scale_factor=4, mode="bilinear", align_corners=False)


class KeyValue(nn.Module):
    """What a frame is found by, and what is found."""

    def __init__(self, inputs: int, key: int, value: int) -> None:
        super().__init__()
        self.key = nn.Conv2d(inputs, key, 3, padding=1)
        self.value = nn.Conv2d(inputs, value, 3, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.key(x).float(), self.value(x).float()


class StmNet(nn.Module):
    """STM. `pretrained` fills both encoders with ImageNet weights.

    Attributes:
        bf16: convolutions in bfloat16.
    """

    def __init__(self, config: StmConfig, *, pretrained: bool = False) -> None:
        super().__init__()
        self.config = config
        self.bf16 = False
        self.query_encoder = build_backbone(config.backbone, config.norm, pretrained=pretrained)
        self.memory_encoder = build_backbone(config.backbone, config.norm, pretrained=pretrained)
        for encoder in (self.query_encoder, self.memory_encoder):
            del encoder.stages[encoder.taps[2] + 1 :]
        _widen(self.memory_encoder)
        at4, at8, at16 = self.query_encoder.channels[:3]
        self.query = KeyValue(at16, config.key, config.value)
        self.memory = KeyValue(at16, config.key, config.value)
        self.decoder = Decoder(2 * config.value, (at4, at8), config.decoder)
        replace_convolutions(self)

    def memorize(self, image: Tensor, masks: Tensor) -> list[Memory]:
        """What a frame with K objects leaves of each of them.

        Args:
            image: (1, 3, H, W), uint8 or float in 0..1. masks: (K, H, W) in 0..1.
        """
        others = (masks.sum(0, keepdim=True) - masks).clamp(0, 1)
        with self._precision(image.device):
            x = _normalised(self.memory_encoder, image).expand(len(masks), -1, -1, -1)
            x = torch.cat([x, torch.stack([masks, others], 1)], 1)
            deepest = _encode(self.memory_encoder, _padded(x))[2]
            key, value = self.memory(deepest)
        return [Memory(*pair) for pair in zip(key.flatten(2), value.flatten(2), strict=True)]

    def segment(self, image: Tensor, memories: Sequence[Memory]) -> Tensor:
        """Probabilities (K + 1, H, W) of background and the K remembered objects; they sum to 1 in
        each pixel."""
        height, width = image.shape[-2:]
        with self._precision(image.device):
            x = _padded(_normalised(self.query_encoder, image))
            at4, at8, at16 = _encode(self.query_encoder, x)
            key, value = self.query(at16)
            count = len(memories)
            found = torch.stack([_read(memory, key.flatten(2)[0]) for memory in memories])
            found = found.view(count, -1, *key.shape[-2:])
            read = torch.cat([found, value.expand(count, -1, -1, -1)], 1)
            logits = self.decoder(
                read, at8.expand(count, -1, -1, -1), at4.expand(count, -1, -1, -1)
            )
        top, left = ((-size % _STRIDE) // 2 for size in (height, width))
        logits = logits[..., top : top + height, left : left + width]
        return aggregate(logits.softmax(1)[:, 1])

    def _precision(self, device: torch.device) -> torch.autocast:
        return torch.autocast(device.type, torch.bfloat16, enabled=self.bf16)


def aggregate(probabilities: Tensor) -> Tensor:
    """Soft aggregation (sec. 3.4): probabilities (K, H, W) that each object was given by itself ->
    (K + 1, H, W), background first, which sum to 1; odds are kept in proportion."""
    background = (1 - probabilities).prod(0, keepdim=True)
    each = torch.cat([background, probabilities]).clamp(_SURE, 1 - _SURE)
    return (each / (1 - each)).log().softmax(0)


def _read(memory: Memory, query: Tensor) -> Tensor:
    """What each place of `query` (C, m) finds: values (V, m), weighted by similarity."""
    similarity = memory.keys.T @ query / math.sqrt(len(query))
    return memory.values @ similarity.softmax(0)


def _widen(encoder: Backbone) -> None:
    """Two inputs more, for the object's mask and the others': their filters start at zero, which
    is what the sum of separate convolutions of image and masks amounts to."""
    stem = encoder.stages[0]
    assert isinstance(stem, nn.Sequential)
    old = stem[0]
    assert isinstance(old, nn.Conv2d)
    new = nn.Conv2d(
        old.in_channels + 2,
        old.out_channels,
        (old.kernel_size[0], old.kernel_size[1]),
        (old.stride[0], old.stride[1]),
        (int(old.padding[0]), int(old.padding[1])),
        bias=old.bias is not None,
    )
    with torch.no_grad():
        new.weight.zero_()
        new.weight[:, : old.in_channels] = old.weight
        if old.bias is not None and new.bias is not None:
            new.bias.copy_(old.bias)
    stem[0] = new


def _normalised(encoder: Backbone, image: Tensor) -> Tensor:
    x = image.float() / 255 if image.dtype == torch.uint8 else image
    return (x - encoder.mean) / encoder.std


def _padded(x: Tensor) -> Tensor:
    """Zeros on both sides, so that every stride has whole cells."""
    down, right = (-size % _STRIDE for size in x.shape[-2:])
    return F.pad(x, (right // 2, right - right // 2, down // 2, down - down // 2))


def _encode(encoder: Backbone, x: Tensor) -> list[Tensor]:
    """Features at strides 4, 8 and 16."""
    x = x.contiguous(memory_format=torch.channels_last)
    maps = encoder(StageOutputs({-1: x}, 0, (x.shape[-2], x.shape[-1]))).maps
    return [maps[tap] for tap in encoder.taps[:3]]
