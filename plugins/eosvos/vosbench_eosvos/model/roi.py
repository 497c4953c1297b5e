"""RoIAlign as a lookup table: all pyramid levels at once, fast backward on a CPU.

torchvision's `roi_align` walks channels in its inner loop over planes, one level at a time; here
every bilinear sample is a weighted sum of four rows of a (pixels, channels) table, which is what
`embedding_bag` computes, in parallel and vectorised over channels. For boxes inside the image the
result is that of `torchvision.ops.roi_align(..., aligned=False)` with the same sampling ratio.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from vosbench_eosvos.model.pyramid import Part


@dataclass(frozen=True)
class FeatureTable:
    """Pyramid levels, or parts of them, flattened into one table.

    Attributes:
        rows: (sum of B*h*w, C) float32.
        sizes: (L, 2) height and width of each level.
        parts: (L, 4) row and column of the level that come first, height and width of the part.
        offsets: (L,) row of the table of each part's first pixel.
        levels: pyramid level of each entry; level k has stride 2**k.
    """

    rows: Tensor
    sizes: Tensor
    parts: Tensor
    offsets: Tensor
    levels: tuple[int, ...]

    @classmethod
    def build(cls, pyramid: dict[int, Part]) -> FeatureTable:
        """From the parts by level; levels must be consecutive."""
        maps = [part.values for part in pyramid.values()]
        rows = [m.permute(0, 2, 3, 1).reshape(-1, m.shape[1]) for m in maps]
        device = rows[0].device
        sizes = torch.tensor([part.size for part in pyramid.values()], device=device)
        parts = torch.tensor(
            [(part.top, part.left, *part.values.shape[-2:]) for part in pyramid.values()],
            device=device,
        )
        counts = torch.tensor([len(r) for r in rows], device=device)
        table = torch.cat(rows).float()
        return cls(table, sizes, parts, counts.cumsum(0) - counts, tuple(pyramid))


def assign_levels(boxes: Tensor, scale: float, lowest: int, highest: int) -> Tensor:
    """Pyramid level for each box (N, 4): 4 at side `scale` (FPN, CVPR 2017, eq. 1)."""
    side = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).clamp(min=1e-6).sqrt()
    level = torch.floor(4 + torch.log2(side / scale) + 1e-6)
    return level.clamp(lowest, highest).long()


def roi_align(
    table: FeatureTable, images: Tensor, boxes: Tensor, levels: Tensor, window: int, sampling: int
) -> Tensor:
    """Features of each box on a grid of `window` bins a side.

    Args:
        table: the pyramid, at least where boxes read it.
        images: (N,) index in the batch of each box.
        boxes: (N, 4) x1, y1, x2, y2 in pixels of the image.
        levels: (N,) pyramid level to read each box from.
        window: bins a side. sampling: bilinear samples a bin and axis, averaged.

    Returns:
        (N, C, window, window) float32.
    """
    n, channels = len(boxes), table.rows.shape[1]
    if n == 0:
        return table.rows.new_zeros(0, channels, window, window) + table.rows.sum() * 0
    with torch.no_grad():
        index = levels - table.levels[0]
        height, width = table.sizes[index].unbind(1)
        scaled = boxes / (2.0 ** levels[:, None])
        steps = (torch.arange(window * sampling, device=boxes.device) + 0.5) / (window * sampling)
        x0, x1, wx = _neighbours(scaled[:, 0], scaled[:, 2], steps, width)
        y0, y1, wy = _neighbours(scaled[:, 1], scaled[:, 3], steps, height)
        top, left, rows, columns = table.parts[index].unbind(1)
        first = table.offsets[index] + images * rows * columns - top * columns - left
        corners, weights = [], []
        for y, ay in ((y0, 1 - wy), (y1, wy)):
            line = first[:, None] + y * columns[:, None]
            for x, ax in ((x0, 1 - wx), (x1, wx)):
                corners.append(line[:, :, None] + x[:, None, :])
                weights.append(ay[:, :, None] * ax[:, None, :])
        lookup = torch.stack(corners, -1)
        weight = torch.stack(weights, -1)
        if sampling > 1:  # the bin's samples become one bag
            split = (n, window, sampling, window, sampling, 4)
            lookup = lookup.view(split).transpose(2, 3).flatten(3)
            weight = weight.view(split).transpose(2, 3).flatten(3) / sampling**2
        lookup, weight = lookup.reshape(n * window**2, -1), weight.reshape(n * window**2, -1)
    out = F.embedding_bag(lookup, table.rows, mode="sum", per_sample_weights=weight)
    return out.view(n, window, window, channels).permute(0, 3, 1, 2)


def _neighbours(low: Tensor, high: Tensor, steps: Tensor, size: Tensor) -> tuple[Tensor, ...]:
    """The two pixels around each sample and the weight of the second: three (N, samples)."""
    extent = (high - low).clamp(min=1.0)  # torchvision's floor on the size of a RoI
    at = low[:, None] + extent[:, None] * steps
    at = at.clamp(min=0.0).minimum((size - 1)[:, None].to(at.dtype))
    first = at.long()
    second = (first + 1).minimum((size - 1)[:, None])
    return first, second, at - first
