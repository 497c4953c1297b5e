"""A U-Net of a quarter of a million parameters that corrects the logits of a mask.

It works on squares of 2x2 pixels (space to depth), which makes it four times as fast, and starts as
the identity: what it adds to the logits is zero at first.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vosbench_learning.stored import load_network, save_network

#: Planes of the input: red, green, blue, the mask head's probability, the last mask as motion
#: carries it, likeness of the colour to the object's.
PLANES = 6

#: Sides of the input are multiples of this many pixels.
CELL = 16

#: Channels at 1/2, 1/4, 1/8 and 1/16 of the input's resolution.
WIDTHS = (24, 32, 48, 64)

#: Probabilities are taken to be no surer than this: what is wrong must remain within reach.
SUREST = 0.98

_GROUPS = 4
_FORMAT = "vosbench-eosvos-outline-1"


class OutlineNet(nn.Module):
    """Logits of a mask from what `sight.planes` shows.

    Args:
        widths: see `WIDTHS`.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.widths = widths
        first = widths[0]
        self.start = _block(4 * PLANES, first)
        pairs = list(itertools.pairwise(widths))
        self.down = nn.ModuleList(_block(above, below, stride=2) for above, below in pairs)
        self.up = nn.ModuleList(_block(above + below, above) for above, below in pairs)
        self.out = nn.Conv2d(first, 4, 1)
        nn.init.zeros_(self.out.weight)
        assert self.out.bias is not None
        nn.init.zeros_(self.out.bias)

    def forward(self, planes: Tensor) -> Tensor:
        """Planes (n, PLANES, h, w) in 0..1, h and w multiples of `CELL` -> logits (n, 1, h, w)."""
        levels = [self.start(F.pixel_unshuffle(planes - 0.5, 2))]
        for down in self.down:
            levels.append(down(levels[-1]))
        x = levels.pop()
        for up in reversed(self.up):
            above = levels.pop()
            x = F.interpolate(x, size=above.shape[-2:], mode="bilinear", align_corners=False)
            x = up(torch.cat([x, above], 1))
        given = planes[:, 3:4].clamp(1 - SUREST, SUREST)
        return torch.logit(given) + F.pixel_shuffle(self.out(x), 2)


def _block(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, 1),
        nn.GroupNorm(_GROUPS, after),
        nn.ReLU(),
        nn.Conv2d(after, after, 3, 1, 1),
        nn.GroupNorm(_GROUPS, after),
        nn.ReLU(),
    )


def save_outline(net: OutlineNet, path: Path, provenance: Mapping[str, str]) -> None:
    """All tensors in half precision; `provenance` goes into the readable header."""
    save_network(net, path, _FORMAT, {"widths": json.dumps(net.widths), **provenance})


def load_outline(path: Path) -> OutlineNet:
    """The network with the weights that `save_outline` wrote, in eval mode.

    Raises:
        UsageError: the file is none of ours, is broken or does not fit.
    """
    return load_network(
        path,
        _FORMAT,
        lambda header: OutlineNet(tuple(json.loads(header["widths"]))),
        what="network for outlines",
        way_out="Train one with `vosbench eosvos outline`.",
    )
